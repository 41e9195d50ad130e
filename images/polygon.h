#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace pgad {

inline constexpr double kFarthestPoint = 1e9;  // coordinates beyond are no pixels; keeps sums and products in range

// Sets to 1 the pixels of mask [height, width] whose centres lie within the polygon x0, y0, x1, y1, ..., by the
// even-odd rule; the pixel (0, 0) lies between 0 and 1. What lies outside of the mask is left out.
void draw_polygon(std::span<const double> polygon, int height, int width, std::span<std::uint8_t> mask);

}  // namespace pgad
