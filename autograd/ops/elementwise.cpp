#include "kernels/elementwise/elementwise.h"

#include "autograd/op.h"
#include "autograd/ops.h"
#include "autograd/ops/dispatch.h"

namespace pgad {
namespace {

struct UnaryOp final : Op {
  Unary op;
  double a, b;
  UnaryOp(Unary op_, double a_, double b_) : op(op_), a(a_), b(b_) {}

  const char* name() const override { return "unary"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    const Tensor out = exec.empty(in[0].shape(), in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kUnary, exec,
          UnaryArgs<T>{op, out.numel(), in[0].data<T>(), out.data<T>(), static_cast<T>(a), static_cast<T>(b)});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var& out, Var dy, std::span<const char>) const override {
    const Var& x = in[0];
    switch (op) {
      case Unary::kAffine:
        return {scale(dy, a)};
      case Unary::kAbs:
        return {mul(dy, sign(x))};
      case Unary::kSign:
        return {Var()};
      case Unary::kSquare:
        return {scale(mul(dy, x), 2)};
      case Unary::kSqrt:
        return {scale(mul(dy, reciprocal(out)), 0.5)};
      case Unary::kReciprocal:
        return {scale(mul(dy, square(out)), -1)};
      case Unary::kSigmoid:
        return {mul(dy, mul(out, affine(out, -1, 1)))};
      case Unary::kSoftplus:
        return {mul(dy, pgad::sigmoid(x))};
    }
    return {Var()};
  }
};

Var unary(Unary op, const Var& x, double a = 0, double b = 0) {
  return apply(std::make_shared<UnaryOp>(op, a, b), {x});
}

struct BinaryOp final : Op {
  Binary op;
  double a, b;
  BinaryOp(Binary op_, double a_, double b_) : op(op_), a(a_), b(b_) {}

  const char* name() const override { return "binary"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    PGAD_CHECK(in[0].shape() == in[1].shape(), in[0].shape(), " and ", in[1].shape());
    const Tensor out = exec.empty(in[0].shape(), in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kBinary, exec,
          BinaryArgs<T>{op, out.numel(), in[0].data<T>(), in[1].data<T>(), out.data<T>(), static_cast<T>(a),
                        static_cast<T>(b)});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, Var dy, std::span<const char> needs) const override {
    if (op == Binary::kMul) return {needs[0] ? mul(dy, in[1]) : Var(), needs[1] ? mul(dy, in[0]) : Var()};
    const auto scaled = [&](double factor) { return factor == 1 ? dy : scale(dy, factor); };
    return {needs[0] ? scaled(a) : Var(), needs[1] ? scaled(b) : Var()};
  }
};

struct ScaleByOp final : Op {
  double c0, c1;
  ScaleByOp(double c0_, double c1_) : c0(c0_), c1(c1_) {}

  const char* name() const override { return "scale_by"; }
  Computed forward(Exec& exec, std::span<const Tensor> in) const override {
    PGAD_CHECK(in[1].numel() == 1, "t has shape ", in[1].shape());
    const Tensor out = exec.empty(in[0].shape(), in[0].dtype());
    with_element_type(out.dtype(), [&]<class T>(T) {
      run(kScaleBy, exec,
          ScaleByArgs<T>{out.numel(), in[0].data<T>(), in[1].data<T>(), out.data<T>(), static_cast<T>(c0),
                         static_cast<T>(c1)});
    });
    return out;
  }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, Var dy, std::span<const char> needs) const override {
    PGAD_CHECK(!needs[1], "scale_by has no derivative in t");
    return {scale_by(dy, in[1], c0, c1), Var()};
  }
};

struct ReshapeOp final : Op {
  Shape shape;
  explicit ReshapeOp(const Shape& s) : shape(s) {}

  const char* name() const override { return "reshape"; }
  Computed forward(Exec&, std::span<const Tensor> in) const override { return in[0].reshaped(shape); }
  std::vector<Var> vjp(std::span<const Var> in, const Var&, Var dy, std::span<const char>) const override {
    return {reshape(dy, in[0].shape())};
  }
};

}  // namespace

Var axpby(const Var& x, const Var& y, double a, double b) {
  return apply(std::make_shared<BinaryOp>(Binary::kAxpby, a, b), {x, y});
}
Var add(const Var& x, const Var& y) { return axpby(x, y, 1, 1); }
Var sub(const Var& x, const Var& y) { return axpby(x, y, 1, -1); }
Var mul(const Var& x, const Var& y) { return apply(std::make_shared<BinaryOp>(Binary::kMul, 0, 0), {x, y}); }
Var affine(const Var& x, double a, double b) { return unary(Unary::kAffine, x, a, b); }
Var scale(const Var& x, double a) { return affine(x, a, 0); }
Var abs(const Var& x) { return unary(Unary::kAbs, x); }
Var sign(const Var& x) { return unary(Unary::kSign, x); }
Var square(const Var& x) { return unary(Unary::kSquare, x); }
Var sqrt(const Var& x) { return unary(Unary::kSqrt, x); }
Var reciprocal(const Var& x) { return unary(Unary::kReciprocal, x); }
Var sigmoid(const Var& x) { return unary(Unary::kSigmoid, x); }
Var softplus(const Var& x) { return unary(Unary::kSoftplus, x); }

Var constant(Exec& exec, double value) {
  return Var(exec, exec.from<float>(std::vector<float>{static_cast<float>(value)}, {1}));
}

Var constant_like(const Var& x, double value) {
  // By a kernel, not by a host write, so that a recorded step repeats it. 0 x would keep a NaN: hence no affine here.
  Exec& exec = x.exec();
  const Tensor out = exec.empty(x.shape(), x.dtype());
  with_element_type(x.dtype(), [&]<class T>(T) {
    run(kFill, exec, FillArgs<T>{out.numel(), out.data<T>(), static_cast<T>(value)});
  });
  return Var(exec, out);
}

Var reshape(const Var& x, const Shape& shape) { return apply(std::make_shared<ReshapeOp>(shape), {x}); }

Var scale_by(const Var& x, const Var& t, double c0, double c1) {
  return apply(std::make_shared<ScaleByOp>(c0, c1), {x, t});
}

}  // namespace pgad
