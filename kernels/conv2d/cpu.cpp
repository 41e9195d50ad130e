// Which algorithm serves which shape on the CPU: Winograd's where it pays, else the direct one (oneDNN's, or our
// loops).

#include <algorithm>

#include "kernels/conv2d/impl.h"

namespace pgad {

namespace {
#ifdef PGAD_HAVE_ONEDNN
constexpr auto conv2d_direct = conv2d_onednn;
constexpr auto conv2d_dgrad_direct = conv2d_dgrad_onednn;
constexpr auto conv2d_wgrad_direct = conv2d_wgrad_onednn;
constexpr auto conv2d_bias_act_direct = conv2d_bias_act_onednn;
#else
constexpr auto conv2d_direct = conv2d_loops;
constexpr auto conv2d_dgrad_direct = conv2d_dgrad_loops;
constexpr auto conv2d_wgrad_direct = conv2d_wgrad_loops;
constexpr auto conv2d_bias_act_direct = conv2d_bias_act_loops;
#endif
}  // namespace

void conv2d_cpu(Exec& exec, const Conv2dArgs<float>& s) {
  if (s.prepared != nullptr) return conv2d_winograd(exec, s, nullptr, 1.f);
  conv2d_direct(exec, s);
}
void conv2d_bias_act_cpu(Exec& exec, const Conv2dBiasActArgs<float>& s) {
  if (s.conv.prepared != nullptr) return conv2d_winograd(exec, s.conv, s.bias, s.slope);
  conv2d_bias_act_direct(exec, s);
}
void conv2d_dgrad_cpu(Exec& exec, const Conv2dArgs<float>& s) {
  if (s.prepared != nullptr) return conv2d_dgrad_winograd(exec, s);
  conv2d_dgrad_direct(exec, s);
}
void conv2d_wgrad_cpu(Exec& exec, const Conv2dArgs<float>& s) {
  // At 8x8 transforming back the sums, 36 per weight, costs what the products save.
  if (winograd_serves(s) && (s.upsampled || std::min(s.h, s.w) >= 16)) return conv2d_wgrad_winograd(exec, s);
  conv2d_wgrad_direct(exec, s);
}
void conv2d_prepare_cpu(Exec& exec, const Conv2dPrepareArgs<float>& s) {
  winograd_weights(exec, s.conv, s.adjoint, s.prepared);
}

}  // namespace pgad
