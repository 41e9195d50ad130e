#pragma once
// Adam (Kingma & Ba, ICLR 2015) and exponential moving average, in place.
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,  w -= lr (m c1) / (sqrt(v c2) + epsilon)
//   ema = (1 - t) ema + t w
// The step's numbers lie in device memory so that a recorded step follows their changes:
//   rate[0] = lr, rate[1] = c1 = 1 / (1 - beta1^step), rate[2] = c2 = 1 / (1 - beta2^step)
// Where gate[0] (the squared norm of all gradients) is not finite, nothing changes: the step is skipped.

#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

template <class T>
struct AdamArgs {
  std::int64_t n;
  T* w;
  const T* g;
  T* m;
  T* v;
  const T* rate;
  const T* gate;
  T beta1, beta2, epsilon;
  Cost cost() const { return {12.0 * static_cast<double>(n), 7.0 * static_cast<double>(n) * sizeof(T)}; }
};
extern const Kernel<AdamArgs> kAdam;

template <class T>
struct EmaArgs {
  std::int64_t n;
  T* ema;
  const T* w;
  const T* t;
  Cost cost() const { return {3.0 * static_cast<double>(n), 3.0 * static_cast<double>(n) * sizeof(T)}; }
};
extern const Kernel<EmaArgs> kEma;

}  // namespace pgad
