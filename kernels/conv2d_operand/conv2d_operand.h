#pragma once
// A convolution's operand as a library takes it that neither doubles images nor rounds float32 on reading. NHWC.
//   y[n,i,j,c] = x[n,i,j,c], or x[n,i/2,j/2,c] where `doubled`; rounded to bf16 (to nearest, ties to even) where `bf16`

#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

template <class T>
struct Conv2dOperandArgs {
  std::int64_t n, h, w, c;  // of y; h and w are even where it is doubled
  bool doubled, bf16;
  const T* x;
  void* y;  // T, or 16 bits each
  Cost cost() const {
    const double count = static_cast<double>(n * h * w * c);
    return {count, count * ((doubled ? 0.25 : 1.0) * sizeof(T) + (bf16 ? 2.0 : sizeof(T)))};
  }
};
extern const Kernel<Conv2dOperandArgs> kConv2dOperand;

}  // namespace pgad
