// Operands for a library's convolutions on CUDA: memory-bound. Doubling and rounding are one pass.

#include "kernels/conv2d_operand/impl.h"
#include "kernels/cuda_common.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

template <int V, bool kBf16>
__device__ void put(void* y, std::int64_t at, const Floats<V>& v) {
  if constexpr (!kBf16)
    store<V>(static_cast<float*>(y) + at, v);
  else if constexpr (V == 4)
    *reinterpret_cast<uint2*>(static_cast<std::uint16_t*>(y) + at) =
        make_uint2(ptx::pack_bf16(v[0], v[1]), ptx::pack_bf16(v[2], v[3]));
  else
    static_cast<std::uint16_t*>(y)[at] = ptx::to_bf16(v[0]);
}

template <int V>
__global__ void __launch_bounds__(kBlock) rounded_operand_kernel(std::int64_t vectors, const float* x, void* y) {
  for (std::int64_t i = global_thread(); i < vectors; i += global_threads()) put<V, true>(y, V * i, load<V>(x + V * i));
}

// rows and w are x's. A block walks x's rows, its threads their pixels and channels.
template <int V, bool kBf16>
__global__ void __launch_bounds__(kBlock)
    doubled_operand_kernel(std::int64_t rows, std::int64_t w, std::int64_t c, const float* x, void* y) {
  for (std::int64_t row = blockIdx.x; row < rows; row += gridDim.x)
    for (std::int64_t j = threadIdx.y; j < w; j += blockDim.y)
      for (std::int64_t k = threadIdx.x * V; k < c; k += blockDim.x * V) {
        const Floats<V> v = load<V>(x + (row * w + j) * c + k);
        const std::int64_t upper = (4 * row * w + 2 * j) * c + k, lower = upper + 2 * w * c;
        put<V, kBf16>(y, upper, v);
        put<V, kBf16>(y, upper + c, v);
        put<V, kBf16>(y, lower, v);
        put<V, kBf16>(y, lower + c, v);
      }
}

template <int V>
void launch(Exec& exec, const Conv2dOperandArgs<float>& s) {
  const simt::stream_t stream = stream_of(exec);
  if (!s.doubled) {
    const std::int64_t vectors = s.n * s.h * s.w * s.c / V;
    simt::launch("conv2d_operand", rounded_operand_kernel<V>, blocks_for(exec, ceil_div(vectors, kBlock)), kBlock,
                 stream, vectors, s.x, s.y);
    return;
  }
  const std::int64_t rows = s.n * s.h / 2, w = s.w / 2;
  const std::int64_t columns = std::clamp<std::int64_t>(s.c / V, 1, kBlock);
  const std::int64_t pixels = std::clamp<std::int64_t>(w, 1, kBlock / columns);
  simt::launch("conv2d_operand", s.bf16 ? doubled_operand_kernel<V, true> : doubled_operand_kernel<V, false>,
               blocks_for(exec, rows), dim3(static_cast<unsigned>(columns), static_cast<unsigned>(pixels)), stream,
               rows, w, s.c, s.x, s.y);
}

}  // namespace

void conv2d_operand_cuda(Exec& exec, const Conv2dOperandArgs<float>& s) {
  PGAD_CHECK(s.doubled || s.bf16, "an operand that is used as it is");
  PGAD_CHECK(!s.doubled || (s.h % 2 == 0 && s.w % 2 == 0), "odd size ", s.h, " x ", s.w, " of a doubled image");
  const auto* y = static_cast<const float*>(s.y);
  // A flat pass needs no whole rows of four.
  if (by_four(s.doubled ? s.c : s.n * s.h * s.w * s.c, s.x, y))
    launch<4>(exec, s);
  else
    launch<1>(exec, s);
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
