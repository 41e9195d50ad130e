#include <algorithm>
#include <cmath>

#include "kernels/elementwise/elementwise.h"
#include "kernels/elementwise/impl.h"

namespace pgad {
namespace {

template <class T>
T apply(Unary op, T x, T a, T b) {
  switch (op) {
    case Unary::kAffine:
      return a * x + b;
    case Unary::kAbs:
      return std::fabs(x);
    case Unary::kSign:
      return T(x > 0) - T(x < 0);
    case Unary::kSquare:
      return x * x;
    case Unary::kSqrt:
      return std::sqrt(x);
    case Unary::kReciprocal:
      return T(1) / x;
    case Unary::kSigmoid:
      return x >= 0 ? T(1) / (T(1) + std::exp(-x)) : std::exp(x) / (T(1) + std::exp(x));
    case Unary::kSoftplus:
      return std::fmax(x, T(0)) + std::log1p(std::exp(-std::fabs(x)));
  }
  return x;
}

}  // namespace

template <class T>
void unary_ref(Exec&, const UnaryArgs<T>& p) {
  for (std::int64_t i = 0; i < p.n; ++i) p.out[i] = apply(p.op, p.x[i], p.a, p.b);
}

template <class T>
void binary_ref(Exec&, const BinaryArgs<T>& p) {
  for (std::int64_t i = 0; i < p.n; ++i)
    p.out[i] = p.op == Binary::kMul ? p.x[i] * p.y[i] : p.a * p.x[i] + p.b * p.y[i];
}

template <class T>
void scale_by_ref(Exec&, const ScaleByArgs<T>& p) {
  for (std::int64_t i = 0; i < p.n; ++i) p.out[i] = (p.c0 + p.c1 * p.t[0]) * p.x[i];
}

template <class T>
void fill_ref(Exec&, const FillArgs<T>& p) {
  std::fill_n(p.out, p.n, p.value);
}

const Kernel<FillArgs> kFill = {"fill", fill_ref<float>, fill_ref<double>, fill_cpu, PGAD_CUDA_COLUMNS(fill_cuda)};
const Kernel<UnaryArgs> kUnary = {"unary", unary_ref<float>, unary_ref<double>, unary_cpu,
                                  PGAD_CUDA_COLUMNS(unary_cuda)};
const Kernel<BinaryArgs> kBinary = {"binary", binary_ref<float>, binary_ref<double>, binary_cpu,
                                    PGAD_CUDA_COLUMNS(binary_cuda)};
const Kernel<ScaleByArgs> kScaleBy = {"scale_by", scale_by_ref<float>, scale_by_ref<double>, scale_by_cpu,
                                      PGAD_CUDA_COLUMNS(scale_by_cuda)};

// The CPU version uses the reference's functions for the transcendental maps, which only see small tensors.
template void unary_ref<float>(Exec&, const UnaryArgs<float>&);

}  // namespace pgad
