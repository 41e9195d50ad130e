// Adam, moving average and squared norm on CUDA: memory-bound; one launch each, two for the norm.

#include "kernels/adam/impl.h"
#include "kernels/cuda_common.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

template <int V>
__global__ void __launch_bounds__(kBlock) adam_kernel(const AdamArgs<float> s) {
  if (!is_finite(s.gate[0])) return;
  const float lr = s.rate[0], c1 = s.rate[1], c2 = s.rate[2];
  for (std::int64_t i = V * global_thread(); i < s.n; i += V * global_threads()) {
    Floats<V> w = load<V>(s.w + i), m = load<V>(s.m + i), v = load<V>(s.v + i);
    const Floats<V> g = load<V>(s.g + i);
#pragma unroll
    for (int j = 0; j < V; ++j) {
      m[j] = s.beta1 * m[j] + (1.0f - s.beta1) * g[j];
      v[j] = s.beta2 * v[j] + (1.0f - s.beta2) * g[j] * g[j];
      w[j] -= lr * (m[j] * c1) / (sqrtf(v[j] * c2) + s.epsilon);
    }
    store<V>(s.w + i, w);
    store<V>(s.m + i, m);
    store<V>(s.v + i, v);
  }
}

struct Average {
  const float* t;
  struct Ready {
    float t;
    __device__ float operator()(float ema, float w) const { return (1.0f - t) * ema + t * w; }
  };
  __device__ Ready load() const { return {t[0]}; }
};

template <int V>
__global__ void __launch_bounds__(kBlock)
    squared_norm_kernel(std::int64_t n, const float* x, std::int64_t chunks, float* partial) {
  const auto square = [](float value) { return value * value; };
  for (std::int64_t chunk = blockIdx.x; chunk < chunks; chunk += gridDim.x) {
    const std::int64_t begin = chunk * kNormChunk, end = min(n, begin + kNormChunk);
    double sum = 0;
    for (std::int64_t i = begin + V * static_cast<int>(threadIdx.x); i < end; i += V * kBlock)
      sum += static_cast<double>(sum_of(each<V>(square, load<V>(x + i))));
    sum = block_sum(sum);
    if (threadIdx.x == 0) partial[chunk] = static_cast<float>(sum);
  }
}

// One block.
__global__ void __launch_bounds__(kBlock) add_up_kernel(const float* partial, std::int64_t count, float* out) {
  double sum = 0;
  for (std::int64_t i = threadIdx.x; i < count; i += kBlock) sum += static_cast<double>(partial[i]);
  sum = block_sum(sum);
  if (threadIdx.x == 0) out[0] = static_cast<float>(sum);
}

}  // namespace

void adam_cuda(Exec& exec, const AdamArgs<float>& s) {
  with_width(by_four(s.n, s.w, s.g, s.m, s.v), [&](auto width) {
    constexpr int V = decltype(width)::value;
    simt::launch("adam", adam_kernel<V>, blocks_for(exec, ceil_div(s.n, V * kBlock)), kBlock, stream_of(exec), s);
  });
}

void ema_cuda(Exec& exec, const EmaArgs<float>& s) { map(exec, "ema", Average{s.t}, s.n, s.ema, s.ema, s.w); }

void squared_norm_cuda(Exec& exec, const SquaredNormArgs<float>& s) {
  with_width(by_four(s.n, s.x), [&](auto width) {
    constexpr int V = decltype(width)::value;
    simt::launch("squared_norm", squared_norm_kernel<V>, blocks_for(exec, s.chunks()), kBlock, stream_of(exec), s.n,
                 s.x, s.chunks(), s.partial);
  });
  simt::launch("squared_norm", add_up_kernel, 1, kBlock, stream_of(exec), s.partial, s.chunks(), s.out);
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
