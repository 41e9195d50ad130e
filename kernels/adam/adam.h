#pragma once
// Adam (Kingma & Ba, ICLR 2015), exponential moving average and the gradients' squared norm, each over many tensors at
// once, in place.
//   m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2,  w -= lr (m c1) / (sqrt(v c2) + epsilon)
//   ema = (1 - t) ema + t w
//   norm = sum over all tensors of sum_i x_i^2
// The step's numbers lie in device memory so that a recorded step follows their changes:
//   rate[0] = lr, rate[1] = c1 = 1 / (1 - beta1^step), rate[2] = c2 = 1 / (1 - beta2^step)
// Where gate[0] (the squared norm of all gradients) is not finite, nothing changes: the step is skipped.

#include <array>
#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

// Tensors of one call: so many that the arguments fit into a CUDA kernel's (4 KiB).
inline constexpr int kTensorsPerCall = 48;

template <class Tensor>
double total_size(int count, const std::array<Tensor, kTensorsPerCall>& tensors) {
  double n = 0;
  for (int i = 0; i < count; ++i) n += static_cast<double>(tensors[static_cast<std::size_t>(i)].n);
  return n;
}

template <class T>
struct AdamTensor {
  std::int64_t n;
  T* w;
  const T* g;
  T* m;
  T* v;
};
template <class T>
struct AdamArgs {
  int count;
  std::array<AdamTensor<T>, kTensorsPerCall> tensors;
  const T* rate;
  const T* gate;
  T beta1, beta2, epsilon;
  Cost cost() const {
    const double n = total_size(count, tensors);
    return {12 * n, 7 * n * sizeof(T)};
  }
};
extern const Kernel<AdamArgs> kAdam;

template <class T>
struct EmaTensor {
  std::int64_t n;
  T* ema;
  const T* w;
};
template <class T>
struct EmaArgs {
  int count;
  std::array<EmaTensor<T>, kTensorsPerCall> tensors;
  const T* t;
  Cost cost() const {
    const double n = total_size(count, tensors);
    return {3 * n, 3 * n * sizeof(T)};
  }
};
extern const Kernel<EmaArgs> kEma;

// Sums are made per chunk of kNormChunk elements of a tensor, each in double, and added up in order: the same bits for
// any number of threads.
inline constexpr std::int64_t kNormChunk = 16384;
template <class T>
struct NormTensor {
  std::int64_t n;
  const T* x;
};
template <class T>
struct SquaredNormArgs {
  int count;
  std::array<NormTensor<T>, kTensorsPerCall> tensors;
  const T* before;  // [1], the norm of other tensors to begin with; null: 0
  T* out;           // [1]
  T* partial;       // [chunks()]: memory to work in
  std::int64_t chunks() const {
    std::int64_t n = 0;
    for (int i = 0; i < count; ++i) n += (tensors[static_cast<std::size_t>(i)].n + kNormChunk - 1) / kNormChunk;
    return n;
  }
  Cost cost() const {
    const double n = total_size(count, tensors);
    return {2 * n, n * sizeof(T)};
  }
};
extern const Kernel<SquaredNormArgs> kSquaredNorm;

}  // namespace pgad
