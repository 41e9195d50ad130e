#pragma once
// One step of the search for the nearest latent (Algorithm 1 of Kimura & Yanagihara), per image and on its own:
//   keep:  if loss < best_loss: best_loss = loss, best_z = z, and likewise whatever else belongs to z
//   move:  Adam on z with the image's own moments and rate (see adam.h), then z back to the sphere of radius sqrt(d)
// A loss that is not finite is never kept, and such a gradient moves nothing. An image whose search is over stays as it
// is, whatever its neighbours in the batch still do.

#include <array>
#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

template <class T>
struct LatentStepArgs {
  // Kept beside z: row n of `now` is copied to row n of `best`. size: of a row; 0: unused.
  struct Companion {
    std::int64_t size = 0;
    const T* now = nullptr;  // [n, size]
    T* best = nullptr;       // [n, size]
  };

  std::int64_t n, d;
  T* z;           // [n, d]
  const T* g;     // [n, d]
  T* m;           // [n, d]
  T* v;           // [n, d]
  const T* loss;  // [n], at z
  T* best_loss;   // [n]
  T* best_z;      // [n, d]
  const T*
      rate;  // [n, 4]: lr and Adam's corrections, for each image may be at another step; 0 last: its search is over
  T beta1, beta2, epsilon;
  std::array<Companion, 4> companions = {};
  Cost cost() const {
    double floats = 9.0 * static_cast<double>(d);
    for (const Companion& c : companions) floats += 2.0 * static_cast<double>(c.size);
    return {20.0 * static_cast<double>(n * d), static_cast<double>(n) * floats * sizeof(T)};
  }
};
extern const Kernel<LatentStepArgs> kLatentStep;

}  // namespace pgad
