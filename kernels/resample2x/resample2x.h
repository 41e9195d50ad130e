#pragma once
// Nearest-neighbour doubling and 2x2 sums, each other's adjoint. NHWC; h and w are the small side's.
//   upsample2x: y[n, 2i+a, 2j+b, c] = alpha * x[n, i, j, c]
//   sum_pool2x: y[n, i, j, c] = alpha * sum over a, b in {0, 1} of x[n, 2i+a, 2j+b, c]

#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

template <class T>
struct Resample2xArgs {
  std::int64_t n, h, w, c;
  const T* x;
  T* y;
  T alpha;
  Cost cost() const {
    return {4.0 * static_cast<double>(n * h * w * c), 5.0 * static_cast<double>(n * h * w * c) * sizeof(T)};
  }
};
extern const Kernel<Resample2xArgs> kUpsample2x;
extern const Kernel<Resample2xArgs> kSumPool2x;

}  // namespace pgad
