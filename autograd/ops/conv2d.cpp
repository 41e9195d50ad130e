// conv2d, conv2d_dgrad and conv2d_wgrad: three bilinear maps, closed under differentiation; and conv2d with bias and
// leaky ReLU in one pass.

#include "kernels/conv2d/conv2d.h"

#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/dispatch.h"
#include "kernels/pixelnorm/pixelnorm.h"

namespace pgad {
namespace {

// What the fast kernel wants of the weights, from the Exec's store or made now; an empty tensor if they do as they are.
Tensor prepare(Exec& exec, Conv2dArgs<float> args, const Tensor& w, bool adjoint) {
  const std::int64_t floats = conv2d_prepared_floats(exec, args, adjoint);
  if (floats == 0) return {};
  // The algorithms' forms differ in length.
  const PreparedWeights::Form form = {2 * floats + adjoint, args.alpha};
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
            const Tensor& a, const Tensor& b, const Tensor& out, bool upsampled = false) {
  with_element_type(out.dtype(), [&]<class T>(T) {
    Conv2dArgs<T> args{x[0],        x[1],        x[2],          x[3],     co, k, static_cast<T>(alpha),
                       a.data<T>(), b.data<T>(), out.data<T>(), upsampled};
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
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape &x = in[0].shape(), &w = in[1].shape();
    check_weights(w);
    PGAD_CHECK(x.rank() == 4 && x[3] == w[3], "image ", x, ", weights ", w);
    const Tensor out = exec.empty({x[0], x[1], x[2], w[0]}, in[0].dtype());
    launch(kConv2d, exec, x, w[0], w[1], alpha, in[0], in[1], out);
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, Var dy, std::span<const char> needs) const override {
    return {needs[0] ? conv2d_dgrad(dy, in[1], alpha) : Var(),
            needs[1] ? conv2d_wgrad(in[0], dy, in[1].shape()[1], alpha) : Var()};
  }
};

Var wgrad(const Var& x, const Var& dy, std::int64_t k, double alpha, bool upsampled);

// x's size in the network: doubled where it is read so.
Shape doubled(const Shape& x, bool upsampled) { return upsampled ? Shape({x[0], 2 * x[1], 2 * x[2], x[3]}) : x; }

// Convolution, bias, leaky ReLU, and what else goes with them in one op: doubling before, pixelnorm behind.
struct ConvBiasActOp final : Op {
  double alpha, slope;
  bool upsampled, normalised;
  ConvBiasActOp(double a, double s, bool up, bool norm) : alpha(a), slope(s), upsampled(up), normalised(norm) {}
  const char* name() const override { return "conv2d_bias_act"; }

  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    check_weights(in[1].shape());
    const Shape x = doubled(in[0].shape(), upsampled), &w = in[1].shape();
    PGAD_CHECK(x.rank() == 4 && x[3] == w[3] && in[2].shape() == Shape({w[0]}), "image ", x, ", weights ", w, ", bias ",
               in[2].shape());
    const Tensor out = exec.empty({x[0], x[1], x[2], w[0]}, in[0].dtype());
    const std::int64_t rows = out.numel() / w[0];
    const Tensor factor = normalised ? exec.empty({rows}, in[0].dtype()) : Tensor();  // r of pixelnorm, for the vjp
    with_element_type(out.dtype(), [&]<class T>(T) {
      Conv2dArgs<T> conv{
          x[0],          x[1],     x[2], x[3], w[0], w[1], static_cast<T>(alpha), in[0].data<T>(), in[1].data<T>(),
          out.data<T>(), upsampled};
      Tensor prepared;
      if constexpr (std::is_same_v<T, float>) {
        prepared = prepare(exec, conv, in[1], false);
        if (prepared.defined()) conv.prepared = prepared.data<T>();
      }
      run(kConv2dBiasAct, exec, Conv2dBiasActArgs<T>{conv, in[2].data<T>(), static_cast<T>(slope)});
      if (normalised)
        run(kPixelnorm, exec, PixelnormArgs<T>{rows, w[0], out.data<T>(), out.data<T>(), factor.data<T>()});
    });
    return {out, factor};
  }

  std::vector<Var> vjp(std::span<const Var> in, const Var& out, Var dy, std::span<const char> needs) const override {
    Var d;  // the gradient behind the convolution
    if (normalised) {
      // The saved factor is a constant: derivatives of this gradient need the formula.
      if (HistoryScope::on())
        return vjp_of(
            [&](std::span<const Var> v) {
              return pixelnorm(bias_act(conv2d(upsampled ? upsample2x(v[0]) : v[0], v[1], alpha), v[2], slope));
            },
            in, dy, needs);
      const Tensor& factor = out.saved();
      const Tensor dx = out.exec().empty(out.shape(), out.dtype());
      with_element_type(out.dtype(), [&]<class T>(T) {
        run(kPixelnormActVjp, out.exec(),
            PixelnormActVjpArgs<T>{factor.numel(), out.shape().back(), out.value().data<T>(), factor.data<T>(),
                                   dy.value().data<T>(), dx.data<T>(), static_cast<T>(slope)});
      });
      d = Var(out.exec(), dx);
    } else {
      d = slope == 1 ? dy : act_grad(dy, out, slope);
    }
    dy = Var();
    const std::int64_t c = d.shape().back();
    Var dx = needs[0] ? conv2d_dgrad(d, in[1], alpha) : Var();
    if (upsampled && needs[0]) dx = sum_pool2x(dx);
    return {dx, needs[1] ? wgrad(in[0], d, in[1].shape()[1], alpha, upsampled) : Var(),
            needs[2] ? reshape(sum_to(reshape(d, {d.shape().numel() / c, c}), {1, c}), {c}) : Var()};
  }
};

struct DgradOp final : Op {
  double alpha;
  explicit DgradOp(double a) : alpha(a) {}
  const char* name() const override { return "conv2d_dgrad"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape &dy = in[0].shape(), &w = in[1].shape();
    check_weights(w);
    PGAD_CHECK(dy.rank() == 4 && dy[3] == w[0], "gradient ", dy, ", weights ", w);
    const Tensor out = exec.empty({dy[0], dy[1], dy[2], w[3]}, in[0].dtype());
    launch(kConv2dDgrad, exec, out.shape(), w[0], w[1], alpha, in[0], in[1], out);
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, Var g, std::span<const char> needs) const override {
    return {needs[0] ? conv2d(g, in[1], alpha) : Var(),
            needs[1] ? conv2d_wgrad(g, in[0], in[1].shape()[1], alpha) : Var()};
  }
};

struct WgradOp final : Op {
  std::int64_t k;
  double alpha;
  bool upsampled;
  WgradOp(std::int64_t k_, double a, bool up) : k(k_), alpha(a), upsampled(up) {}
  const char* name() const override { return "conv2d_wgrad"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape x = doubled(in[0].shape(), upsampled), &dy = in[1].shape();
    PGAD_CHECK(x.rank() == 4 && dy.rank() == 4 && x[0] == dy[0] && x[1] == dy[1] && x[2] == dy[2], "image ", x,
               ", gradient ", dy);
    const Tensor out = exec.empty({dy[3], k, k, x[3]}, in[0].dtype());
    launch(kConv2dWgrad, exec, x, dy[3], k, alpha, in[0], in[1], out, upsampled);
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, Var g, std::span<const char> needs) const override {
    const Var dx = needs[0] ? conv2d_dgrad(in[1], g, alpha) : Var();
    return {needs[0] && upsampled ? sum_pool2x(dx) : dx,
            needs[1] ? conv2d(upsampled ? upsample2x(in[0]) : in[0], g, alpha) : Var()};
  }
};

Var wgrad(const Var& x, const Var& dy, std::int64_t k, double alpha, bool upsampled) {
  return apply(std::make_shared<WgradOp>(k, alpha, upsampled), {x, dy});
}

}  // namespace

Var conv2d(const Var& x, const Var& w, double alpha) { return apply(std::make_shared<ConvOp>(alpha), {x, w}); }
Var conv2d_bias_act(const Var& x, const Var& w, const Var& b, double alpha, double slope) {
  return apply(std::make_shared<ConvBiasActOp>(alpha, slope, false, false), {x, w, b});
}
Var conv2d_bias_act_pixelnorm(const Var& x, const Var& w, const Var& b, double alpha, double slope) {
  return apply(std::make_shared<ConvBiasActOp>(alpha, slope, false, true), {x, w, b});
}
Var upsample2x_conv2d_bias_act_pixelnorm(const Var& x, const Var& w, const Var& b, double alpha, double slope) {
  return apply(std::make_shared<ConvBiasActOp>(alpha, slope, true, true), {x, w, b});
}
Var conv2d_dgrad(const Var& dy, const Var& w, double alpha) { return apply(std::make_shared<DgradOp>(alpha), {dy, w}); }
Var conv2d_wgrad(const Var& x, const Var& dy, std::int64_t k, double alpha) { return wgrad(x, dy, k, alpha, false); }

}  // namespace pgad
