#pragma once
// One step of the search for the nearest latent (Algorithm 1 of Kimura & Yanagihara), per image and on its own:
//   keep:  if loss < best_loss: best_loss = loss, best_z = z
//   move:  Adam on z with the image's own moments (see adam.h for rate), then z back to the sphere of radius sqrt(d)
// A loss that is not finite is never kept, and such a gradient moves nothing.

#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

template <class T>
struct LatentStepArgs {
  std::int64_t n, d;
  T* z;            // [n, d]
  const T* g;      // [n, d]
  T* m;            // [n, d]
  T* v;            // [n, d]
  const T* loss;   // [n], at z
  T* best_loss;    // [n]
  T* best_z;       // [n, d]
  const T* rate;   // [3]
  T beta1, beta2, epsilon;
  Cost cost() const { return {20.0 * static_cast<double>(n * d), 9.0 * static_cast<double>(n * d) * sizeof(T)}; }
};
extern const Kernel<LatentStepArgs> kLatentStep;

}  // namespace pgad
