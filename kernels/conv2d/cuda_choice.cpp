// The column `cuda` of the convolutions: our kernels and cuDNN's, as the tuner has measured.

#include "kernels/conv2d/impl.h"
#include "kernels/tuner.h"

namespace pgad {
namespace {

template <auto kFunction, class Args>
bool always(Exec& exec, const Args& args) {
  kFunction(exec, args);
  return true;
}

template <ConvPass kPass>
bool cudnn(Exec& exec, const Conv2dArgs<float>& args) {
  return conv2d_cudnn(exec, args, kPass);
}

template <auto kOurs, ConvPass kPass>
void choose(Exec& exec, const char* kernel, const Conv2dArgs<float>& s, std::int64_t result) {
  static constexpr Version<Conv2dArgs<float>> kVersions[] = {{"hand-written", always<kOurs, Conv2dArgs<float>>},
                                                             {"cuDNN", cudnn<kPass>}};
  exec.library<Tuner>().run<Conv2dArgs<float>>(exec, kernel, s, kVersions, s.out, result);
}

}  // namespace

void conv2d_chosen(Exec& exec, const Conv2dArgs<float>& s) {
  choose<cuda_native::conv2d_cuda, ConvPass::kForward>(exec, "conv2d", s, s.n * s.h * s.w * s.co);
}
void conv2d_bias_act_chosen(Exec& exec, const Conv2dBiasActArgs<float>& s) {
  using Args = Conv2dBiasActArgs<float>;
  static constexpr Version<Args> kVersions[] = {{"hand-written", always<cuda_native::conv2d_bias_act_cuda, Args>},
                                                {"cuDNN", conv2d_bias_act_cudnn},
                                                {"cuDNN fused", conv2d_bias_act_cudnn_fused}};
  const Conv2dArgs<float>& c = s.conv;
  exec.library<Tuner>().run<Args>(exec, "conv2d_bias_act", s, kVersions, c.out, c.n * c.h * c.w * c.co);
}
void conv2d_dgrad_chosen(Exec& exec, const Conv2dArgs<float>& s) {
  choose<cuda_native::conv2d_dgrad_cuda, ConvPass::kDgrad>(exec, "conv2d_dgrad", s, s.n * s.h * s.w * s.ci);
}
void conv2d_wgrad_chosen(Exec& exec, const Conv2dArgs<float>& s) {
  choose<cuda_native::conv2d_wgrad_cuda, ConvPass::kWgrad>(exec, "conv2d_wgrad", s, s.co * s.k * s.k * s.ci);
}

}  // namespace pgad
