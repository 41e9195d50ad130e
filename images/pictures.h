#pragma once
// Pictures for people: of anomaly maps and of what the networks draw. Maps are [h][w] floats, row-major; images are HWC
// in [0,1] (images/image.h).

#include <array>
#include <span>
#include <vector>

#include "engine/tensor.h"
#include "images/image.h"

namespace pgad {

// Colour of t in [0,1] (clamped; NaN becomes 0): black, violet, red, orange, pale yellow. Lightness grows
// steadily, so the order of values shows in grey prints and to the colour-blind too.
std::array<float, 3> heat_color(double t);

// The map in colours; `low` and `high` are the values of the ends (high > low).
Image colorize(std::span<const float> map, int h, int w, double low, double high);

// The map over an image of the same size: each pixel's colour covers the image by `alpha` (in [0,1]) times
// its height between low and high, so normal places show the image unchanged. RGB.
Image overlay(const Image& image, std::span<const float> map, double low, double high, double alpha = 0.7);

// Lines around the pixels whose label is not 0, as thick as a 500th of the shorter side, on the pixels outside, so that
// what is small stays to be seen. labels [h][w] of the RGB image.
void outline(Image& image, std::span<const std::uint8_t> labels);

// Images side by side, row by row, `columns` to a row, each at the top left of a cell of the largest size;
// between and around the cells `padding` pixels of grey `background`. RGB if any image is, else grey. Throws
// Error on no images.
Image grid(std::span<const Image> images, int columns, int padding = 2, float background = 0.5f);

// Every pixel becomes a factor x factor square.
Image upscale_nearest(const Image& image, int factor);

// Images of the networks ([-1,1], HWC) as pictures: one, and a batch of this shape, [n, s, s, c], as one picture,
// `columns` to a row, each pixel a square of factor x factor.
Image picture(std::span<const float> values, int height, int width, int channels);
Image picture_grid(std::span<const float> images, const Shape& shape, int columns, int factor);

}  // namespace pgad
