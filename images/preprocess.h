#pragma once
// From an image of any size to the square a network sees, and back for its map. Deterministic: the same
// pixels and Preprocessing give the same floats, on any number of threads.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "images/data_config.h"
#include "images/image.h"

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
  bool exif_orientation = true;  // whether pictures are turned upright as their files say
  int bits = 0;                  // of the training files with more than 8, 9 to 16; 0: there were none
  // Images at their own size times `scale`, in (0, 4], worked on in tiles of resolution x resolution; neither `fit` nor
  // pad_small matters then.
  bool tiles = false;
  double scale = 1;
  // With tiles: the networks see pixels in units of their image's brightness (images/surface.h). preprocess() does not
  // change them: who hands them to the networks does.
  bool normalise = false;

  bool operator==(const Preprocessing&) const = default;
};

// "32x32x1 resize pad-small upright 12-bit" or "64x64x1 tiles scale 0.5 normalised upright", and back; Error on
// anything else. Where it does not say "upright", orientations are not looked at.
std::string preprocessing_to_string(const Preprocessing& p);
Preprocessing preprocessing_from_string(const std::string& text);

// How image files are decoded for it. `data`: the bits that files are taken to have, and the limit of their size.
DecodeOptions decode_options(const Preprocessing& p, const DataConfig& data);

// Where an image of the given size lies in the square, and at which size. Pixels outside are padding.
struct Placement {
  int top = 0;
  int left = 0;
  int height = 0;
  int width = 0;
};
Placement place(int height, int width, const Preprocessing& p);

// With tiles: an image's size at the working scale, at least 1x1.
struct ScaledSize {
  int height, width;
};
ScaledSize scaled_size(int height, int width, const Preprocessing& p);

// resolution * resolution * channels values, HWC, in [-1,1]; with tiles the whole image at the working scale. Shrinking
// averages over areas with exact fractional coverage; enlarging is bilinear between pixel centres.
std::vector<float> preprocess(const Image& image, const Preprocessing& p);

// The same in [0,1], to the bit: preprocess() is to_signed() of this.
std::vector<float> preprocess_unit(const Image& image, const Preprocessing& p);
inline float to_signed(float unit) { return unit * 2.0f - 1.0f; }

// height * width values, 1 for the anomalous pixels of a mask. A pixel's value is its brightest channel times its
// opacity; where all of a mask is black, its opacity. By default (threshold NaN) two values are the background and,
// the larger one, what is anomalous; one value is all anomalous unless it is black. A mask with 3 to 8 values says
// several things, which is an Error, unless there are several near black, several near white and none between: those
// are split in the middle. More values, or a lossy file, are edges and noise around black and white, split likewise; an
// Error if they do not reach from below a quarter to above three. With a threshold, in [0,1), values above it are
// anomalous. `notes`, if given, is told of masks that are all anomalous or all transparent.
std::vector<std::uint8_t> mask_pixels(const Image& mask, double threshold, const std::string& name,
                                      std::vector<std::string>* notes = nullptr);

// The nearest pixel of each place: [height, width] to [new_height, new_width].
std::vector<std::uint8_t> resize_nearest(std::span<const std::uint8_t> pixels, int height, int width, int new_height,
                                         int new_width);

// [height, width] to [new_height, new_width], values 0 and 1. A pixel is anomalous if any mask pixel it covers is, not
// by majority: a defect smaller than one pixel of the network must not vanish from the ground truth.
std::vector<std::uint8_t> shrink_mask(std::span<const std::uint8_t> pixels, int height, int width, int new_height,
                                      int new_width);

// resolution * resolution values 0 or 1 from height * width such, in the geometry of an image of the same size; padding
// is 0.
std::vector<std::uint8_t> preprocess_mask(std::span<const std::uint8_t> pixels, int height, int width,
                                          const Preprocessing& p);

// A map of resolution * resolution brought back to an image's own size, height * width: the padding is cut
// off, the rest resampled like an image (bilinear when it grows).
std::vector<float> map_to_image(std::span<const float> map, int height, int width, const Preprocessing& p);

// Resampling of HWC data as described at preprocess().
std::vector<float> resize(std::span<const float> pixels, int height, int width, int channels, int new_height,
                          int new_width);

// To 1 or 3 channels.
Image convert_channels(const Image& image, int channels);

}  // namespace pgad
