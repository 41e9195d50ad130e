#include <cmath>

#include "kernels/adam/impl.h"
#include "kernels/parallel.h"

namespace pgad {
namespace {

inline void step(std::int64_t n, float* w, const float* g, float* m, float* v, const float* rate, float beta1,
                 float beta2, float epsilon) {
  const float lr = rate[0], c1 = rate[1], c2 = rate[2];
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    m[i] = beta1 * m[i] + (1.f - beta1) * g[i];
    v[i] = beta2 * v[i] + (1.f - beta2) * g[i] * g[i];
    w[i] -= lr * (m[i] * c1) / (std::sqrt(v[i] * c2) + epsilon);
  }
}

inline void average(std::int64_t n, float* ema, const float* w, float t) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) ema[i] = (1.f - t) * ema[i] + t * w[i];
}

inline double square_sum(const float* x, std::int64_t n) {
  return lane_sum<double>(n, [&](std::int64_t i) { return static_cast<double>(x[i]) * static_cast<double>(x[i]); });
}

}  // namespace

void adam_cpu(Exec& exec, const AdamArgs<float>& s) {
  if (!std::isfinite(s.gate[0])) return;
  vector_for(exec, s.n, kGrain, [&](std::int64_t b, std::int64_t e) {
    step(e - b, s.w + b, s.g + b, s.m + b, s.v + b, s.rate, s.beta1, s.beta2, s.epsilon);
  });
}

void ema_cpu(Exec& exec, const EmaArgs<float>& s) {
  vector_for(exec, s.n, kGrain, [&](std::int64_t b, std::int64_t e) { average(e - b, s.ema + b, s.w + b, s.t[0]); });
}

void squared_norm_cpu(Exec& exec, const SquaredNormArgs<float>& s) {
  vector_for(exec, s.chunks(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c)
      s.partial[c] = static_cast<float>(square_sum(s.x + c * kNormChunk, std::min(kNormChunk, s.n - c * kNormChunk)));
  });
  double sum = 0;
  for (std::int64_t c = 0; c < s.chunks(); ++c) sum += static_cast<double>(s.partial[c]);
  s.out[0] = static_cast<float>(sum);
}

}  // namespace pgad
