#pragma once
#include "kernels/conv2d/conv2d.h"

namespace pgad {
// Loops of our own, for builds without oneDNN.
void conv2d_loops(Exec&, const Conv2dArgs<float>&);
void conv2d_dgrad_loops(Exec&, const Conv2dArgs<float>&);
void conv2d_wgrad_loops(Exec&, const Conv2dArgs<float>&);
void conv2d_bias_act_loops(Exec&, const Conv2dBiasActArgs<float>&);
#ifdef PGAD_HAVE_ONEDNN
void conv2d_onednn(Exec&, const Conv2dArgs<float>&);
void conv2d_dgrad_onednn(Exec&, const Conv2dArgs<float>&);
void conv2d_wgrad_onednn(Exec&, const Conv2dArgs<float>&);
void conv2d_bias_act_onednn(Exec&, const Conv2dBiasActArgs<float>&);
#endif
}  // namespace pgad
