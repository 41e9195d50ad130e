#include <bit>
#include <cmath>

#include "kernels/conv2d_operand/impl.h"

namespace pgad {
namespace {

std::uint16_t to_bf16(float x) {
  if (std::isnan(x)) return 0x7fff;
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

}  // namespace

template <class T>
void conv2d_operand_ref(Exec&, const Conv2dOperandArgs<T>& s) {
  const std::int64_t step = s.doubled ? 2 : 1, h = s.h / step, w = s.w / step;
  std::int64_t at = 0;
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t i = 0; i < s.h; ++i)
      for (std::int64_t j = 0; j < s.w; ++j)
        for (std::int64_t c = 0; c < s.c; ++c, ++at) {
          const T value = s.x[((n * h + i / step) * w + j / step) * s.c + c];
          if (s.bf16)
            static_cast<std::uint16_t*>(s.y)[at] = to_bf16(static_cast<float>(value));
          else
            static_cast<T*>(s.y)[at] = value;
        }
}

// Only a GPU's libraries want it.
const Kernel<Conv2dOperandArgs> kConv2dOperand = {"conv2d_operand", conv2d_operand_ref<float>,
                                                  conv2d_operand_ref<double>, nullptr,
                                                  PGAD_CUDA_COLUMNS(conv2d_operand_cuda)};

}  // namespace pgad
