#include "kernels/reduction/reduction.h"

#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/dispatch.h"

namespace pgad {
namespace {

template <class T>
ReductionArgs<T> reduction(const Shape& large, const Shape& small, const T* x, T* y, double alpha) {
  PGAD_CHECK(large.rank() == small.rank(), large, " and ", small);
  ReductionArgs<T> args{{1, 1, 1, 1}, {false, false, false, false}, x, y, static_cast<T>(alpha)};
  for (int i = 0; i < large.rank(); ++i) {
    const auto d = static_cast<std::size_t>(4 - large.rank() + i);
    PGAD_CHECK(small[i] == large[i] || small[i] == 1, large, " and ", small);
    args.dims[d] = large[i];
    args.reduce[d] = small[i] != large[i];
  }
  return args;
}

struct SumOp final : Op {
  Shape shape;
  double alpha;
  SumOp(const Shape& s, double a) : shape(s), alpha(a) {}

  const char* name() const override { return "sum"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    const Tensor out = exec.empty(shape, in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kSum, exec, reduction<T>(in[0].shape(), shape, in[0].data<T>(), out.data<T>(), alpha));
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, Var dy, std::span<const char>) const override {
    return {broadcast_to(dy, in[0].shape(), alpha)};
  }
};

struct BroadcastOp final : Op {
  Shape shape;
  double alpha;
  BroadcastOp(const Shape& s, double a) : shape(s), alpha(a) {}

  const char* name() const override { return "broadcast"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    const Tensor out = exec.empty(shape, in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kBroadcast, exec, reduction<T>(shape, in[0].shape(), in[0].data<T>(), out.data<T>(), alpha));
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, Var dy, std::span<const char>) const override {
    return {sum_to(dy, in[0].shape(), alpha)};
  }
};

}  // namespace

Var sum_to(const Var& x, const Shape& shape, double alpha) { return apply(std::make_shared<SumOp>(shape, alpha), {x}); }
Var broadcast_to(const Var& x, const Shape& shape, double alpha) {
  return apply(std::make_shared<BroadcastOp>(shape, alpha), {x});
}
Var sum(const Var& x, double alpha) { return sum_to(reshape(x, {x.shape().numel()}), {1}, alpha); }
Var mean(const Var& x) { return sum(x, 1.0 / static_cast<double>(x.shape().numel())); }
Var sum_per_sample(const Var& x, double alpha) {
  const std::int64_t n = x.shape()[0];
  return reshape(sum_to(reshape(x, {n, x.shape().numel() / n}), {n, 1}, alpha), {n});
}

}  // namespace pgad
