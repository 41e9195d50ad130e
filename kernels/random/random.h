#pragma once
// Random latents: the first n numbers that Rng(key, stream) of engine/rng.h draws, on the device.
//   uniform: 2 uniform() - 1, in (-1, 1);  else: normal()
// Where there are normals, devices may differ in the last bit (logarithm, sine and cosine). Key and stream are part of
// the call: a recorded step would draw the same numbers in each replay.

#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

class Rng;

// One number of a latent, on the host: what the formula above makes of the generator's next ones.
double draw_latent(Rng& rng, bool uniform);

template <class T>
struct DrawLatentsArgs {
  std::uint64_t key, stream;
  std::int64_t n;
  bool uniform;
  T* out;
  Cost cost() const { return {100.0 * static_cast<double>(n), static_cast<double>(n) * sizeof(T)}; }
};
extern const Kernel<DrawLatentsArgs> kDrawLatents;

}  // namespace pgad
