// Convolution by oneDNN. Activations stay NHWC; the weights are brought into the layout that oneDNN prefers by a
// reorder that applies alpha on the way, so the equalized learning rate costs nothing. Primitives are made once per
// shape and cached in the Exec.

#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <tuple>
#include <unordered_map>

#include "kernels/conv2d/impl.h"
#include "kernels/onednn.h"

namespace pgad {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;
enum class Pass { kForward, kBackwardData, kBackwardWeights };

constexpr float kNoBias = -1.f;  // in place of a slope, which is at least 0

struct Conv {
  using Arguments = std::unordered_map<int, memory>;  // made once, the addresses in them set by each call
  dnnl::primitive main, reorder;
  Arguments main_arguments, reorder_arguments;
  memory src, dst, weights, user_weights, bias;
  bool direct = false;  // the preferred weight layout is the user's, alpha is 1: no reorder

  // slope: of the leaky ReLU behind a forward convolution with bias; kNoBias: neither bias nor activation.
  Conv(Onednn& lib, Pass pass, const Conv2dArgs<float>& s, float slope) {
    const memory::dims xd = {s.n, s.ci, s.h, s.w}, yd = {s.n, s.co, s.h, s.w}, wd = {s.co, s.ci, s.k, s.k};
    const memory::dims stride = {1, 1}, pad = {s.k / 2, s.k / 2};
    const auto f32 = memory::data_type::f32;
    const memory::desc x(xd, f32, Tag::nhwc), y(yd, f32, Tag::nhwc), w_any(wd, f32, Tag::any),
        w_user(wd, f32, Tag::ohwi);
    const auto algorithm = dnnl::algorithm::convolution_direct;
    const auto kind = pass == Pass::kForward ? dnnl::prop_kind::forward_inference : dnnl::prop_kind::forward_training;
    const memory::desc b({s.co}, f32, Tag::x);
    dnnl::primitive_attr epilogue;
    if (slope != 1.f && slope != kNoBias) {
      dnnl::post_ops leaky_relu;
      leaky_relu.append_eltwise(1.f, dnnl::algorithm::eltwise_relu, slope, 0.f);
      epilogue.set_post_ops(leaky_relu);
    }
    using Forward = dnnl::convolution_forward;
    const Forward::primitive_desc forward =
        slope == kNoBias
            ? Forward::primitive_desc({kind, algorithm, x, w_any, y, stride, pad, pad}, lib.engine)
            : Forward::primitive_desc({kind, algorithm, x, w_any, b, y, stride, pad, pad}, epilogue, lib.engine);
    bias = memory(b, lib.engine, DNNL_MEMORY_NONE);
    memory::desc w_best;
    if (pass == Pass::kForward) {
      w_best = forward.weights_desc();
      main = dnnl::convolution_forward(forward);
    } else if (pass == Pass::kBackwardData) {
      const dnnl::convolution_backward_data::primitive_desc pd({algorithm, x, w_any, y, stride, pad, pad}, lib.engine,
                                                               forward);
      w_best = pd.weights_desc();
      main = dnnl::convolution_backward_data(pd);
    } else {
      const dnnl::convolution_backward_weights::primitive_desc pd({algorithm, x, w_any, y, stride, pad, pad},
                                                                  lib.engine, forward);
      w_best = pd.diff_weights_desc();
      main = dnnl::convolution_backward_weights(pd);
    }
    src = memory(x, lib.engine, DNNL_MEMORY_NONE);
    dst = memory(y, lib.engine, DNNL_MEMORY_NONE);
    user_weights = memory(w_user, lib.engine, DNNL_MEMORY_NONE);
    direct = s.alpha == 1.f && w_best == w_user;
    weights = direct ? user_weights : memory(w_best, lib.engine);
    switch (pass) {
      case Pass::kForward:
        main_arguments = {{DNNL_ARG_SRC, src}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, dst}};
        if (slope != kNoBias) main_arguments.emplace(DNNL_ARG_BIAS, bias);
        break;
      case Pass::kBackwardData:
        main_arguments = {{DNNL_ARG_DIFF_DST, dst}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DIFF_SRC, src}};
        break;
      case Pass::kBackwardWeights:
        main_arguments = {{DNNL_ARG_SRC, src}, {DNNL_ARG_DIFF_DST, dst}, {DNNL_ARG_DIFF_WEIGHTS, weights}};
        break;
    }
    if (direct) return;
    dnnl::primitive_attr attr;
    attr.set_output_scales(0, {s.alpha});
    const bool back = pass == Pass::kBackwardWeights;
    const memory &from = back ? weights : user_weights, &to = back ? user_weights : weights;
    reorder = dnnl::reorder(from, to, attr);
    reorder_arguments = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
  }
};

struct ConvCache {
  using Key = std::tuple<Pass, std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                         float, float>;
  std::map<Key, Conv> convs;
};

// slope kNoBias: a bare convolution, bias unused.
void convolve(Exec& exec, Pass pass, const Conv2dArgs<float>& s, float slope = kNoBias, const float* bias = nullptr) {
  auto& lib = exec.library<Onednn>();
  auto& cache = exec.library<ConvCache>().convs;
  const ConvCache::Key key{pass, s.n, s.h, s.w, s.ci, s.co, s.k, s.alpha, slope};
  auto found = cache.find(key);
  if (found == cache.end()) found = cache.emplace(key, Conv(lib, pass, s, slope)).first;
  Conv& conv = found->second;
  const auto set = [](memory& m, const float* p) { m.set_data_handle(const_cast<float*>(p)); };
  set(conv.src, pass == Pass::kBackwardData ? s.out : s.a);
  set(conv.dst, pass == Pass::kForward ? s.out : pass == Pass::kBackwardData ? s.a : s.b);
  set(conv.user_weights, pass == Pass::kBackwardWeights ? s.out : s.b);
  if (slope != kNoBias) set(conv.bias, bias);
  if (!conv.direct && pass != Pass::kBackwardWeights) conv.reorder.execute(lib.stream, conv.reorder_arguments);
  conv.main.execute(lib.stream, conv.main_arguments);
  if (!conv.direct && pass == Pass::kBackwardWeights) conv.reorder.execute(lib.stream, conv.reorder_arguments);
}

}  // namespace

void conv2d_onednn(Exec& exec, const Conv2dArgs<float>& s) { convolve(exec, Pass::kForward, s); }
void conv2d_bias_act_onednn(Exec& exec, const Conv2dBiasActArgs<float>& s) {
  convolve(exec, Pass::kForward, s.conv, s.slope, s.bias);
}
void conv2d_dgrad_onednn(Exec& exec, const Conv2dArgs<float>& s) { convolve(exec, Pass::kBackwardData, s); }
void conv2d_wgrad_onednn(Exec& exec, const Conv2dArgs<float>& s) { convolve(exec, Pass::kBackwardWeights, s); }

}  // namespace pgad
