// Minibatch standard deviation on CUDA. A thread holds V positions of a group and walks its g samples, again for the
// deviations: they come from the cache then, and the difference of squares would lose all digits.

#include "kernels/cuda_common.h"
#include "kernels/minibatch_stddev/impl.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

template <int V>
struct Moments {
  Floats<V> mean, variance;  // with epsilon added, so never zero: no division, no root
};

template <int V>
__device__ Moments<V> moments(const float* x, std::int64_t g, float inverse_g, std::int64_t stride) {
  Moments<V> of = {};
#pragma unroll 1  // more samples at once spill registers on some architectures, and the tensor is small
  for (std::int64_t i = 0; i < g; ++i) {
    const Floats<V> v = load<V>(x + i * stride);
#pragma unroll
    for (int k = 0; k < V; ++k) of.mean[k] += v[k];
  }
#pragma unroll
  for (int k = 0; k < V; ++k) of.mean[k] *= inverse_g;
#pragma unroll 1  // more samples at once spill registers on some architectures, and the tensor is small
  for (std::int64_t i = 0; i < g; ++i) {
    const Floats<V> v = load<V>(x + i * stride);
#pragma unroll
    for (int k = 0; k < V; ++k) of.variance[k] += (v[k] - of.mean[k]) * (v[k] - of.mean[k]);
  }
#pragma unroll
  for (int k = 0; k < V; ++k) of.variance[k] = of.variance[k] * inverse_g + static_cast<float>(kMinibatchStddevEpsilon);
  return of;
}

struct Deviations {
  const float* x;
  std::int64_t g, m, p;
  float inverse_g;
  template <int V>
  __device__ float sum(std::int64_t j, std::int64_t at) const {
    const auto root = [](float v) { return v * rsqrtf(v); };
    return sum_of(each<V>(root, moments<V>(x + j * p + at, g, inverse_g, m * p).variance));
  }
};

template <int V>
__global__ void __launch_bounds__(kBlock)
    minibatch_stddev_vjp_kernel(std::int64_t g, std::int64_t m, std::int64_t p, const float* x, const float* dy,
                                float* dx, float inverse_g, float inverse_p) {
  for (std::int64_t j = first_row(); j < m; j += row_step()) {
    const float factor = dy[j] * inverse_g * inverse_p;
    for (std::int64_t column = first_column() * V; column < p; column += column_step() * V) {
      const std::int64_t first = j * p + column, stride = m * p;
      const Moments<V> of = moments<V>(x + first, g, inverse_g, stride);
      const Floats<V> inverse = each<V>([factor](float v) { return factor * rsqrtf(v); }, of.variance);
      const auto gradient = [](float v, float mean, float scale) { return scale * (v - mean); };
#pragma unroll 1
      for (std::int64_t i = 0; i < g; ++i)
        store<V>(dx + first + i * stride, each<V>(gradient, load<V>(x + first + i * stride), of.mean, inverse));
    }
  }
}

}  // namespace

void minibatch_stddev_cuda(Exec& exec, const MinibatchStddevArgs<float>& s) {
  segment_sums(exec, "minibatch_stddev", Deviations{s.x, s.g, s.m, s.p, 1.0f / static_cast<float>(s.g)},
               by_four(s.p, s.x), s.m, s.p, 1.0 / static_cast<double>(s.p), s.y);
}

void minibatch_stddev_vjp_cuda(Exec& exec, const MinibatchStddevVjpArgs<float>& s) {
  with_width(by_four(s.p, s.x, s.dx), [&](auto width) {
    constexpr int V = width;
    const RowGrid shape(exec, s.m, s.p / V);
    simt::launch("minibatch_stddev_vjp", minibatch_stddev_vjp_kernel<V>, shape.grid, shape.block, stream_of(exec), s.g,
                 s.m, s.p, s.x, s.dy, s.dx, 1.0f / static_cast<float>(s.g), 1.0f / static_cast<float>(s.p));
  });
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
