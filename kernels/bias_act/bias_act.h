#pragma once
// Bias and leaky ReLU over rows of c channels.
//   bias_act: y = a(x + b),  a(v) = v for v > 0, slope v otherwise; b may be null, y may be x
//   act_grad: out = dy a'(y) = (y > 0 ? 1 : slope) dy     (y has the sign of x + b, as slope >= 0)
// slope 1 is the identity. act_grad is linear in dy, and its derivative in y is zero almost everywhere.

#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

template <class T>
struct BiasActArgs {
  std::int64_t rows, c;
  const T* x;
  const T* b;
  T* y;
  T slope;
  Cost cost() const { return {2.0 * static_cast<double>(rows * c), 2.0 * static_cast<double>(rows * c) * sizeof(T)}; }
};
extern const Kernel<BiasActArgs> kBiasAct;

template <class T>
struct ActGradArgs {
  std::int64_t n;
  const T* dy;
  const T* y;
  T* out;
  T slope;
  Cost cost() const { return {static_cast<double>(n), 3.0 * static_cast<double>(n) * sizeof(T)}; }
};
extern const Kernel<ActGradArgs> kActGrad;

}  // namespace pgad
