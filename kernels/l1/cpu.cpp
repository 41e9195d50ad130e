#include <cmath>

#include "kernels/l1/impl.h"
#include "kernels/parallel.h"

namespace pgad {
namespace {

constexpr std::int64_t kPiece = 4096;  // elements added up in a fixed order; a constant, so threads don't change sums

PGAD_SIMD double distance(const float* x, const float* y, std::int64_t n) {
  double s = 0;
#pragma omp simd reduction(+ : s)
  for (std::int64_t i = 0; i < n; ++i) s += std::fabs(x[i] - y[i]);
  return s;
}

PGAD_SIMD void signs(const float* x, const float* y, float* dx, std::int64_t n, float factor) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) dx[i] = factor * ((x[i] > y[i] ? 1.f : 0.f) - (x[i] < y[i] ? 1.f : 0.f));
}

}  // namespace

void l1_cpu(Exec& exec, const L1Args<float>& p) {
  parallel_for(exec, p.n, std::max<std::int64_t>(1, kGrain / p.m), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      double sum = 0;
      for (std::int64_t j = 0; j < p.m; j += kPiece)
        sum += distance(p.x + n * p.m + j, p.y + n * p.m + j, std::min(kPiece, p.m - j));
      p.loss[n] = static_cast<float>(static_cast<double>(p.alpha) * sum);
    }
  });
}

void l1_vjp_cpu(Exec& exec, const L1VjpArgs<float>& p) {
  parallel_for(exec, p.n, std::max<std::int64_t>(1, kGrain / p.m), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n)
      signs(p.x + n * p.m, p.y + n * p.m, p.dx + n * p.m, p.m, p.alpha * p.d[n]);
  });
}

}  // namespace pgad
