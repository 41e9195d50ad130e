#pragma once
// simt.h for nvcc: CUDA itself.

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>

#define SIMT_SHARED(type, name, dimensions) __shared__ alignas(16) type name dimensions
#define SIMT_DYN_SHARED(type, name)                                    \
  extern __shared__ __align__(16) unsigned char simt_dynamic_shared[]; \
  type* name = reinterpret_cast<type*>(simt_dynamic_shared)

namespace simt {
inline namespace native {

using stream_t = cudaStream_t;

__device__ __forceinline__ float4 load4(const float* p) { return *reinterpret_cast<const float4*>(p); }
__device__ __forceinline__ void store4(float* p, float4 v) { *reinterpret_cast<float4*>(p) = v; }
__device__ __forceinline__ float2 load2(const float* p) { return *reinterpret_cast<const float2*>(p); }
__device__ __forceinline__ void store2(float* p, float2 v) { *reinterpret_cast<float2*>(p) = v; }

}  // namespace native
}  // namespace simt
