#include <cmath>

#include "kernels/parallel.h"
#include "kernels/pixelnorm/impl.h"

namespace pgad {
namespace {

PGAD_SIMD void normalise(const float* x, float* y, std::int64_t rows, std::int64_t c) {
  for (std::int64_t row = 0; row < rows; ++row, x += c, y += c) {
    float square = 0;
#pragma omp simd reduction(+ : square)
    for (std::int64_t i = 0; i < c; ++i) square += x[i] * x[i];
    const float r = 1.f / std::sqrt(square / static_cast<float>(c) + static_cast<float>(kPixelnormEpsilon));
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) y[i] = x[i] * r;
  }
}

PGAD_SIMD void pull_back(const float* x, const float* dy, float* dx, std::int64_t rows, std::int64_t c) {
  for (std::int64_t row = 0; row < rows; ++row, x += c, dy += c, dx += c) {
    float square = 0, dot = 0;
#pragma omp simd reduction(+ : square, dot)
    for (std::int64_t i = 0; i < c; ++i) {
      square += x[i] * x[i];
      dot += x[i] * dy[i];
    }
    const float count = static_cast<float>(c);
    const float r = 1.f / std::sqrt(square / count + static_cast<float>(kPixelnormEpsilon));
    const float along = r * r * r * (dot / count);
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) dx[i] = r * dy[i] - x[i] * along;
  }
}

}  // namespace

void pixelnorm_cpu(Exec& exec, const PixelnormArgs<float>& s) {
  parallel_for(exec, s.rows, kGrain / s.c, [&](std::int64_t begin, std::int64_t end) {
    normalise(s.x + begin * s.c, s.y + begin * s.c, end - begin, s.c);
  });
}

void pixelnorm_vjp_cpu(Exec& exec, const PixelnormVjpArgs<float>& s) {
  parallel_for(exec, s.rows, kGrain / s.c, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t at = begin * s.c;
    pull_back(s.x + at, s.dy + at, s.dx + at, end - begin, s.c);
  });
}

}  // namespace pgad
