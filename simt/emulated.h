#pragma once
// simt.h for the host's compiler: the part of CUDA that kernels use, under CUDA's names. `__shared__` stays undefined.

#include <algorithm>
#include <atomic>
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
#define SIMT_DYN_SHARED(type, name) type* name = static_cast<type*>(::simt::detail::dynamic_shared())

namespace simt {
namespace cuda_names {

struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
using uint3 = detail::Index;
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) float2 {
  float x, y;
};
struct float3 {
  float x, y, z;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct dim3 : detail::Index {
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : Index{x_, y_, z_} {}
  constexpr dim3(const Index& i) : Index(i) {}
};

inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float3 make_float3(float x, float y, float z) { return {x, y, z}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

inline const uint3& threadIdx = detail::coordinates.thread;
inline const uint3& blockIdx = detail::coordinates.block;
inline const uint3& blockDim = detail::coordinates.block_dim;
inline const uint3& gridDim = detail::coordinates.grid_dim;
inline constexpr int warpSize = 32;

// Barriers and lanes. Only barriers and __syncwarp order memory: shuffles and votes do not.
inline void __syncthreads(Site site = Site::here()) { detail::meet_block("__syncthreads", site); }
inline int __syncthreads_count(int predicate, Site site = Site::here()) {
  return detail::count_block("__syncthreads_count", site, predicate != 0);
}
inline int __syncthreads_or(int predicate, Site site = Site::here()) {
  return detail::count_block("__syncthreads_or", site, predicate != 0) != 0;
}
inline int __syncthreads_and(int predicate, Site site = Site::here()) {
  return detail::count_block("__syncthreads_and", site, predicate == 0) == 0;
}
inline void __syncwarp(unsigned mask = ~0u, Site site = Site::here()) {
  detail::meet_warp("__syncwarp", mask, site, nullptr, nullptr, detail::Memory::kOrdered);
}

template <class T>
T exchange_value(const char* what, unsigned mask, const Site& site, T value, int source) {
  static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8));
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<T>(static_cast<Bits>(detail::exchange(what, mask, site, std::bit_cast<Bits>(value), source)));
}
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = warpSize, Site site = Site::here()) {
  const int first = detail::lane() & ~(width - 1);
  return exchange_value("__shfl_sync", mask, site, value, first | (source & (width - 1)));
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = warpSize, Site site = Site::here()) {
  const int lane = detail::lane(), source = lane ^ lane_mask;
  return exchange_value("__shfl_xor_sync", mask, site, value, source > (lane | (width - 1)) ? lane : source);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize, Site site = Site::here()) {
  const int lane = detail::lane(), source = lane + static_cast<int>(delta);
  return exchange_value("__shfl_down_sync", mask, site, value, source > (lane | (width - 1)) ? lane : source);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize, Site site = Site::here()) {
  const int lane = detail::lane(), source = lane - static_cast<int>(delta);
  return exchange_value("__shfl_up_sync", mask, site, value, source < (lane & ~(width - 1)) ? lane : source);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, Site site = Site::here()) {
  return detail::ballot("__ballot_sync", mask, site, predicate != 0);
}
inline int __any_sync(unsigned mask, int predicate, Site site = Site::here()) {
  return detail::ballot("__any_sync", mask, site, predicate != 0) != 0;
}
inline int __all_sync(unsigned mask, int predicate, Site site = Site::here()) {
  return detail::ballot("__all_sync", mask, site, predicate == 0) == 0;
}

template <class T>
T __ldg(const T* p) {
  return *p;
}
template <class T>
T atomicAdd(T* address, T value) {
  return std::atomic_ref<T>(*address).fetch_add(value, std::memory_order_relaxed);
}

inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned>(std::uint64_t{a} * b >> 32); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<unsigned>(x)) + 1; }

#define SIMT_MIN_MAX(type)                                   \
  inline type min(type a, type b) { return std::min(a, b); } \
  inline type max(type a, type b) { return std::max(a, b); }
SIMT_MIN_MAX(int)
SIMT_MIN_MAX(unsigned)
SIMT_MIN_MAX(long)
SIMT_MIN_MAX(unsigned long)
SIMT_MIN_MAX(long long)
SIMT_MIN_MAX(unsigned long long)
#undef SIMT_MIN_MAX
// As on the device, a NaN loses.
inline float min(float a, float b) { return std::fmin(a, b); }
inline float max(float a, float b) { return std::fmax(a, b); }
inline double min(double a, double b) { return std::fmin(a, b); }
inline double max(double a, double b) { return std::fmax(a, b); }

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
inline cuda_names::float2 load2(const float* p, Site site = Site::here()) {
  detail::check_aligned("load2", p, 8, site);
  return {p[0], p[1]};
}
inline void store2(float* p, cuda_names::float2 v, Site site = Site::here()) {
  detail::check_aligned("store2", p, 8, site);
  p[0] = v.x, p[1] = v.y;
}

}  // namespace emulated
}  // namespace simt

using namespace simt::cuda_names;
