#pragma once
// Pictures of industrial surfaces that do not exist, with defects: data whose truth is known to the pixel, and that may
// be shown. A surface is a height field with a colour, lit from one side and seen by a camera with its falloff of
// light, blur and noise; a defect changes height or colour, so that light falls on it as on the rest.

#include <cstdint>
#include <optional>
#include <vector>

#include "images/image.h"

namespace pgad {

enum class Surface { kBrushed, kCast, kWoven, kLeather, kPrinted };
inline constexpr const char* kSurfaceNames[] = {"brushed", "cast", "woven", "leather", "printed"};

enum class Flaw { kScratch, kDent, kStain, kThread, kPit };
inline constexpr const char* kFlawNames[] = {"scratch", "dent", "stain", "thread", "pit"};
inline constexpr int kFlawCount = 5;

struct SurfaceOptions {
  Surface surface = Surface::kBrushed;
  int height = 1024, width = 1024;  // pixels, kLeastSide or more
  int channels = 1;                 // 1 grey, 3 RGB
  std::uint64_t seed = 1;
};
inline constexpr int kLeastSide = 64;
inline constexpr double kLargestFlaw = 0.01;  // share of the image's pixels
// Flaws are drawn anew until they stand out from the surface on which they lie: until the signal-to-noise ratio of a
// filter with the flaw's shape is 5 (the criterion of Rose 1948). Where thirty did not, it is the one that did best:
// dents in paper, small images.
inline constexpr double kLeastDetectability = 5;

struct SurfaceImage {
  Image image;                     // of 8 bits' precision
  std::vector<std::uint8_t> mask;  // [height, width], 1: the flaw changes the surface here; empty without one
  double detectability = 0;        // that signal-to-noise ratio; 0 without a flaw
};

// Image `number` of an endless row: a function of the options, the number and the flaw alone. Each shows another piece
// of surface, in light, position and scale that vary a little. A flaw marks some pixels, and no more than kLargestFlaw
// of them. A thread is missing where the surface is woven, elsewhere one lies on it. Memory: some 50 bytes a pixel.
// Thread-safe.
SurfaceImage draw_surface(const SurfaceOptions& options, std::uint64_t number, std::optional<Flaw> flaw = {});

}  // namespace pgad
