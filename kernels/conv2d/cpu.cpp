// Which algorithm serves which shape on the CPU: Winograd's where it pays, else the direct one. The rule looks at one
// image's shape alone, and each image's result is one sequence of operations in either: the same bits in any batch and
// for any number of threads. Only weight gradients, sums over the batch, are split by threads.

#include <algorithm>

#include "kernels/conv2d/impl.h"
#include "kernels/workspace.h"

namespace pgad {
namespace {

// For callers that keep no prepared weights: made for one call.
struct WeightWorkspace : Workspace {};

Conv2dArgs<float> with_prepared(Exec& exec, Conv2dArgs<float> s, bool adjoint) {
  if (s.prepared != nullptr) return s;
  float* u = exec.library<WeightWorkspace>().get(conv2d_prepared_floats(exec, s, adjoint));
  conv2d_prepare_cpu(exec, {s, adjoint, u});
  s.prepared = u;
  return s;
}

}  // namespace

void conv2d_bias_act_cpu(Exec& exec, const Conv2dBiasActArgs<float>& s) {
  const Conv2dArgs<float> conv = with_prepared(exec, s.conv, false);
  (winograd_serves(conv) ? conv2d_winograd : conv2d_direct)(exec, conv, s.bias, s.slope);
}
void conv2d_cpu(Exec& exec, const Conv2dArgs<float>& s) { conv2d_bias_act_cpu(exec, {s, nullptr, 1.f}); }
void conv2d_dgrad_cpu(Exec& exec, const Conv2dArgs<float>& s) {
  (winograd_serves(s) ? conv2d_dgrad_winograd : conv2d_dgrad_direct)(exec, with_prepared(exec, s, true));
}
void conv2d_wgrad_cpu(Exec& exec, const Conv2dArgs<float>& s) {
  // At 8x8 transforming back the sums, 36 per weight, costs what the products save.
  const bool winograd = winograd_serves(s) && (s.upsampled || std::min(s.h, s.w) >= 16);
  (winograd ? conv2d_wgrad_winograd : conv2d_wgrad_direct)(exec, s);
}
void conv2d_prepare_cpu(Exec& exec, const Conv2dPrepareArgs<float>& s) {
  (winograd_serves(s.conv) ? winograd_weights : direct_weights)(exec, s.conv, s.adjoint, s.prepared);
}

std::int64_t conv2d_prepared_floats(const Exec& exec, const Conv2dArgs<float>& args, bool adjoint) {
  // The reference and the GPU's kernels take weights as they are.
  if (exec.device().type != DeviceType::kCpu || exec.implementation() != Implementation::kFastest) return 0;
  return (winograd_serves(args) ? winograd_weight_floats : direct_weight_floats)(args, adjoint);
}

}  // namespace pgad
