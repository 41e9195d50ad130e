#include "kernels/fade/fade.h"

#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/dispatch.h"

namespace pgad {
namespace {

struct FadeOp final : Op {
  const char* name() const override { return "fade"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    PGAD_CHECK(in[0].shape() == in[1].shape() && in[2].numel() == 1, in[0].shape(), in[1].shape(), in[2].shape());
    const Tensor out = exec.empty(in[0].shape(), in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kFade, exec, FadeArgs<T>{out.numel(), in[0].data<T>(), in[1].data<T>(), in[2].data<T>(), out.data<T>()});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, Var dy, std::span<const char> needs) const override {
    PGAD_CHECK(!needs[2], "fade has no derivative in t");
    return {needs[0] ? scale_by(dy, in[2], 1, -1) : Var(), needs[1] ? scale_by(dy, in[2], 0, 1) : Var(), Var()};
  }
};

}  // namespace

Var fade(const Var& a, const Var& b, const Var& t) { return apply(std::make_shared<FadeOp>(), {a, b, t}); }

}  // namespace pgad
