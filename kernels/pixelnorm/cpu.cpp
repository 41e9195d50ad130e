#include <cmath>

#include "kernels/parallel.h"
#include "kernels/pixelnorm/impl.h"

namespace pgad {
namespace {

inline void normalise(const float* x, float* y, float* factor, std::int64_t rows, std::int64_t c) {
  for (std::int64_t row = 0; row < rows; ++row, x += c, y += c) {
    const float square = lane_sum<float>(c, [&](std::int64_t i) { return x[i] * x[i]; });
    const float r = 1.f / std::sqrt(square / static_cast<float>(c) + static_cast<float>(kPixelnormEpsilon));
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) y[i] = x[i] * r;
    if (factor != nullptr) factor[row] = r;
  }
}

inline void pull_back(const float* x, const float* dy, float* dx, std::int64_t rows, std::int64_t c) {
  for (std::int64_t row = 0; row < rows; ++row, x += c, dy += c, dx += c) {
    const float square = lane_sum<float>(c, [&](std::int64_t i) { return x[i] * x[i]; });
    const float dot = lane_sum<float>(c, [&](std::int64_t i) { return x[i] * dy[i]; });
    const float count = static_cast<float>(c);
    const float r = 1.f / std::sqrt(square / count + static_cast<float>(kPixelnormEpsilon));
    const float along = r * r * r * (dot / count);
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) dx[i] = r * dy[i] - x[i] * along;
  }
}

inline void pull_back_through_act(const float* y, const float* factor, const float* dy, float* dx, std::int64_t rows,
                                     std::int64_t c, float slope) {
  for (std::int64_t row = 0; row < rows; ++row, y += c, dy += c, dx += c) {
    const float dot = lane_sum<float>(c, [&](std::int64_t i) { return y[i] * dy[i]; });
    const float mean = dot / static_cast<float>(c), r = factor[row], leak = slope * r;
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) dx[i] = (y[i] > 0.f ? r : leak) * (dy[i] - y[i] * mean);
  }
}

}  // namespace

void pixelnorm_cpu(Exec& exec, const PixelnormArgs<float>& s) {
  vector_for(exec, s.rows, kGrain / s.c, [&](std::int64_t begin, std::int64_t end) {
    normalise(s.x + begin * s.c, s.y + begin * s.c, s.r == nullptr ? nullptr : s.r + begin, end - begin, s.c);
  });
}

void pixelnorm_vjp_cpu(Exec& exec, const PixelnormVjpArgs<float>& s) {
  vector_for(exec, s.rows, kGrain / s.c, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t at = begin * s.c;
    pull_back(s.x + at, s.dy + at, s.dx + at, end - begin, s.c);
  });
}

void pixelnorm_act_vjp_cpu(Exec& exec, const PixelnormActVjpArgs<float>& s) {
  vector_for(exec, s.rows, kGrain / s.c, [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t at = begin * s.c;
    pull_back_through_act(s.y + at, s.r + begin, s.dy + at, s.dx + at, end - begin, s.c, s.slope);
  });
}

}  // namespace pgad
