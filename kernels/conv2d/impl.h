#pragma once
#include "kernels/conv2d/conv2d.h"

namespace pgad {
void conv2d_cpu(Exec&, const Conv2dArgs<float>&);
void conv2d_bias_act_cpu(Exec&, const Conv2dBiasActArgs<float>&);
void conv2d_dgrad_cpu(Exec&, const Conv2dArgs<float>&);
void conv2d_wgrad_cpu(Exec&, const Conv2dArgs<float>&);
void conv2d_prepare_cpu(Exec&, const Conv2dPrepareArgs<float>&);
// The direct algorithm, for every shape. bias null: neither bias nor activation.
std::int64_t direct_weight_floats(const Conv2dArgs<float>&, bool adjoint);
void direct_weights(Exec&, const Conv2dArgs<float>&, bool adjoint, float* u);
void conv2d_direct(Exec&, const Conv2dArgs<float>&, const float* bias, float slope);
void conv2d_dgrad_direct(Exec&, const Conv2dArgs<float>&);
void conv2d_wgrad_direct(Exec&, const Conv2dArgs<float>&);
// Winograd's algorithm (winograd.h), for the shapes that it serves better than the direct one.
bool winograd_serves(const Conv2dArgs<float>&);
std::int64_t winograd_weight_floats(const Conv2dArgs<float>&, bool adjoint);
void winograd_weights(Exec&, const Conv2dArgs<float>&, bool adjoint, float* u);
void conv2d_winograd(Exec&, const Conv2dArgs<float>&, const float* bias, float slope);
void conv2d_dgrad_winograd(Exec&, const Conv2dArgs<float>&);
void conv2d_wgrad_winograd(Exec&, const Conv2dArgs<float>&);
enum class ConvPass { kForward, kDgrad, kWgrad };
// a and b as a library takes them that reads neither half-size images nor float32 as bf16: in workspaces of the Exec's,
// until the next call, where they have to be made; else where they are.
struct LibraryOperands {
  const void *a, *b;
};
LibraryOperands library_operands(Exec&, const Conv2dArgs<float>&, ConvPass);
// By cuDNN (builds with CUDA). False: it is not installed, or has nothing for this.
bool conv2d_cudnn(Exec&, const Conv2dArgs<float>&, ConvPass);
bool conv2d_bias_act_cudnn(Exec&, const Conv2dBiasActArgs<float>&);        // its convolution, then our bias_act
bool conv2d_bias_act_cudnn_fused(Exec&, const Conv2dBiasActArgs<float>&);  // all in one kernel of cuDNN's
// Ours or cuDNN's.
void conv2d_chosen(Exec&, const Conv2dArgs<float>&);
void conv2d_bias_act_chosen(Exec&, const Conv2dBiasActArgs<float>&);
void conv2d_dgrad_chosen(Exec&, const Conv2dArgs<float>&);
void conv2d_wgrad_chosen(Exec&, const Conv2dArgs<float>&);
PGAD_DECLARE_CUDA(conv2d_cuda, Conv2dArgs<float>)
PGAD_DECLARE_CUDA(conv2d_bias_act_cuda, Conv2dBiasActArgs<float>)
PGAD_DECLARE_CUDA(conv2d_dgrad_cuda, Conv2dArgs<float>)
PGAD_DECLARE_CUDA(conv2d_wgrad_cuda, Conv2dArgs<float>)
}  // namespace pgad
