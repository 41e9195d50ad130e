#pragma once
// The only way to start a kernel. Part of simt.h.
//
// launch() checks the shape, converts the arguments to the kernel's parameters at once, and throws when the kernel
// can't be started. Nothing else is reported there by a device; the emulator also throws what the kernel did wrong.

#include <cstddef>
#include <tuple>
#include <utility>

#include "engine/check.h"

namespace simt {

#if defined(__CUDACC__)
inline namespace native {

template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block, stream_t stream,
            Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "one argument for each of the kernel's parameters");
  std::tuple<Parameters...> values(std::forward<Arguments>(arguments)...);
  std::apply(
      [&](auto&... value) {
        void* pointers[] = {static_cast<void*>(&value)..., nullptr};
        const cudaError_t code =
            cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, pointers, 0, stream);
        if (code != cudaSuccess)
          throw pgad::Error(pgad::str("kernel '", name, "' <<<(", grid.x, ",", grid.y, ",", grid.z, "), (", block.x,
                                      ",", block.y, ",", block.z, ")>>>: ", cudaGetErrorName(code), ": ",
                                      cudaGetErrorString(code)));
      },
      values);
}

}  // namespace native
#else
inline namespace emulated {

template <class... Parameters, class... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), cuda_names::dim3 grid, cuda_names::dim3 block,
            stream_t stream, Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "one argument for each of the kernel's parameters");
  stream->submit([=, values = std::tuple<Parameters...>(std::forward<Arguments>(arguments)...)] {
    detail::run_kernel(name, grid, block, [&] { std::apply(kernel, values); });
  });
}

}  // namespace emulated
#endif

}  // namespace simt
