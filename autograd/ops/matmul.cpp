#include "kernels/matmul/matmul.h"

#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/dispatch.h"

namespace pgad {
namespace {

struct MatmulOp final : Op {
  bool ta, tb;
  double alpha;
  MatmulOp(bool ta_, bool tb_, double a) : ta(ta_), tb(tb_), alpha(a) {}

  const char* name() const override { return "matmul"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    const Shape &a = in[0].shape(), &b = in[1].shape();
    PGAD_CHECK(a.rank() == 2 && b.rank() == 2, a, " times ", b);
    const std::int64_t m = a[ta ? 1 : 0], k = a[ta ? 0 : 1], n = b[tb ? 0 : 1];
    PGAD_CHECK(b[tb ? 1 : 0] == k, a, " times ", b);
    const Tensor out = exec.empty({m, n}, in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kMatmul, exec,
          MatmulArgs<T>{m, n, k, ta, tb, static_cast<T>(alpha), in[0].data<T>(), in[1].data<T>(), out.data<T>()});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, Var dc, std::span<const char> needs) const override {
    // c = A B with A = op(a), B = op(b): dA = dc B^T, dB = A^T dc; each transposed back where its op transposes.
    Var da, db;
    if (needs[0]) da = ta ? matmul(in[1], dc, tb, true, alpha) : matmul(dc, in[1], false, !tb, alpha);
    if (needs[1]) db = tb ? matmul(dc, in[0], true, ta, alpha) : matmul(in[0], dc, !ta, false, alpha);
    return {da, db};
  }
};

}  // namespace

Var matmul(const Var& a, const Var& b, bool ta, bool tb, double alpha) {
  return apply(std::make_shared<MatmulOp>(ta, tb, alpha), {a, b});
}

}  // namespace pgad
