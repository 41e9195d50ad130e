#pragma once
// L1 distance of each sample's m elements (the residual and feature losses, eq 2 and 3), in one pass, and its gradient
// in x in another; the gradient in y is its negative.
//   l1:     loss[n] = alpha * sum_j |x[n,j] - y[n,j]|
//   l1_vjp: dx[n,j] = alpha * d[n] * sign(x[n,j] - y[n,j])

#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

template <class T>
struct L1Args {
  std::int64_t n, m;
  const T* x;
  const T* y;
  T* loss;  // [n]
  T alpha;
  Cost cost() const { return {3.0 * static_cast<double>(n * m), 2.0 * static_cast<double>(n * m) * sizeof(T)}; }
};
extern const Kernel<L1Args> kL1;

template <class T>
struct L1VjpArgs {
  std::int64_t n, m;
  const T* x;
  const T* y;
  const T* d;  // [n]
  T* dx;
  T alpha;
  Cost cost() const { return {3.0 * static_cast<double>(n * m), 3.0 * static_cast<double>(n * m) * sizeof(T)}; }
};
extern const Kernel<L1VjpArgs> kL1Vjp;

}  // namespace pgad
