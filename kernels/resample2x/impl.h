#pragma once
#include "kernels/resample2x/resample2x.h"

namespace pgad {
void upsample2x_cpu(Exec&, const Resample2xArgs<float>&);
void sum_pool2x_cpu(Exec&, const Resample2xArgs<float>&);
PGAD_DECLARE_CUDA(upsample2x_cuda, Resample2xArgs<float>)
PGAD_DECLARE_CUDA(sum_pool2x_cuda, Resample2xArgs<float>)
}  // namespace pgad
