#pragma once
// Minibatch standard deviation (PGGAN section 3), one statistic per group. x is [g, m, p]: sample n = i m' + j of a
// batch of g * m' belongs to group j (strided groups), p = h * w * c values each; m is the number of groups.
//   mu_jp = mean_i x_ijp,  s_jp = sqrt(mean_i (x_ijp - mu_jp)^2 + 1e-8)
//   minibatch_stddev:     y[j] = mean_p s_jp
//   minibatch_stddev_vjp: dx_ijp = dy[j] (x_ijp - mu_jp) / (p g s_jp)

#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

inline constexpr double kMinibatchStddevEpsilon = 1e-8;

template <class T>
struct MinibatchStddevArgs {
  std::int64_t g, m, p;
  const T* x;
  T* y;
  Cost cost() const { return {4.0 * static_cast<double>(g * m * p), static_cast<double>(g * m * p) * sizeof(T)}; }
};
extern const Kernel<MinibatchStddevArgs> kMinibatchStddev;

template <class T>
struct MinibatchStddevVjpArgs {
  std::int64_t g, m, p;
  const T* x;
  const T* dy;
  T* dx;
  Cost cost() const { return {6.0 * static_cast<double>(g * m * p), 2.0 * static_cast<double>(g * m * p) * sizeof(T)}; }
};
extern const Kernel<MinibatchStddevVjpArgs> kMinibatchStddevVjp;

}  // namespace pgad
