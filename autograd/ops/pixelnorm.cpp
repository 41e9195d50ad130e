// Fused pixelnorm with a fused vjp; higher orders come from the formula in plain ops.

#include "kernels/pixelnorm/pixelnorm.h"

#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/dispatch.h"

namespace pgad {
namespace {

Var pixelnorm_formula(const Var& x) {
  const std::int64_t c = x.shape().back(), rows = x.shape().numel() / c;
  const Var flat = reshape(x, {rows, c});
  const Var variance = sum_to(square(flat), {rows, 1}, 1.0 / static_cast<double>(c));
  const Var r = reciprocal(sqrt(affine(variance, 1, kPixelnormEpsilon)));
  return reshape(mul(flat, broadcast_to(r, {rows, c})), x.shape());
}

struct PixelnormVjpOp final : Op {
  const char* name() const override { return "pixelnorm_vjp"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape& shape = in[0].shape();
    const Tensor out = exec.empty(shape, in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kPixelnormVjp, exec,
          PixelnormVjpArgs<T>{out.numel() / shape.back(), shape.back(), in[0].data<T>(), in[1].data<T>(),
                              out.data<T>()});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, Var g, std::span<const char> needs) const override {
    const auto formula = [](std::span<const Var> v) {
      const auto inner = [](std::span<const Var> x) { return pixelnorm_formula(x[0]); };
      return vjp_of(inner, v.subspan(0, 1), v[1])[0];
    };
    return vjp_of(formula, in, g, needs);
  }
};

struct PixelnormOp final : Op {
  const char* name() const override { return "pixelnorm"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape& shape = in[0].shape();
    const Tensor out = exec.empty(shape, in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kPixelnorm, exec, PixelnormArgs<T>{out.numel() / shape.back(), shape.back(), in[0].data<T>(), out.data<T>()});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, Var dy, std::span<const char>) const override {
    return {apply(std::make_shared<PixelnormVjpOp>(), {in[0], dy})};
  }
};

}  // namespace

Var pixelnorm(const Var& x) { return apply(std::make_shared<PixelnormOp>(), {x}); }

}  // namespace pgad
