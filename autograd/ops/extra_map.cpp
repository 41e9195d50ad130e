#include "kernels/extra_map/extra_map.h"

#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/dispatch.h"

namespace pgad {
namespace {

// append_map of x alone (s zero) or of s alone (x zero): the adjoints of drop_map and sum_map.
struct AppendOnlyOp final : Op {
  bool has_x;
  Shape x;
  AppendOnlyOp(bool has, const Shape& shape) : has_x(has), x(shape) {}
  const char* name() const override { return "append_map"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    const Tensor out = exec.empty({x[0], x[1], x[2], x[3] + 1}, in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kAppendMap, exec,
          AppendMapArgs<T>{x[0], x[1] * x[2], x[3], has_x ? 1 : in[0].numel(), has_x ? in[0].data<T>() : nullptr,
                           has_x ? nullptr : in[0].data<T>(), out.data<T>()});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, Var dy, std::span<const char>) const override {
    return {has_x ? drop_map(dy) : sum_map(dy, in[0].shape()[0])};
  }
};

struct AppendOp final : Op {
  const char* name() const override { return "append_map"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape& x = in[0].shape();
    const std::int64_t m = in[1].numel();
    PGAD_CHECK(x.rank() == 4 && x[0] % m == 0, x, " with ", in[1].shape());
    const Tensor out = exec.empty({x[0], x[1], x[2], x[3] + 1}, in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kAppendMap, exec,
          AppendMapArgs<T>{x[0], x[1] * x[2], x[3], m, in[0].data<T>(), in[1].data<T>(), out.data<T>()});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, Var dy, std::span<const char> needs) const override {
    return {needs[0] ? drop_map(dy) : Var(), needs[1] ? sum_map(dy, in[1].shape()[0]) : Var()};
  }
};

struct DropOp final : Op {
  const char* name() const override { return "drop_map"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape& y = in[0].shape();
    const Tensor out = exec.empty({y[0], y[1], y[2], y[3] - 1}, in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kDropMap, exec, DropMapArgs<T>{y[0] * y[1] * y[2], y[3] - 1, in[0].data<T>(), out.data<T>()});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var>, const Var& out, Var g, std::span<const char>) const override {
    return {apply(std::make_shared<AppendOnlyOp>(true, out.shape()), {g})};
  }
};

struct SumMapOp final : Op {
  std::int64_t groups;
  explicit SumMapOp(std::int64_t m) : groups(m) {}
  const char* name() const override { return "sum_map"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape& y = in[0].shape();
    const Tensor out = exec.empty({groups}, in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kSumMap, exec, SumMapArgs<T>{y[0], y[1] * y[2], y[3] - 1, groups, in[0].data<T>(), out.data<T>()});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, Var g, std::span<const char>) const override {
    const Shape& y = in[0].shape();
    return {apply(std::make_shared<AppendOnlyOp>(false, Shape{y[0], y[1], y[2], y[3] - 1}), {g})};
  }
};

}  // namespace

Var append_map(const Var& x, const Var& s) { return apply(std::make_shared<AppendOp>(), {x, s}); }
Var drop_map(const Var& y) { return apply(std::make_shared<DropOp>(), {y}); }
Var sum_map(const Var& y, std::int64_t groups) { return apply(std::make_shared<SumMapOp>(groups), {y}); }

}  // namespace pgad
