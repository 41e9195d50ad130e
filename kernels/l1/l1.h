#pragma once
// L1 distance of each sample's m elements (the residual and feature losses, eq 2 and 3), and in the same pass what
// differentiation goes on with from x, the loss's weight in the whole being known:
//   loss[n] = alpha * sum_j |x[n,j] - y[n,j]|
//   dx[n,j] = beta * sign(x[n,j] - y[n,j])

#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

template <class T>
struct L1Args {
  std::int64_t n, m;
  const T* x;
  const T* y;
  T* loss;  // [n]
  T* dx;    // [n, m]
  T alpha, beta;
  Cost cost() const { return {5.0 * static_cast<double>(n * m), 3.0 * static_cast<double>(n * m) * sizeof(T)}; }
};
extern const Kernel<L1Args> kL1;

}  // namespace pgad
