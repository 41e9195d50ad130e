#pragma once
// Images of the networks ([-1,1], NHWC) as pictures ([0,1]).

#include <span>

#include "engine/tensor.h"
#include "images/image.h"

namespace pgad {

Image picture(std::span<const float> values, int side, int channels);
// A batch of this shape, [n, s, s, c], as one picture, `columns` to a row, each pixel a square of factor x factor.
Image picture_grid(std::span<const float> images, const Shape& shape, int columns, int factor);

}  // namespace pgad
