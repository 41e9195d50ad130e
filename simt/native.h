#pragma once
// simt.h for nvcc: CUDA itself.

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <cstdint>

#define SIMT_SHARED(type, name, dimensions) __shared__ alignas(16) type name dimensions

namespace simt {
inline namespace native {

using stream_t = cudaStream_t;

__device__ __forceinline__ float4 load4(const float* p) { return *reinterpret_cast<const float4*>(p); }
__device__ __forceinline__ void store4(float* p, float4 v) { *reinterpret_cast<float4*>(p) = v; }

}  // namespace native
}  // namespace simt
