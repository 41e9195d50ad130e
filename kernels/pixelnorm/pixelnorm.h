#pragma once
// Pixelwise feature normalisation (PGGAN section 4.2) over rows of c channels, r = 1 / sqrt(mean_c x^2 + 1e-8):
//   pixelnorm:     y = x r
//   pixelnorm_vjp: dx = r dy - x r^3 mean_c(x dy)

#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

inline constexpr double kPixelnormEpsilon = 1e-8;

template <class T>
struct PixelnormArgs {
  std::int64_t rows, c;
  const T* x;
  T* y;
  Cost cost() const { return {3.0 * static_cast<double>(rows * c), 2.0 * static_cast<double>(rows * c) * sizeof(T)}; }
};
extern const Kernel<PixelnormArgs> kPixelnorm;

template <class T>
struct PixelnormVjpArgs {
  std::int64_t rows, c;
  const T* x;
  const T* dy;
  T* dx;
  Cost cost() const { return {7.0 * static_cast<double>(rows * c), 3.0 * static_cast<double>(rows * c) * sizeof(T)}; }
};
extern const Kernel<PixelnormVjpArgs> kPixelnormVjp;

}  // namespace pgad
