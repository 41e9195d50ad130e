#include <cmath>
#include <numeric>

#include "kernels/minibatch_stddev/impl.h"
#include "kernels/parallel.h"

namespace pgad {
namespace {

constexpr std::int64_t kBlock = 64;  // neighbouring positions, their moments in registers

// Mean and standard deviation over the group of each of n <= kBlock neighbouring positions.
inline __attribute__((always_inline)) void moments_of(const float* x, std::int64_t g, std::int64_t stride,
                                                      std::int64_t n, float* mean, float* stddev) {
  const float inverse = 1.f / static_cast<float>(g);
  float m[kBlock] = {}, v[kBlock] = {};
  for (std::int64_t i = 0; i < g; ++i) {
#pragma omp simd
    for (std::int64_t p = 0; p < n; ++p) m[p] += x[i * stride + p];
  }
#pragma omp simd
  for (std::int64_t p = 0; p < n; ++p) m[p] *= inverse;
  for (std::int64_t i = 0; i < g; ++i) {
#pragma omp simd
    for (std::int64_t p = 0; p < n; ++p) {
      const float d = x[i * stride + p] - m[p];
      v[p] += d * d;
    }
  }
#pragma omp simd
  for (std::int64_t p = 0; p < n; ++p) {
    mean[p] = m[p];
    stddev[p] = std::sqrt(v[p] * inverse + static_cast<float>(kMinibatchStddevEpsilon));
  }
}
inline void moments(const float* x, std::int64_t g, std::int64_t stride, std::int64_t n, float* mean, float* stddev) {
  n == kBlock ? moments_of(x, g, stride, kBlock, mean, stddev) : moments_of(x, g, stride, n, mean, stddev);
}

// Sum of n positions' standard deviations.
inline double sum_stddev(const float* x, std::int64_t g, std::int64_t stride, std::int64_t n) {
  double lanes[kBlock] = {};
  float mean[kBlock], stddev[kBlock];
  std::int64_t p = 0;
  for (; p + kBlock <= n; p += kBlock) {
    moments_of(x + p, g, stride, kBlock, mean, stddev);
#pragma omp simd
    for (std::int64_t q = 0; q < kBlock; ++q) lanes[q] += stddev[q];
  }
  moments_of(x + p, g, stride, n - p, mean, stddev);
  for (std::int64_t q = 0; q < n - p; ++q) lanes[q] += stddev[q];
  return std::accumulate(lanes, lanes + kBlock, 0.0);
}

inline void pull_back(const float* x, const float* mean, const float* scale, float* dx, std::int64_t n) {
#pragma omp simd
  for (std::int64_t p = 0; p < n; ++p) dx[p] = scale[p] * (x[p] - mean[p]);
}

inline void divide(float factor, const float* by, float* out, std::int64_t n) {
#pragma omp simd
  for (std::int64_t p = 0; p < n; ++p) out[p] = factor / by[p];
}

// body(part, first, count) for parts of a group's p positions, the same for any number of threads.
constexpr std::int64_t kParts = 32;
template <class Body>
void for_parts(Exec& exec, std::int64_t g, std::int64_t p, const Body& body) {
  vector_for(exec, kParts, std::max<std::int64_t>(1, kGrain * kParts / (g * p)), [&](std::int64_t b, std::int64_t e) {
    for (std::int64_t part = b; part < e; ++part) {
      const std::int64_t first = p * part / kParts;
      body(part, first, p * (part + 1) / kParts - first);
    }
  });
}

}  // namespace

void minibatch_stddev_cpu(Exec& exec, const MinibatchStddevArgs<float>& s) {
  for (std::int64_t j = 0; j < s.m; ++j) {
    double sums[kParts];
    for_parts(exec, s.g, s.p, [&](std::int64_t part, std::int64_t first, std::int64_t n) {
      sums[part] = sum_stddev(s.x + j * s.p + first, s.g, s.m * s.p, n);
    });
    s.y[j] = static_cast<float>(std::accumulate(sums, sums + kParts, 0.0) / static_cast<double>(s.p));
  }
}

void minibatch_stddev_vjp_cpu(Exec& exec, const MinibatchStddevVjpArgs<float>& s) {
  const bool nontemporal = s.g * s.m * s.p >= kNontemporal;
  for (std::int64_t j = 0; j < s.m; ++j) {
    const float factor = s.dy[j] / static_cast<float>(s.p * s.g);
    for_parts(exec, s.g, s.p, [&](std::int64_t, std::int64_t begin, std::int64_t count) {
      float mean[kBlock], stddev[kBlock], piece[kBlock];
      for (std::int64_t first = begin; first < begin + count; first += kBlock) {
        const std::int64_t n = std::min(kBlock, begin + count - first);
        moments(s.x + j * s.p + first, s.g, s.m * s.p, n, mean, stddev);
        divide(factor, stddev, stddev, n);
        for (std::int64_t i = 0; i < s.g; ++i) {
          const std::int64_t at = (i * s.m + j) * s.p + first;
          pull_back(s.x + at, mean, stddev, nontemporal ? piece : s.dx + at, n);
          if (nontemporal) store_nontemporal(s.dx + at, piece, n);
        }
      }
      nontemporal_fence();
    });
  }
}

}  // namespace pgad
