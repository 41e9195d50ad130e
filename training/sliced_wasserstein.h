#pragma once
// How far what G draws is from real images, as a number: the sliced Wasserstein distance between small patches of both,
// at each size of their Laplacian pyramids (Karras et al., ICLR 2018, section 5). The coarse sizes tell of shapes, the
// fine ones of texture.

#include <cstdint>
#include <span>
#include <vector>

#include "engine/exec.h"

namespace pgad {

struct SlicedWassersteinConfig {
  int patch = 7;               // side of a patch, pixels
  int patches_per_image = 64;  // at each size
  int directions = 64;         // random lines that the patches are projected on
  std::uint64_t seed = 0;
};

// Images [n, side, side, channels] of both sets, n of each, NHWC, side a power of two. One distance per size of the
// pyramid, the image's own first, down to 16 (or the image's, if that is smaller), times 1000 as the paper prints it; 0
// for equal sets. Patches are normalised to mean 0 and deviation 1 per channel in each set: brightness and contrast of
// the whole do not count. The result depends on the images and the seed alone. Throws Error for sizes that do not fit.
std::vector<double> sliced_wasserstein(const Exec& exec, std::span<const float> real, std::span<const float> drawn,
                                       std::int64_t n, int side, int channels,
                                       const SlicedWassersteinConfig& config = {});

}  // namespace pgad
