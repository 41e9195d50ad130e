// conv2d, conv2d_dgrad and conv2d_wgrad: three bilinear maps, closed under differentiation; and conv2d with bias and
// leaky ReLU in one pass.

#include "kernels/conv2d/conv2d.h"

#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/dispatch.h"

namespace pgad {
namespace {

// What the fast kernel wants of the weights, from the Exec's store or made now; an empty tensor if they do as they are.
Tensor prepare(Exec& exec, Conv2dArgs<float> args, const Tensor& w, bool adjoint) {
  const std::int64_t floats = conv2d_prepared_floats(exec, args, adjoint);
  if (floats == 0) return {};
  const PreparedWeights::Form form = {adjoint ? 1 : 0, args.alpha};
  PreparedWeights* const store = exec.prepared_weights();
  if (store != nullptr)
    if (const Tensor* kept = store->find(w, form)) return *kept;
  Tensor prepared;
  const auto make = [&] {
    prepared = exec.empty({floats});
    run(kConv2dPrepare, exec, Conv2dPrepareArgs<float>{args, adjoint, prepared.data<float>()});
  };
  if (store != nullptr && store->constant())
    exec.without_recording(make);
  else
    make();
  if (store != nullptr) store->keep(w, form, prepared);
  return prepared;
}

void launch(const Kernel<Conv2dArgs>& kernel, Exec& exec, const Shape& x, std::int64_t co, std::int64_t k, double alpha,
            const Tensor& a, const Tensor& b, const Tensor& out) {
  with_element_type(out.dtype(), [&]<class T>(T) {
    Conv2dArgs<T> args{x[0], x[1], x[2], x[3], co, k, static_cast<T>(alpha), a.data<T>(), b.data<T>(), out.data<T>()};
    Tensor prepared;
    if constexpr (std::is_same_v<T, float>)
      if (&kernel != &kConv2dWgrad) {
        prepared = prepare(exec, args, b, &kernel == &kConv2dDgrad);
        if (prepared.defined()) args.prepared = prepared.data<T>();
      }
    run(kernel, exec, args);
  });
}

void check_weights(const Shape& w) {
  PGAD_CHECK(w.rank() == 4 && w[1] == w[2] && w[1] % 2 == 1, "weights ", w, ", expected [co, k, k, ci] with k odd");
}

struct ConvOp final : Op {
  double alpha;
  explicit ConvOp(double a) : alpha(a) {}
  const char* name() const override { return "conv2d"; }
  Tensor forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape &x = in[0].shape(), &w = in[1].shape();
    check_weights(w);
    PGAD_CHECK(x.rank() == 4 && x[3] == w[3], "image ", x, ", weights ", w);
    const Tensor out = exec.empty({x[0], x[1], x[2], w[0]}, in[0].dtype());
    launch(kConv2d, exec, x, w[0], w[1], alpha, in[0], in[1], out);
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, const Var& dy, std::span<const char> needs) const override {
    return {needs[0] ? conv2d_dgrad(dy, in[1], alpha) : Var(),
            needs[1] ? conv2d_wgrad(in[0], dy, in[1].shape()[1], alpha) : Var()};
  }
};

struct ConvBiasActOp final : Op {
  double alpha, slope;
  ConvBiasActOp(double a, double s) : alpha(a), slope(s) {}
  const char* name() const override { return "conv2d_bias_act"; }
  Tensor forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape &x = in[0].shape(), &w = in[1].shape();
    check_weights(w);
    PGAD_CHECK(x.rank() == 4 && x[3] == w[3] && in[2].shape() == Shape({w[0]}), "image ", x, ", weights ", w, ", bias ",
               in[2].shape());
    const Tensor out = exec.empty({x[0], x[1], x[2], w[0]}, in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      Conv2dArgs<T> conv{x[0], x[1], x[2], x[3], w[0], w[1], static_cast<T>(alpha), in[0].data<T>(), in[1].data<T>(),
                         out.data<T>()};
      Tensor prepared;
      if constexpr (std::is_same_v<T, float>) {
        prepared = prepare(exec, conv, in[1], false);
        if (prepared.defined()) conv.prepared = prepared.data<T>();
      }
      run(kConv2dBiasAct, exec, Conv2dBiasActArgs<T>{conv, in[2].data<T>(), static_cast<T>(slope)});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var& out, const Var& dy, std::span<const char> needs) const override {
    const Var d = slope == 1 ? dy : act_grad(dy, out, slope);
    const std::int64_t c = d.shape().back();
    return {needs[0] ? conv2d_dgrad(d, in[1], alpha) : Var(),
            needs[1] ? conv2d_wgrad(in[0], d, in[1].shape()[1], alpha) : Var(),
            needs[2] ? reshape(sum_to(reshape(d, {d.shape().numel() / c, c}), {1, c}), {c}) : Var()};
  }
};

struct DgradOp final : Op {
  double alpha;
  explicit DgradOp(double a) : alpha(a) {}
  const char* name() const override { return "conv2d_dgrad"; }
  Tensor forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape &dy = in[0].shape(), &w = in[1].shape();
    check_weights(w);
    PGAD_CHECK(dy.rank() == 4 && dy[3] == w[0], "gradient ", dy, ", weights ", w);
    const Tensor out = exec.empty({dy[0], dy[1], dy[2], w[3]}, in[0].dtype());
    launch(kConv2dDgrad, exec, out.shape(), w[0], w[1], alpha, in[0], in[1], out);
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, const Var& g, std::span<const char> needs) const override {
    return {needs[0] ? conv2d(g, in[1], alpha) : Var(),
            needs[1] ? conv2d_wgrad(g, in[0], in[1].shape()[1], alpha) : Var()};
  }
};

struct WgradOp final : Op {
  std::int64_t k;
  double alpha;
  WgradOp(std::int64_t k_, double a) : k(k_), alpha(a) {}
  const char* name() const override { return "conv2d_wgrad"; }
  Tensor forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape &x = in[0].shape(), &dy = in[1].shape();
    PGAD_CHECK(x.rank() == 4 && dy.rank() == 4 && x[0] == dy[0] && x[1] == dy[1] && x[2] == dy[2], "image ", x,
               ", gradient ", dy);
    const Tensor out = exec.empty({dy[3], k, k, x[3]}, in[0].dtype());
    launch(kConv2dWgrad, exec, x, dy[3], k, alpha, in[0], in[1], out);
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, const Var& g, std::span<const char> needs) const override {
    return {needs[0] ? conv2d_dgrad(in[1], g, alpha) : Var(), needs[1] ? conv2d(in[0], g, alpha) : Var()};
  }
};

}  // namespace

Var conv2d(const Var& x, const Var& w, double alpha) { return apply(std::make_shared<ConvOp>(alpha), {x, w}); }
Var conv2d_bias_act(const Var& x, const Var& w, const Var& b, double alpha, double slope) {
  return apply(std::make_shared<ConvBiasActOp>(alpha, slope), {x, w, b});
}
Var conv2d_dgrad(const Var& dy, const Var& w, double alpha) { return apply(std::make_shared<DgradOp>(alpha), {dy, w}); }
Var conv2d_wgrad(const Var& x, const Var& dy, std::int64_t k, double alpha) {
  return apply(std::make_shared<WgradOp>(k, alpha), {x, dy});
}

}  // namespace pgad
