#pragma once
// Fade-in: out = (1 - t) a + t b, t one element in device memory. At t = 0 and t = 1 the result is a and b exactly.

#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

template <class T>
struct FadeArgs {
  std::int64_t n;
  const T* a;
  const T* b;
  const T* t;
  T* out;
  Cost cost() const { return {3.0 * static_cast<double>(n), 3.0 * static_cast<double>(n) * sizeof(T)}; }
};
extern const Kernel<FadeArgs> kFade;

}  // namespace pgad
