#include <cmath>

#include "kernels/elementwise/impl.h"
#include "kernels/parallel.h"

namespace pgad {
namespace {

inline void affine(std::int64_t n, const float* x, float* out, float a, float b) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) out[i] = a * x[i] + b;
}
inline void absolute(std::int64_t n, const float* x, float* out) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) out[i] = std::fabs(x[i]);
}
inline void sign(std::int64_t n, const float* x, float* out) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) out[i] = (x[i] > 0.f ? 1.f : 0.f) - (x[i] < 0.f ? 1.f : 0.f);
}
inline void square(std::int64_t n, const float* x, float* out) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) out[i] = x[i] * x[i];
}
inline void axpby(std::int64_t n, const float* x, const float* y, float* out, float a, float b) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) out[i] = a * x[i] + b * y[i];
}
inline void multiply(std::int64_t n, const float* x, const float* y, float* out) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) out[i] = x[i] * y[i];
}

constexpr std::int64_t kPiece = 1024;

}  // namespace

void unary_cpu(Exec& exec, const UnaryArgs<float>& p) {
  vector_for(exec, p.n, kGrain, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t n = end - begin;
    const float* x = p.x + begin;
    float* out = p.out + begin;
    switch (p.op) {
      case Unary::kAffine:
        return affine(n, x, out, p.a, p.b);
      case Unary::kAbs:
        return absolute(n, x, out);
      case Unary::kSign:
        return sign(n, x, out);
      case Unary::kSquare:
        return square(n, x, out);
      default:
        return unary_ref<float>(exec, {p.op, n, x, out, p.a, p.b});
    }
  });
}

void binary_cpu(Exec& exec, const BinaryArgs<float>& p) {
  vector_for(exec, p.n, kGrain, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t n = end - begin;
    if (p.op == Binary::kMul) return multiply(n, p.x + begin, p.y + begin, p.out + begin);
    axpby(n, p.x + begin, p.y + begin, p.out + begin, p.a, p.b);
  });
}

void scale_by_cpu(Exec& exec, const ScaleByArgs<float>& p) {
  const float factor = p.c0 + p.c1 * p.t[0];
  vector_for(exec, p.n, kGrain, [&](std::int64_t begin, std::int64_t end) {
    affine(end - begin, p.x + begin, p.out + begin, factor, 0.f);
  });
}

void fill_cpu(Exec& exec, const FillArgs<float>& p) {
  vector_for(exec, p.n, kGrain, [&](std::int64_t begin, std::int64_t end) {
    if (p.n < kNontemporal) {
      std::fill(p.out + begin, p.out + end, p.value);
      return;
    }
    alignas(64) float piece[kPiece];
    std::fill_n(piece, kPiece, p.value);
    for (std::int64_t i = begin; i < end; i += kPiece) store_nontemporal(p.out + i, piece, std::min(kPiece, end - i));
    nontemporal_fence();
  });
}

}  // namespace pgad
