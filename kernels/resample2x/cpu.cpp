#include <cstring>

#include "kernels/parallel.h"
#include "kernels/resample2x/impl.h"

namespace pgad {
namespace {

// n pixels of a small row [n][c], each twice: [2n][c].
inline void double_pixels(const float* x, float* y, std::int64_t n, std::int64_t c, float alpha) {
  for (std::int64_t j = 0; j < n; ++j) {
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) {
      const float v = alpha * x[j * c + i];
      y[2 * j * c + i] = v;
      y[(2 * j + 1) * c + i] = v;
    }
  }
}

// One small row [w][c] to two large rows [2w][c].
void upsample_row(const float* x, float* y, std::int64_t w, std::int64_t c, float alpha, bool nontemporal) {
  float* below = y + 2 * w * c;
  if (!nontemporal) {
    double_pixels(x, y, w, c, alpha);
    std::memcpy(below, y, static_cast<std::size_t>(2 * w * c) * sizeof(float));
    return;
  }
  for (std::int64_t j = 0; j < w; ++j)
    for (float* row : {y, below}) {
      store_nontemporal(row + 2 * j * c, x + j * c, c, alpha);
      store_nontemporal(row + (2 * j + 1) * c, x + j * c, c, alpha);
    }
}

inline void pool_row(const float* x, float* y, std::int64_t w, std::int64_t c, float alpha) {
  const float* below = x + 2 * w * c;
  for (std::int64_t j = 0; j < w; ++j) {
    const std::int64_t left = 2 * j * c, right = left + c;
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i)
      y[j * c + i] = alpha * ((x[left + i] + x[right + i]) + (below[left + i] + below[right + i]));
  }
}

}  // namespace

void upsample2x_cpu(Exec& exec, const Resample2xArgs<float>& p) {
  const std::int64_t small = p.w * p.c;
  const bool nontemporal = 4 * p.n * p.h * small >= kNontemporal && p.c % 16 == 0;  // whole lines
  vector_for(exec, p.n * p.h, kGrain / (4 * small), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      upsample_row(p.x + r * small, p.y + 4 * r * small, p.w, p.c, p.alpha, nontemporal);
    nontemporal_fence();
  });
}

void sum_pool2x_cpu(Exec& exec, const Resample2xArgs<float>& p) {
  const std::int64_t small = p.w * p.c;
  vector_for(exec, p.n * p.h, kGrain / (4 * small), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) pool_row(p.x + 4 * r * small, p.y + r * small, p.w, p.c, p.alpha);
  });
}

}  // namespace pgad
