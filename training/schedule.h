#pragma once
// Progressive growing as a function of how many real images the discriminator has seen (PGGAN, appendix A).

#include <cstdint>

#include "model/config.h"

namespace pgad {

// Where training stands. lod 0 is the full resolution, each doubling short of it adds 1; a fade lowers lod by 1.
struct Phase {
  double lod = 0;
  int level = 2;     // log2 of the current resolution, log2(full) - floor(lod)
  double alpha = 1;  // weight of this resolution's path, 1 - (lod - floor(lod)): 0 -> 1 during a fade
  int batch = 1;
  double lr = 0;

  bool fading() const { return alpha < 1; }
};

// images: real images shown so far. After the start resolution's stable phase, each resolution fades in over
// fade_kimg and is stable for stable_kimg. Batch and learning rate are those of the current resolution.
Phase phase_at(const ScheduleConfig& schedule, int log2_resolution, std::int64_t images);

// The value that holds at `resolution`: the entry with the largest key not above it.
template <class T>
T value_at(const std::map<int, T>& by_resolution, int resolution) {
  auto it = by_resolution.upper_bound(resolution);
  PGAD_CHECK(it != by_resolution.begin(), "no value for resolution ", resolution);
  return std::prev(it)->second;
}

}  // namespace pgad
