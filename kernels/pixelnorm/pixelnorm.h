#pragma once
// Pixelwise feature normalisation (PGGAN section 4.2) over rows of c channels, r = 1 / sqrt(mean_c x^2 + 1e-8):
//   pixelnorm:     y = x r
//   pixelnorm_vjp: dx = r dy - x r^3 mean_c(x dy)
//   pixelnorm_act_vjp: dx = a'(y) r (dy - y mean_c(y dy)), the same through y = pixelnorm(a(x)), a the leaky ReLU of
//                  bias_act, from y and r alone: a(x) = y / r need not be kept

#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

inline constexpr double kPixelnormEpsilon = 1e-8;

template <class T>
struct PixelnormArgs {
  std::int64_t rows, c;
  const T* x;
  T* y;            // may be x
  T* r = nullptr;  // [rows]; null: not wanted
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

template <class T>
struct PixelnormActVjpArgs {
  std::int64_t rows, c;
  const T* y;
  const T* r;
  const T* dy;
  T* dx;
  T slope;
  Cost cost() const {
    return {6.0 * static_cast<double>(rows * c),
            (3.0 * static_cast<double>(rows * c) + static_cast<double>(rows)) * sizeof(T)};
  }
};
extern const Kernel<PixelnormActVjpArgs> kPixelnormActVjp;

}  // namespace pgad
