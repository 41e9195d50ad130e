// The L1 distance of samples. Its gradient does not depend on x and y but by their order, so that second derivatives
// exist in the incoming gradient alone.

#include "kernels/l1/l1.h"

#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/dispatch.h"

namespace pgad {
namespace {

// In: x, y, d [n]. Out: alpha * d * sign(x - y).
struct L1VjpOp final : Op {
  double alpha;
  explicit L1VjpOp(double a) : alpha(a) {}
  const char* name() const override { return "l1_vjp"; }
  Tensor forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape& s = in[0].shape();
    const Tensor out = exec.empty(s, in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kL1Vjp, exec,
          L1VjpArgs<T>{s[0], s.numel() / s[0], in[0].data<T>(), in[1].data<T>(), in[2].data<T>(), out.data<T>(),
                       static_cast<T>(alpha)});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, const Var& g, std::span<const char> needs) const override {
    std::vector<Var> result(3);
    if (needs[2]) result[2] = sum_per_sample(mul(g, sign(sub(in[0], in[1]))), alpha);
    return result;
  }
};

struct L1Op final : Op {
  double alpha;
  explicit L1Op(double a) : alpha(a) {}
  const char* name() const override { return "l1"; }
  Tensor forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape& s = in[0].shape();
    const Tensor out = exec.empty({s[0]}, in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kL1, exec,
          L1Args<T>{s[0], s.numel() / s[0], in[0].data<T>(), in[1].data<T>(), out.data<T>(), static_cast<T>(alpha)});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, const Var& d, std::span<const char> needs) const override {
    std::vector<Var> result(2);
    const Var dx = apply(std::make_shared<L1VjpOp>(alpha), {in[0], in[1], d});
    if (needs[0]) result[0] = dx;
    if (needs[1]) result[1] = scale(dx, -1);
    return result;
  }
};

}  // namespace

Var l1_per_sample(const Var& x, const Var& y, double alpha) {
  PGAD_CHECK(x.shape() == y.shape(), x.shape(), " and ", y.shape());
  return apply(std::make_shared<L1Op>(alpha), {x, y});
}

}  // namespace pgad
