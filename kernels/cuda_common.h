#pragma once
// What the CUDA kernels share: sizes of grids, vectors of floats, sums over lanes, blocks and grids, elementwise maps.
//
// Every kernel walks its items in strides of the whole grid, so any grid is right, and sizes are 64 bits. V is the
// number of floats of an access: 4 where all rows are aligned, else 1. Sums are short in float, then in double, in an
// order that depends on the size of what is summed alone: the same bits in each run and whatever lies beside it.

#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "kernels/cuda_workspace.h"
#include "simt/simt.h"

#ifndef __CUDACC__
#define __grid_constant__  // such a parameter may be indexed where it lies, without a copy
#endif

namespace pgad::PGAD_CUDA_NAMESPACE {

inline constexpr int kBlock = 256;  // threads

inline simt::stream_t stream_of(const Exec& exec) { return static_cast<simt::stream_t>(exec.stream()); }

inline std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
// The smallest power of two that is at least n (1 for 0), up to `limit`, itself a power of two.
inline int power_of_two(std::int64_t n, int limit) {
  return n >= limit ? limit : static_cast<int>(std::bit_ceil(static_cast<std::uint64_t>(n)));
}

// Blocks, in one dimension, for so many blocks' worth of work: several times what the device holds at once is enough.
// At most 65535 for up to 2047 multiprocessors.
inline unsigned blocks_for(const Exec& exec, std::int64_t wanted) {
  return static_cast<unsigned>(
      std::clamp<std::int64_t>(wanted, 1, std::int64_t{32} * exec.runtime()->multiprocessors()));
}

template <class... T>
__host__ __device__ bool aligned(const T*... pointers) {
  return ((reinterpret_cast<std::uintptr_t>(pointers) % 16 == 0) && ...);
}
// May rows of so many floats be accessed by four?
template <class... T>
bool by_four(std::int64_t row, const T*... pointers) {
  return row % 4 == 0 && aligned(pointers...);
}

// Calls f with V as a constant: f(std::integral_constant<int, V>).
template <class F>
void with_width(bool four, const F& f) {
  if (four)
    f(std::integral_constant<int, 4>());
  else
    f(std::integral_constant<int, 1>());
}

template <int V>
struct Floats {
  float at[V];
  __device__ float& operator[](int i) { return at[i]; }
  __device__ float operator[](int i) const { return at[i]; }
};
template <int V>
__device__ Floats<V> load(const float* p) {
  if constexpr (V == 4) {
    const float4 v = simt::load4(p);
    return {{v.x, v.y, v.z, v.w}};
  } else {
    return {{*p}};
  }
}
template <int V>
__device__ void store(float* p, const Floats<V>& v) {
  if constexpr (V == 4)
    simt::store4(p, make_float4(v[0], v[1], v[2], v[3]));
  else
    *p = v[0];
}
// f(a[i], b[i]...) for each i.
template <int V, class F, class... Vectors>
__device__ Floats<V> each(const F& f, const Vectors&... v) {
  Floats<V> y;
#pragma unroll
  for (int i = 0; i < V; ++i) y[i] = f(v[i]...);
  return y;
}
template <int V>
__device__ float sum_of(const Floats<V>& v) {
  if constexpr (V == 4)
    return (v[0] + v[1]) + (v[2] + v[3]);
  else
    return v[0];
}

__device__ inline bool is_finite(float x) { return fabsf(x) <= 3.402823466e38f; }
__device__ inline bool is_finite(double x) { return fabs(x) <= 1.7976931348623157e308; }

__device__ inline std::int64_t global_thread() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline std::int64_t global_threads() { return static_cast<std::int64_t>(gridDim.x) * blockDim.x; }

// The sum over each group of `lanes` neighbours of a warp, a power of two; all get the same bits. All lanes must call.
template <class T>
__device__ T group_sum(T x, int lanes = 32) {
  for (int distance = lanes / 2; distance > 0; distance /= 2) x += __shfl_xor_sync(~0u, x, distance);
  return x;
}
// The sum over a block of kBlock threads, in one dimension; all get the same bits, and all must call.
__device__ inline double block_sum(double x) {
  SIMT_SHARED(double, parts, [kBlock / 32]);
  x = group_sum(x);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
  __syncthreads();
  double sum = 0;
  for (int i = 0; i < kBlock / 32; ++i) sum += parts[i];
  __syncthreads();  // the next call writes parts
  return sum;
}

// --- Elementwise maps: out[i] = f(in[i]...). A functor that needs values in device memory has a function load(), which
// gives the functor proper.

template <class F>
__device__ auto ready(const F& f) {
  if constexpr (requires { f.load(); })
    return f.load();
  else
    return f;
}

template <class F, class... In>
__global__ void __launch_bounds__(kBlock)
    map_kernel(F functor, std::int64_t n, std::int64_t vectors, float* out, In... in) {
  const auto f = ready(functor);
  const std::int64_t first = global_thread(), step = global_threads();
  for (std::int64_t i = first; i < vectors; i += step) store<4>(out + 4 * i, each<4>(f, load<4>(in + 4 * i)...));
  for (std::int64_t i = 4 * vectors + first; i < n; i += step) out[i] = f(in[i]...);
}
template <class F, class... In>
void map(Exec& exec, const char* name, const F& f, std::int64_t n, float* out, const In*... in) {
  const std::int64_t vectors = aligned(out, in...) ? n / 4 : 0;
  const unsigned blocks = blocks_for(exec, ceil_div(std::max(vectors, n - 4 * vectors), kBlock));
  simt::launch(name, map_kernel<F, const In*...>, blocks, kBlock, stream_of(exec), f, n, vectors, out, in...);
}

// --- Rows of `width` columns: a thread stays in its column, or its few, and walks the rows.

struct RowGrid {
  dim3 grid, block;
  RowGrid(const Exec& exec, std::int64_t rows, std::int64_t width) {
    // Wide rows are cut into equal parts.
    const std::int64_t columns =
        std::max<std::int64_t>(1, ceil_div(width, ceil_div(std::max<std::int64_t>(width, 1), kBlock)));
    const std::int64_t lines = std::min<std::int64_t>(kBlock / columns, std::max<std::int64_t>(rows, 1));
    block = dim3(static_cast<unsigned>(columns), static_cast<unsigned>(lines));
    grid = dim3(blocks_for(exec, ceil_div(rows, lines)));
    grid.y = blocks_for(exec, ceil_div(width, columns));
  }
};
__device__ inline std::int64_t first_row() { return static_cast<std::int64_t>(blockIdx.x) * blockDim.y + threadIdx.y; }
__device__ inline std::int64_t row_step() { return static_cast<std::int64_t>(gridDim.x) * blockDim.y; }
__device__ inline std::int64_t first_column() {
  return static_cast<std::int64_t>(blockIdx.y) * blockDim.x + threadIdx.x;
}
__device__ inline std::int64_t column_step() { return static_cast<std::int64_t>(gridDim.y) * blockDim.x; }

// --- Sums of segments: out[k] = scale * sum over j < m of value(k, j). `Value` has
//   template <int V> float sum(std::int64_t k, std::int64_t j) const: the sum of its values at j .. j + V - 1.

// Short ones: a group of lanes each.
template <int V, class Value>
__global__ void __launch_bounds__(kBlock)
    short_segments_kernel(Value value, std::int64_t segments, std::int64_t m, int lanes, double scale, float* out) {
  const int lane = static_cast<int>(threadIdx.x) % lanes, groups = kBlock / lanes;
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * groups;
  for (std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * groups; first < segments; first += step) {
    const std::int64_t k = first + static_cast<int>(threadIdx.x) / lanes;
    double sum = 0;
    if (k < segments)
      for (std::int64_t j = lane * V; j < m; j += lanes * V) sum += static_cast<double>(value.template sum<V>(k, j));
    sum = group_sum(sum, lanes);
    if (lane == 0 && k < segments) out[k] = static_cast<float>(scale * sum);
  }
}
// Long ones, cut into parts: a block each, out is [segments, parts].
template <int V, class Value>
__global__ void __launch_bounds__(kBlock)
    segment_parts_kernel(Value value, std::int64_t segments, std::int64_t m, std::int64_t part, std::int64_t parts,
                         double scale, float* out) {
  for (std::int64_t k = blockIdx.y; k < segments; k += gridDim.y)
    for (std::int64_t i = blockIdx.x; i < parts; i += gridDim.x) {
      const std::int64_t begin = i * part, end = min(m, begin + part);
      double sum = 0;
      for (std::int64_t j = begin + static_cast<int>(threadIdx.x) * V; j < end; j += kBlock * V)
        sum += static_cast<double>(value.template sum<V>(k, j));
      sum = block_sum(sum);
      if (threadIdx.x == 0) out[k * parts + i] = static_cast<float>(scale * sum);
    }
}

struct Elements {  // x is [segments, m]
  const float* x;
  std::int64_t m;
  template <int V>
  __device__ float sum(std::int64_t k, std::int64_t j) const {
    return sum_of(load<V>(x + k * m + j));
  }
};

inline constexpr std::int64_t kShortSegment = 1024, kSegmentPart = 4096;

template <class Value>
void segment_sums(Exec& exec, const char* name, const Value& value, bool four, std::int64_t segments, std::int64_t m,
                  double scale, float* out) {
  with_width(four, [&](auto width) {
    constexpr int V = width;
    if (m <= kShortSegment) {
      const int lanes = power_of_two(ceil_div(m, V), 32);
      simt::launch(name, short_segments_kernel<V, Value>, blocks_for(exec, ceil_div(segments, kBlock / lanes)), kBlock,
                   stream_of(exec), value, segments, m, lanes, scale, out);
      return;
    }
    // At most kShortSegment parts, whose sums make a short segment.
    const std::int64_t least = ceil_div(m, kShortSegment);
    const std::int64_t part = std::max(kSegmentPart, ceil_div(least, 4) * 4), parts = ceil_div(m, part);
    float* sums = parts == 1 ? out : exec.library<CudaWorkspace>().get(exec, segments * parts);
    simt::launch(name, segment_parts_kernel<V, Value>, dim3(blocks_for(exec, parts), blocks_for(exec, segments)),
                 kBlock, stream_of(exec), value, segments, m, part, parts, parts == 1 ? scale : 1.0, sums);
    if (parts > 1) segment_sums(exec, name, Elements{sums, parts}, parts % 4 == 0, segments, parts, scale, out);
  });
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
