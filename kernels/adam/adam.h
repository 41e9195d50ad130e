#pragma once
// Adam (Kingma & Ba, ICLR 2015), exponential moving average and the gradients' squared norm, each over all weights of a
// network at once, which lie in one flat tensor (layers/parameters.h); in place.
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,  w -= lr (m c1) / (sqrt(v c2) + epsilon)
//   ema = (1 - t) ema + t w
//   norm = sum_i x_i^2
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

// Sums are made per chunk of kNormChunk elements, each in double, and added up in order: the same bits for any number
// of threads.
inline constexpr std::int64_t kNormChunk = 16384;
template <class T>
struct SquaredNormArgs {
  std::int64_t n;
  const T* x;
  T* out;      // [1]
  T* partial;  // [chunks()]: memory to work in
  std::int64_t chunks() const { return (n + kNormChunk - 1) / kNormChunk; }
  Cost cost() const { return {2.0 * static_cast<double>(n), static_cast<double>(n) * sizeof(T)}; }
};
extern const Kernel<SquaredNormArgs> kSquaredNorm;

}  // namespace pgad
