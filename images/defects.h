#pragma once
// Abnormal surface where there are few examples of it or none: known defects cut out and pasted elsewhere (as in Li et
// al., "CutPaste", CVPR 2021, with real defects), and drawn ones (as in Zavrtanik et al., "DRAEM", ICCV 2021). All in
// units of an image's brightness (images/surface.h): normal surface lies about 0, most of it within +-2.

#include <cstdint>
#include <span>
#include <vector>

#include "engine/rng.h"

namespace pgad {

// A square of surface, and which of its pixels are abnormal.
struct SurfaceCrop {
  int side = 0, channels = 1;
  std::vector<float> pixels;       // [side, side, channels]
  std::vector<std::uint8_t> mask;  // [side, side], 1: abnormal
};

// A defect with a rim of its surroundings.
struct DefectCut {
  int height = 0, width = 0, channels = 1;
  std::vector<float> pixels;  // [height, width, channels], less the median of the surface around the defect
  std::vector<float> mask;    // [height, width], 0 or 1
};

// A square of an image, or of a crop, [height, width, channels], without a mark; what lies outside is the mirror image.
SurfaceCrop square_of(std::span<const float> pixels, int height, int width, int channels, int top, int left, int side);

struct PlacedSquare {
  int top, left;
  SurfaceCrop crop;
};
// Of `places` squares somewhere in it the one that varies most. Several: on an object that lies on an even ground.
PlacedSquare random_square(std::span<const float> pixels, int height, int width, int channels, int side, int places,
                           Rng& rng);
inline constexpr int kPlaces = 8;  // where objects are looked for

double variance(const SurfaceCrop& crop);  // of its values

// The connected regions of a mask, one by one, but for the smallest specks. Values as above.
std::vector<DefectCut> cut_defects(std::span<const float> pixels, std::span<const std::uint8_t> mask, int height,
                                   int width, int channels);

// Draws into a crop and marks what it has drawn; deterministic by the generator. A cut is mirrored, turned a little,
// scaled and made weaker or stronger; at least a third of it each way lies within the crop. Synthetic defects are of
// six kinds: foreign surface or brightness in patches of noise, scratches, pits and spots, cut and pasted rectangles,
// steps in brightness, and large uneven areas. foreign: another crop of normal surface, of the same shape.
void paste_defect(const DefectCut& cut, Rng& rng, SurfaceCrop& crop);
void draw_synthetic_defect(const SurfaceCrop& foreign, Rng& rng, SurfaceCrop& crop);

}  // namespace pgad
