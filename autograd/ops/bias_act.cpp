#include "kernels/bias_act/bias_act.h"

#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/dispatch.h"

namespace pgad {
namespace {

struct BiasActOp final : Op {
  double slope;
  explicit BiasActOp(double s) : slope(s) {}
  const char* name() const override { return "bias_act"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    const std::int64_t c = in[0].shape().back();
    PGAD_CHECK(in[1].shape() == Shape({c}), "bias ", in[1].shape(), " for ", in[0].shape());
    const Tensor out = exec.empty(in[0].shape(), in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kBiasAct, exec,
          BiasActArgs<T>{out.numel() / c, c, in[0].data<T>(), in[1].data<T>(), out.data<T>(), static_cast<T>(slope)});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var>, const Var& out, Var dy, std::span<const char> needs) const override {
    const std::int64_t c = dy.shape().back();
    const Var dx = slope == 1 ? dy : act_grad(dy, out, slope);
    return {dx, needs[1] ? reshape(sum_to(reshape(dx, {dx.shape().numel() / c, c}), {1, c}), {c}) : Var()};
  }
};

struct ActGradOp final : Op {
  double slope;
  explicit ActGradOp(double s) : slope(s) {}
  const char* name() const override { return "act_grad"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    PGAD_CHECK(in[0].shape() == in[1].shape(), in[0].shape(), " and ", in[1].shape());
    const Tensor out = exec.empty(in[0].shape(), in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kActGrad, exec,
          ActGradArgs<T>{out.numel(), in[0].data<T>(), in[1].data<T>(), out.data<T>(), static_cast<T>(slope)});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, Var g, std::span<const char> needs) const override {
    return {needs[0] ? act_grad(g, in[1], slope) : Var(), Var()};  // constant in y almost everywhere
  }
};

}  // namespace

Var bias_act(const Var& x, const Var& b, double slope) { return apply(std::make_shared<BiasActOp>(slope), {x, b}); }
Var act_grad(const Var& dy, const Var& y, double slope) { return apply(std::make_shared<ActGradOp>(slope), {dy, y}); }

}  // namespace pgad
