#include "kernels/bias_act/impl.h"
#include "kernels/parallel.h"

namespace pgad {
namespace {

inline void rows_with_bias(const float* x, const float* b, float* y, std::int64_t rows, std::int64_t c,
                              float slope) {
  for (std::int64_t r = 0; r < rows; ++r) {
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) {
      const float v = x[r * c + i] + b[i];
      y[r * c + i] = v > 0.f ? v : slope * v;
    }
  }
}

inline void without_bias(const float* x, float* y, std::int64_t n, float slope) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) y[i] = x[i] > 0.f ? x[i] : slope * x[i];
}

inline void grad(const float* dy, const float* y, float* out, std::int64_t n, float slope) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) out[i] = y[i] > 0.f ? dy[i] : slope * dy[i];
}

}  // namespace

void bias_act_cpu(Exec& exec, const BiasActArgs<float>& s) {
  vector_for(exec, s.rows, kGrain / s.c, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t at = begin * s.c;
    if (s.b)
      rows_with_bias(s.x + at, s.b, s.y + at, end - begin, s.c, s.slope);
    else
      without_bias(s.x + at, s.y + at, (end - begin) * s.c, s.slope);
  });
}

void act_grad_cpu(Exec& exec, const ActGradArgs<float>& s) {
  vector_for(exec, s.n, kGrain, [&](std::int64_t begin, std::int64_t end) {
    grad(s.dy + begin, s.y + begin, s.out + begin, end - begin, s.slope);
  });
}

}  // namespace pgad
