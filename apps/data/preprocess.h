#pragma once
// From an image of any size to the square a network sees, and back for its map. Deterministic: the same
// pixels and Preprocessing give the same floats, on any number of threads.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "apps/config/config.h"
#include "apps/data/image.h"

namespace pgad {

// Everything the geometry depends on; stored in the model, because scores depend on it.
struct Preprocessing {
  int resolution = 32;     // side of the square
  int channels = 1;        // 1: RGB becomes luma (Rec. 601); 3: grey is repeated
  Fit fit = Fit::kResize;  // kResize stretches; kLetterbox keeps the aspect, pads with the border's mean colour
  // Decided per data set (true for IDX): an image that fits into the square, the square being less than 1.5
  // times its larger side, is not enlarged but centred on background, 0 (black, -1). MNIST's 28x28 in 32x32:
  // enlarging would blur strokes of two pixels.
  bool pad_small = false;

  bool operator==(const Preprocessing&) const = default;
};

// "32x32x1 resize pad-small", and back; Error on anything else.
std::string preprocessing_to_string(const Preprocessing& p);
Preprocessing preprocessing_from_string(const std::string& text);

// Where an image of the given size lies in the square, and at which size. Pixels outside are padding.
struct Placement {
  int top = 0;
  int left = 0;
  int height = 0;
  int width = 0;
};
Placement place(int height, int width, const Preprocessing& p);

// resolution * resolution * channels values, HWC, in [-1,1]. Shrinking averages over areas with exact
// fractional coverage; enlarging is bilinear between pixel centres.
std::vector<float> preprocess(const Image& image, const Preprocessing& p);

// The same in [0,1], to the bit: preprocess() is to_signed() of this.
std::vector<float> preprocess_unit(const Image& image, const Preprocessing& p);
inline float to_signed(float unit) { return unit * 2.0f - 1.0f; }

// resolution * resolution values 0 or 1, in the geometry of an image of the same size; padding is 0. A pixel
// is anomalous if any mask pixel it covers exceeds 0.5, not by majority: a defect smaller than one pixel of
// the network must not vanish from the ground truth. Throws Error for a mask that is not black but has no
// pixel above 0.5 (masks that store 1 of 255).
std::vector<std::uint8_t> preprocess_mask(const Image& mask, const Preprocessing& p, const std::string& name);

// A map of resolution * resolution brought back to an image's own size, height * width: the padding is cut
// off, the rest resampled like an image (bilinear when it grows).
std::vector<float> map_to_image(std::span<const float> map, int height, int width, const Preprocessing& p);

// Resampling of HWC data as described at preprocess().
std::vector<float> resize(std::span<const float> pixels, int height, int width, int channels, int new_height,
                          int new_width);

// To 1 or 3 channels.
Image convert_channels(const Image& image, int channels);

}  // namespace pgad
