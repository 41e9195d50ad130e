#include <cmath>

#include "kernels/minibatch_stddev/impl.h"
#include "kernels/parallel.h"

namespace pgad {
namespace {

constexpr std::int64_t kBlock = 256;  // positions whose moments are kept on the stack

// Mean and standard deviation over the group of each of n <= kBlock neighbouring positions.
PGAD_SIMD void moments(const float* x, std::int64_t g, std::int64_t stride, std::int64_t n, float* mean,
                       float* stddev) {
  const float inverse = 1.f / static_cast<float>(g);
  for (std::int64_t p = 0; p < n; ++p) mean[p] = stddev[p] = 0.f;
  for (std::int64_t i = 0; i < g; ++i) {
#pragma omp simd
    for (std::int64_t p = 0; p < n; ++p) mean[p] += x[i * stride + p];
  }
#pragma omp simd
  for (std::int64_t p = 0; p < n; ++p) mean[p] *= inverse;
  for (std::int64_t i = 0; i < g; ++i) {
#pragma omp simd
    for (std::int64_t p = 0; p < n; ++p) {
      const float d = x[i * stride + p] - mean[p];
      stddev[p] += d * d;
    }
  }
#pragma omp simd
  for (std::int64_t p = 0; p < n; ++p)
    stddev[p] = std::sqrt(stddev[p] * inverse + static_cast<float>(kMinibatchStddevEpsilon));
}

PGAD_SIMD void pull_back(const float* x, const float* mean, const float* stddev, float* dx, std::int64_t n,
                         float factor) {
#pragma omp simd
  for (std::int64_t p = 0; p < n; ++p) dx[p] = factor * (x[p] - mean[p]) / stddev[p];
}

template <class Body>
void for_blocks(Exec& exec, std::int64_t groups, std::int64_t g, std::int64_t p, const Body& body) {
  parallel_for(exec, groups, std::max<std::int64_t>(1, kGrain / (g * p)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t j = begin; j < end; ++j) body(j);
  });
}

}  // namespace

void minibatch_stddev_cpu(Exec& exec, const MinibatchStddevArgs<float>& s) {
  for_blocks(exec, s.m, s.g, s.p, [&](std::int64_t j) {
    float mean[kBlock], stddev[kBlock];
    double sum = 0;
    for (std::int64_t p = 0; p < s.p; p += kBlock) {
      const std::int64_t n = std::min(kBlock, s.p - p);
      moments(s.x + j * s.p + p, s.g, s.m * s.p, n, mean, stddev);
      for (std::int64_t q = 0; q < n; ++q) sum += stddev[q];
    }
    s.y[j] = static_cast<float>(sum / static_cast<double>(s.p));
  });
}

void minibatch_stddev_vjp_cpu(Exec& exec, const MinibatchStddevVjpArgs<float>& s) {
  for_blocks(exec, s.m, s.g, s.p, [&](std::int64_t j) {
    float mean[kBlock], stddev[kBlock];
    const float factor = s.dy[j] / static_cast<float>(s.p * s.g);
    for (std::int64_t p = 0; p < s.p; p += kBlock) {
      const std::int64_t n = std::min(kBlock, s.p - p);
      moments(s.x + j * s.p + p, s.g, s.m * s.p, n, mean, stddev);
      for (std::int64_t i = 0; i < s.g; ++i) {
        const std::int64_t at = (i * s.m + j) * s.p + p;
        pull_back(s.x + at, mean, stddev, s.dx + at, n, factor);
      }
    }
  });
}

}  // namespace pgad
