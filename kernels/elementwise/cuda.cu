// Elementwise maps on CUDA: memory-bound; see map() in cuda_common.h.

#include "kernels/cuda_common.h"
#include "kernels/elementwise/impl.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

template <Unary kOp>
struct UnaryMap {
  float a, b;
  __device__ float operator()(float x) const {
    if constexpr (kOp == Unary::kAffine) return a * x + b;
    if constexpr (kOp == Unary::kAbs) return fabsf(x);
    if constexpr (kOp == Unary::kSign) return static_cast<float>(x > 0) - static_cast<float>(x < 0);
    if constexpr (kOp == Unary::kSquare) return x * x;
    if constexpr (kOp == Unary::kSqrt) return sqrtf(x);
    if constexpr (kOp == Unary::kReciprocal) return 1.0f / x;
    if constexpr (kOp == Unary::kSigmoid) {
      const float e = expf(-fabsf(x));
      return (x >= 0 ? 1.0f : e) / (1.0f + e);
    }
    if constexpr (kOp == Unary::kSoftplus) return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x)));
  }
};

template <Unary kOp>
void unary(Exec& exec, const UnaryArgs<float>& p) {
  map(exec, "unary", UnaryMap<kOp>{p.a, p.b}, p.n, p.out, p.x);
}

struct Axpby {
  float a, b;
  __device__ float operator()(float x, float y) const { return a * x + b * y; }
};
struct Mul {
  __device__ float operator()(float x, float y) const { return x * y; }
};
struct Scale {
  float factor;
  __device__ float operator()(float x) const { return factor * x; }
};
struct ScaleBy {
  const float* t;
  float c0, c1;
  __device__ Scale load() const { return {c0 + c1 * t[0]}; }
};
struct Constant {
  float value;
  __device__ float operator()() const { return value; }
};

}  // namespace

void unary_cuda(Exec& exec, const UnaryArgs<float>& p) {
  switch (p.op) {
    case Unary::kAffine:
      return unary<Unary::kAffine>(exec, p);
    case Unary::kAbs:
      return unary<Unary::kAbs>(exec, p);
    case Unary::kSign:
      return unary<Unary::kSign>(exec, p);
    case Unary::kSquare:
      return unary<Unary::kSquare>(exec, p);
    case Unary::kSqrt:
      return unary<Unary::kSqrt>(exec, p);
    case Unary::kReciprocal:
      return unary<Unary::kReciprocal>(exec, p);
    case Unary::kSigmoid:
      return unary<Unary::kSigmoid>(exec, p);
    case Unary::kSoftplus:
      return unary<Unary::kSoftplus>(exec, p);
  }
}

void binary_cuda(Exec& exec, const BinaryArgs<float>& p) {
  if (p.op == Binary::kMul)
    map(exec, "binary", Mul{}, p.n, p.out, p.x, p.y);
  else
    map(exec, "binary", Axpby{p.a, p.b}, p.n, p.out, p.x, p.y);
}

void scale_by_cuda(Exec& exec, const ScaleByArgs<float>& p) {
  map(exec, "scale_by", ScaleBy{p.t, p.c0, p.c1}, p.n, p.out, p.x);
}

void fill_cuda(Exec& exec, const FillArgs<float>& p) { map(exec, "fill", Constant{p.value}, p.n, p.out); }

}  // namespace pgad::PGAD_CUDA_NAMESPACE
