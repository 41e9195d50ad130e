#include "kernels/resample2x/resample2x.h"

#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/dispatch.h"

namespace pgad {
namespace {

struct UpsampleOp final : Op {
  double alpha;
  explicit UpsampleOp(double a) : alpha(a) {}
  const char* name() const override { return "upsample2x"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape& x = in[0].shape();
    PGAD_CHECK(x.rank() == 4, x);
    const Tensor out = exec.empty({x[0], 2 * x[1], 2 * x[2], x[3]}, in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kUpsample2x, exec,
          Resample2xArgs<T>{x[0], x[1], x[2], x[3], in[0].data<T>(), out.data<T>(), static_cast<T>(alpha)});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var>, const Var&, Var dy, std::span<const char>) const override {
    return {sum_pool2x(dy, alpha)};
  }
};

struct SumPoolOp final : Op {
  double alpha;
  explicit SumPoolOp(double a) : alpha(a) {}
  const char* name() const override { return "sum_pool2x"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape& x = in[0].shape();
    PGAD_CHECK(x.rank() == 4 && x[1] % 2 == 0 && x[2] % 2 == 0, x);
    const Tensor out = exec.empty({x[0], x[1] / 2, x[2] / 2, x[3]}, in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kSumPool2x, exec,
          Resample2xArgs<T>{x[0], x[1] / 2, x[2] / 2, x[3], in[0].data<T>(), out.data<T>(), static_cast<T>(alpha)});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var>, const Var&, Var dy, std::span<const char>) const override {
    return {upsample2x(dy, alpha)};
  }
};

}  // namespace

Var upsample2x(const Var& x, double alpha) { return apply(std::make_shared<UpsampleOp>(alpha), {x}); }
Var sum_pool2x(const Var& x, double alpha) { return apply(std::make_shared<SumPoolOp>(alpha), {x}); }

}  // namespace pgad
