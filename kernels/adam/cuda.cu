// Adam, moving average and squared norm on CUDA: memory-bound, one launch for all tensors of a call (two for the norm).

#include "kernels/adam/impl.h"
#include "kernels/cuda_common.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

// The tensors of a call, cut into chunks: a block each.
template <class T>
struct ManyTensors {
  int count;
  std::int64_t first[kTensorsPerCall + 1];  // chunk of each tensor
  T tensor[kTensorsPerCall];
};
template <class T>
ManyTensors<T> cut_into_chunks(int count, const std::array<T, kTensorsPerCall>& tensors, std::int64_t chunk) {
  ManyTensors<T> many = {};
  many.count = count;
  for (int k = 0; k < count; ++k) {
    many.tensor[k] = tensors[static_cast<std::size_t>(k)];
    many.first[k + 1] = many.first[k] + ceil_div(many.tensor[k].n, chunk);
  }
  return many;
}
// Calls f(index of the chunk, tensor, begin, end) for the block's chunks.
template <class T, class F>
__device__ void for_each_chunk(const ManyTensors<T>& many, std::int64_t chunk, const F& f) {
  for (std::int64_t item = blockIdx.x; item < many.first[many.count]; item += gridDim.x) {
    int k = 0;
    while (item >= many.first[k + 1]) ++k;
    const std::int64_t begin = (item - many.first[k]) * chunk;
    f(item, many.tensor[k], begin, min(many.tensor[k].n, begin + chunk));
  }
}

constexpr std::int64_t kChunk = 4096;  // elements of a block: small tensors don't make long blocks wait

// Calls f(integral_constant V, i) for the block's share of begin .. end - 1, V elements from i on.
template <class F>
__device__ void by_fours_and_ones(bool four, std::int64_t begin, std::int64_t end, const F& f) {
  const std::int64_t middle = four ? begin + (end - begin) / 4 * 4 : begin;
  for (std::int64_t i = begin + 4 * static_cast<int>(threadIdx.x); i < middle; i += 4 * kBlock)
    f(std::integral_constant<int, 4>(), i);
  for (std::int64_t i = middle + static_cast<int>(threadIdx.x); i < end; i += kBlock)
    f(std::integral_constant<int, 1>(), i);
}

struct AdamNumbers {
  const float* rate;
  const float* gate;
  float beta1, beta2, epsilon;
};

__global__ void __launch_bounds__(kBlock)
    adam_kernel(const __grid_constant__ ManyTensors<AdamTensor<float>> many, AdamNumbers s) {
  if (!is_finite(s.gate[0])) return;
  const float lr = s.rate[0], c1 = s.rate[1], c2 = s.rate[2];
  for_each_chunk(many, kChunk, [&](std::int64_t, const AdamTensor<float>& t, std::int64_t begin, std::int64_t end) {
    by_fours_and_ones(aligned(t.w, t.g, t.m, t.v), begin, end, [&](auto width, std::int64_t i) {
      constexpr int V = decltype(width)::value;
      Floats<V> w = load<V>(t.w + i), m = load<V>(t.m + i), v = load<V>(t.v + i);
      const Floats<V> g = load<V>(t.g + i);
#pragma unroll
      for (int j = 0; j < V; ++j) {
        m[j] = s.beta1 * m[j] + (1.0f - s.beta1) * g[j];
        v[j] = s.beta2 * v[j] + (1.0f - s.beta2) * g[j] * g[j];
        w[j] -= lr * (m[j] * c1) / (sqrtf(v[j] * c2) + s.epsilon);
      }
      store<V>(t.w + i, w);
      store<V>(t.m + i, m);
      store<V>(t.v + i, v);
    });
  });
}

__global__ void __launch_bounds__(kBlock)
    ema_kernel(const __grid_constant__ ManyTensors<EmaTensor<float>> many, const float* rate) {
  const float t = rate[0];
  const auto mix = [t](float ema, float w) { return (1.0f - t) * ema + t * w; };
  for_each_chunk(many, kChunk, [&](std::int64_t, const EmaTensor<float>& x, std::int64_t begin, std::int64_t end) {
    by_fours_and_ones(aligned(x.ema, x.w), begin, end, [&](auto width, std::int64_t i) {
      constexpr int V = decltype(width)::value;
      store<V>(x.ema + i, each<V>(mix, load<V>(x.ema + i), load<V>(x.w + i)));
    });
  });
}

__global__ void __launch_bounds__(kBlock)
    squared_norm_kernel(const __grid_constant__ ManyTensors<NormTensor<float>> many, float* partial) {
  const auto square = [](float x) { return x * x; };
  for_each_chunk(many, kNormChunk,
                 [&](std::int64_t item, const NormTensor<float>& t, std::int64_t begin, std::int64_t end) {
                   double sum = 0;
                   by_fours_and_ones(aligned(t.x), begin, end, [&](auto width, std::int64_t i) {
                     constexpr int V = decltype(width)::value;
                     sum += static_cast<double>(sum_of(each<V>(square, load<V>(t.x + i))));
                   });
                   sum = block_sum(sum);
                   if (threadIdx.x == 0) partial[item] = static_cast<float>(sum);
                 });
}

// One block.
__global__ void __launch_bounds__(kBlock)
    add_up_kernel(const float* partial, std::int64_t count, const float* before, float* out) {
  double sum = 0;
  for (std::int64_t i = threadIdx.x; i < count; i += kBlock) sum += static_cast<double>(partial[i]);
  sum = block_sum(sum);
  if (threadIdx.x == 0) out[0] = static_cast<float>((before != nullptr ? static_cast<double>(before[0]) : 0.0) + sum);
}

}  // namespace

void adam_cuda(Exec& exec, const AdamArgs<float>& s) {
  const auto many = cut_into_chunks(s.count, s.tensors, kChunk);
  simt::launch("adam", adam_kernel, blocks_for(exec, many.first[s.count]), kBlock, stream_of(exec), many,
               AdamNumbers{s.rate, s.gate, s.beta1, s.beta2, s.epsilon});
}

void ema_cuda(Exec& exec, const EmaArgs<float>& s) {
  const auto many = cut_into_chunks(s.count, s.tensors, kChunk);
  simt::launch("ema", ema_kernel, blocks_for(exec, many.first[s.count]), kBlock, stream_of(exec), many, s.t);
}

void squared_norm_cuda(Exec& exec, const SquaredNormArgs<float>& s) {
  const auto many = cut_into_chunks(s.count, s.tensors, kNormChunk);
  const std::int64_t chunks = many.first[s.count];
  simt::launch("squared_norm", squared_norm_kernel, blocks_for(exec, chunks), kBlock, stream_of(exec), many, s.partial);
  simt::launch("squared_norm", add_up_kernel, 1, kBlock, stream_of(exec), s.partial, chunks, s.before, s.out);
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
