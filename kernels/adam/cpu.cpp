#include <cmath>

#include "kernels/adam/impl.h"
#include "kernels/parallel.h"

namespace pgad {
namespace {

PGAD_SIMD void step(std::int64_t n, float* w, const float* g, float* m, float* v, const float* rate, float beta1,
                    float beta2, float epsilon) {
  const float lr = rate[0], c1 = rate[1], c2 = rate[2];
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    m[i] = beta1 * m[i] + (1.f - beta1) * g[i];
    v[i] = beta2 * v[i] + (1.f - beta2) * g[i] * g[i];
    w[i] -= lr * (m[i] * c1) / (std::sqrt(v[i] * c2) + epsilon);
  }
}

PGAD_SIMD void average(std::int64_t n, float* ema, const float* w, float t) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) ema[i] = (1.f - t) * ema[i] + t * w[i];
}

}  // namespace

void adam_cpu(Exec& exec, const AdamArgs<float>& s) {
  if (!std::isfinite(s.gate[0])) return;
  parallel_for(exec, s.n, kGrain, [&](std::int64_t b, std::int64_t e) {
    step(e - b, s.w + b, s.g + b, s.m + b, s.v + b, s.rate, s.beta1, s.beta2, s.epsilon);
  });
}

void ema_cpu(Exec& exec, const EmaArgs<float>& s) {
  parallel_for(exec, s.n, kGrain, [&](std::int64_t b, std::int64_t e) { average(e - b, s.ema + b, s.w + b, s.t[0]); });
}

}  // namespace pgad
