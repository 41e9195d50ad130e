#pragma once
// What training sees of its images at one size of the networks, whether they are worked on whole or in tiles.

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "images/defects.h"
#include "images/loader.h"

namespace pgad {

// A random order of all images for each pass over them: a function of the seed, the stream and the pass.
class ShuffledPasses {
 public:
  // Pass p is drawn from stream + p.
  ShuffledPasses(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}
  // The image at this place of the endless row of passes over `images` of them.
  long at(long images, std::int64_t position);

 private:
  std::uint64_t seed_, stream_;
  std::int64_t pass_ = -1;
  std::vector<long> order_;
};

// The images at `side`, [indices.size(), side, side, channels] in [-1,1]. With tiles a crop of each: that of the i-th
// is drawn from stream + i. Throws as TrainingImages does.
void fetch_images(TrainingImages& images, const DataConfig& config, std::span<const long> indices, std::uint64_t seed,
                  std::uint64_t stream, int side, float* out);

// A square crop in units of its image's brightness, with its mask.
SurfaceCrop surface_of(Crop crop, int channels);

// Averages over squares: an image of from x from pixels to one of to x to. HWC.
void shrink_square(std::span<const float> image, int from, int to, int channels, float* out);

}  // namespace pgad
