#pragma once
// What training images look like: whether they have colour, and how many bits. By their pixels, not their file types.

#include <string>
#include <vector>

#include "images/dataset.h"

namespace pgad {

struct Survey {
  int looked_at = 0;               // images that could be read
  int colored = 0;                 // of them: at least one pixel in a thousand whose channels lie more than 1/16 apart
  int bits = 0;                    // of the files with more than 8; 0: there are none
  int side = 0;                    // median of the normal images' smaller sides, pixels
  std::vector<std::string> notes;  // for the user
};

// Looks at no more than 32 normal and 32 known abnormal training images, spread evenly over their lists: the same ones
// for the same data. Files that cannot be read are passed over. Throws UsageError for files of 9 to 16 bits that
// differ in these.
Survey survey_images(const Dataset& data);

// What Tiles::kAuto means for these images and networks of this side: on where the layout is that of surfaces (an
// inspection folder or a flat one) and the images, at config.scale, are at least half as large again; off with
// letterbox, which is about whole images.
Tiles choose_tiles(const Dataset& data, const Survey& survey, const DataConfig& config, int resolution);

}  // namespace pgad
