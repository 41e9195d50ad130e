#pragma once
// PGAD_CUDA_CHECK(call): throws Error with the place, the call and CUDA's own words.

#include <cuda_runtime_api.h>

#include "engine/check.h"

namespace pgad::detail {
inline void check_cuda(cudaError_t code, const char* file, int line, const char* call) {
  if (code == cudaSuccess) return;
  (void)cudaGetLastError();  // a sticky error comes back by itself; any other must not appear again elsewhere
  throw DeviceError(str(file, ":", line, ": ", call, ": ", cudaGetErrorName(code), ": ", cudaGetErrorString(code)));
}
}  // namespace pgad::detail

#define PGAD_CUDA_CHECK(call) ::pgad::detail::check_cuda((call), __FILE__, __LINE__, #call)
