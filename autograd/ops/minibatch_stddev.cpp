// Fused minibatch-stddev with a fused vjp; higher orders (the gradient penalties need the second) from the formula.

#include "kernels/minibatch_stddev/minibatch_stddev.h"

#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/dispatch.h"

namespace pgad {
namespace {

// x is [g, m, p]; -> [m]
Var minibatch_stddev_formula(const Var& x) {
  const Shape& s = x.shape();
  const Shape per_group = {1, s[1], s[2]};
  const double share = 1.0 / static_cast<double>(s[0]);
  const Var centred = sub(x, broadcast_to(sum_to(x, per_group, share), s));
  const Var variance = sum_to(square(centred), per_group, share);
  const Var stddev = sqrt(affine(variance, 1, kMinibatchStddevEpsilon));
  return reshape(sum_to(stddev, {1, s[1], 1}, 1.0 / static_cast<double>(s[2])), {s[1]});
}

struct StddevVjpOp final : Op {
  const char* name() const override { return "minibatch_stddev_vjp"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape& s = in[0].shape();
    const Tensor out = exec.empty(s, in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kMinibatchStddevVjp, exec,
          MinibatchStddevVjpArgs<T>{s[0], s[1], s[2], in[0].data<T>(), in[1].data<T>(), out.data<T>()});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, Var g, std::span<const char> needs) const override {
    const auto formula = [](std::span<const Var> v) {
      const auto inner = [](std::span<const Var> x) { return minibatch_stddev_formula(x[0]); };
      return vjp_of(inner, v.subspan(0, 1), v[1])[0];
    };
    return vjp_of(formula, in, g, needs);
  }
};

struct StddevOp final : Op {
  const char* name() const override { return "minibatch_stddev"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape& s = in[0].shape();
    const Tensor out = exec.empty({s[1]}, in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kMinibatchStddev, exec, MinibatchStddevArgs<T>{s[0], s[1], s[2], in[0].data<T>(), out.data<T>()});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, Var dy, std::span<const char>) const override {
    return {apply(std::make_shared<StddevVjpOp>(), {in[0], dy})};
  }
};

}  // namespace

Var minibatch_stddev(const Var& x, std::int64_t groups) {
  const Shape& s = x.shape();
  PGAD_CHECK(s.rank() == 4 && s[0] % groups == 0, s, " in ", groups, " groups");
  return apply(std::make_shared<StddevOp>(), {reshape(x, {s[0] / groups, groups, s[1] * s[2] * s[3]})});
}

}  // namespace pgad
