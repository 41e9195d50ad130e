// Minibatch standard deviation on CUDA. A thread holds V positions of a group and walks its g samples, again for the
// deviations: they come from the cache then, and the difference of squares would lose all digits.

#include "kernels/cuda_common.h"
#include "kernels/minibatch_stddev/impl.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

template <int V>
struct Moments {
  Floats<V> mean, stddev;
};

template <int V>
__device__ Moments<V> moments(const float* x, std::int64_t g, std::int64_t stride) {
  Moments<V> of = {};
  for (std::int64_t i = 0; i < g; ++i) {
    const Floats<V> v = load<V>(x + i * stride);
#pragma unroll
    for (int k = 0; k < V; ++k) of.mean[k] += v[k];
  }
  const float count = static_cast<float>(g);
#pragma unroll
  for (int k = 0; k < V; ++k) of.mean[k] /= count;
  for (std::int64_t i = 0; i < g; ++i) {
    const Floats<V> v = load<V>(x + i * stride);
#pragma unroll
    for (int k = 0; k < V; ++k) of.stddev[k] += (v[k] - of.mean[k]) * (v[k] - of.mean[k]);
  }
#pragma unroll
  for (int k = 0; k < V; ++k) of.stddev[k] = sqrtf(of.stddev[k] / count + static_cast<float>(kMinibatchStddevEpsilon));
  return of;
}

struct Deviations {
  const float* x;
  std::int64_t g, m, p;
  template <int V>
  __device__ float sum(std::int64_t j, std::int64_t at) const {
    return sum_of(moments<V>(x + j * p + at, g, m * p).stddev);
  }
};

template <int V>
__global__ void __launch_bounds__(kBlock) minibatch_stddev_vjp_kernel(std::int64_t g, std::int64_t m, std::int64_t p,
                                                                      const float* x, const float* dy, float* dx) {
  for (std::int64_t j = first_row(); j < m; j += row_step()) {
    const float factor = dy[j] / static_cast<float>(p * g);
    for (std::int64_t column = first_column() * V; column < p; column += column_step() * V) {
      const std::int64_t first = j * p + column, stride = m * p;
      const Moments<V> of = moments<V>(x + first, g, stride);
      const auto gradient = [factor](float v, float mean, float stddev) { return factor * (v - mean) / stddev; };
      for (std::int64_t i = 0; i < g; ++i)
        store<V>(dx + first + i * stride, each<V>(gradient, load<V>(x + first + i * stride), of.mean, of.stddev));
    }
  }
}

}  // namespace

void minibatch_stddev_cuda(Exec& exec, const MinibatchStddevArgs<float>& s) {
  segment_sums(exec, "minibatch_stddev", Deviations{s.x, s.g, s.m, s.p}, by_four(s.p, s.x), s.m, s.p,
               1.0 / static_cast<double>(s.p), s.y);
}

void minibatch_stddev_vjp_cuda(Exec& exec, const MinibatchStddevVjpArgs<float>& s) {
  with_width(by_four(s.p, s.x, s.dx), [&](auto width) {
    constexpr int V = width;
    const RowGrid shape(exec, s.m, s.p / V);
    simt::launch("minibatch_stddev_vjp", minibatch_stddev_vjp_kernel<V>, shape.grid, shape.block, 0, stream_of(exec),
                 s.g, s.m, s.p, s.x, s.dy, s.dx);
  });
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
