#pragma once
// The only way to start a kernel, and to copy or fill memory in a stream's order. Part of simt.h.
//
// launch() checks the shape, converts the arguments to the kernel's parameters at once, and throws when the kernel
// can't be started. Nothing else is reported there by a device; the emulator also throws what the kernel did wrong.

#include <cstddef>
#include <cstring>
#include <tuple>
#include <utility>

#include "engine/check.h"

#if defined(__CUDACC__)
#include <map>
#include <mutex>
#endif

namespace simt {

#if defined(__CUDACC__)
inline namespace native {

inline void check_cuda(cudaError_t code, const char* what) {
  if (code != cudaSuccess)
    throw pgad::Error(pgad::str(what, ": ", cudaGetErrorName(code), ": ", cudaGetErrorString(code)));
}

// A kernel may use more than 48 KiB of shared memory only once it has been told so, on each device.
inline void allow_shared_bytes(const char* name, const void* kernel, std::size_t bytes) {
  static std::mutex mutex;
  static std::map<std::pair<const void*, int>, std::size_t> allowed;
  int device = 0;
  check_cuda(cudaGetDevice(&device), name);
  const std::lock_guard lock(mutex);
  std::size_t& known = allowed[{kernel, device}];
  if (bytes <= known) return;
  check_cuda(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)), name);
  known = bytes;
}

template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
            stream_t stream, Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "one argument for each of the kernel's parameters");
  const void* function = reinterpret_cast<const void*>(kernel);
  if (shared_bytes > 48 * 1024) allow_shared_bytes(name, function, shared_bytes);
  std::tuple<Parameters...> values(std::forward<Arguments>(arguments)...);
  std::apply(
      [&](auto&... value) {
        void* pointers[] = {static_cast<void*>(&value)..., nullptr};
        const cudaError_t code = cudaLaunchKernel(function, grid, block, pointers, shared_bytes, stream);
        if (code != cudaSuccess)
          throw pgad::Error(pgad::str("kernel '", name, "' <<<(", grid.x, ",", grid.y, ",", grid.z, "), (", block.x,
                                      ",", block.y, ",", block.z, "), ", shared_bytes, ">>>: ", cudaGetErrorName(code),
                                      ": ", cudaGetErrorString(code)));
      },
      values);
}

inline void memcpy_async(stream_t stream, void* to, const void* from, std::size_t bytes) {
  check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream), "memcpy_async");
}
inline void memset_async(stream_t stream, void* to, int value, std::size_t bytes) {
  check_cuda(cudaMemsetAsync(to, value, bytes, stream), "memset_async");
}

}  // namespace native
#else
inline namespace emulated {

// No stream: at once.
inline void submit(stream_t stream, std::function<void()> work) {
  if (stream == nullptr)
    work();
  else
    stream->submit(std::move(work));
}

template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), cuda_names::dim3 grid, cuda_names::dim3 block,
            std::size_t shared_bytes, stream_t stream, Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "one argument for each of the kernel's parameters");
  submit(stream, [=, values = std::tuple<Parameters...>(std::forward<Arguments>(arguments)...)] {
    detail::run_kernel(name, grid, block, shared_bytes, [&] { std::apply(kernel, values); });
  });
}

inline void memcpy_async(stream_t stream, void* to, const void* from, std::size_t bytes) {
  submit(stream, [=] { std::memcpy(to, from, bytes); });
}
inline void memset_async(stream_t stream, void* to, int value, std::size_t bytes) {
  submit(stream, [=] { std::memset(to, value, bytes); });
}

}  // namespace emulated
#endif

}  // namespace simt
