#pragma once
// simt.h for the host's compiler: the part of CUDA that kernels use, under CUDA's names. `__shared__` stays undefined.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "simt/execution.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

#define SIMT_SHARED(type, name, dimensions)                                   \
  static constexpr ::simt::SharedSite name##_site{#name, __FILE__, __LINE__}; \
  auto& name = *static_cast<std::add_pointer_t<type dimensions>>(             \
      ::simt::detail::shared_array(name##_site, sizeof(type dimensions), alignof(type)))

namespace simt {
namespace cuda_names {

struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct dim3 : detail::Index {
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : Index{x_, y_, z_} {}
};

inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

inline const detail::Index& threadIdx = detail::coordinates.thread;
inline const detail::Index& blockIdx = detail::coordinates.block;
inline const detail::Index& blockDim = detail::coordinates.block_dim;
inline const detail::Index& gridDim = detail::coordinates.grid_dim;

// Barriers and lanes. Only barriers and __syncwarp order memory: shuffles do not.
inline void __syncthreads(Site site = Site::here()) { detail::meet_block("__syncthreads", site); }
inline void __syncwarp(unsigned mask = ~0u, Site site = Site::here()) {
  detail::meet_warp("__syncwarp", mask, site, nullptr, nullptr, detail::Memory::kOrdered);
}

template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, Site site = Site::here()) {
  static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<T>(static_cast<Bits>(
      detail::exchange("__shfl_xor_sync", mask, site, std::bit_cast<Bits>(value), detail::lane() ^ lane_mask)));
}

inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(std::uint64_t{a} * b >> 32); }
inline int min(int a, int b) { return std::min(a, b); }
inline std::int64_t min(std::int64_t a, std::int64_t b) { return std::min(a, b); }

}  // namespace cuda_names

inline namespace emulated {

using stream_t = Stream*;

inline cuda_names::float4 load4(const float* p, Site site = Site::here()) {
  detail::check_aligned("load4", p, 16, site);
  return {p[0], p[1], p[2], p[3]};
}
inline void store4(float* p, cuda_names::float4 v, Site site = Site::here()) {
  detail::check_aligned("store4", p, 16, site);
  p[0] = v.x, p[1] = v.y, p[2] = v.z, p[3] = v.w;
}

}  // namespace emulated
}  // namespace simt

using namespace simt::cuda_names;
