#pragma once
// Places of all images that never count: a clamp, a printed date, the background.

#include <cstdint>
#include <string>
#include <vector>

#include "images/image.h"
#include "images/preprocess.h"

namespace pgad {

struct IgnoreMask {
  int height = 0, width = 0;         // of the images
  std::vector<std::uint8_t> pixels;  // [height, width], 1: ignored; not all are

  // The share of ignored pixels.
  double share() const;
  // [rows, columns] of what preprocess() makes of an image: 1 where any pixel that it covers is ignored; padding is 0.
  std::vector<std::uint8_t> preprocessed(const Preprocessing& p, int rows, int columns) const;

  // Lengths of runs along the rows: not ignored, ignored, not ignored, ...
  std::vector<std::uint64_t> runs() const;
  // Throws Error where they do not fit.
  static IgnoreMask from_runs(int height, int width, const std::vector<std::uint64_t>& runs);
};

// From an image file as large as the images, of two values, the brighter one ignored (mask_pixels() in preprocess.h);
// or from JSON: {"width": W, "height": H, "polygons": [[x, y, x, y, ...], ...]}, whose pixels' centres lie within one.
// Throws Error naming the file and what is wrong; also where nothing is ignored, or all.
IgnoreMask read_ignore_mask(const std::string& path);

// Puts in place of the ignored pixels what their surroundings suggest (pull-push, Gortler et al., "The Lumigraph",
// 1996), so that nothing depends on what is there. Throws DataError, naming the image, for one of another size.
void fill_ignored(const IgnoreMask& mask, Image& image, const std::string& name);

}  // namespace pgad
