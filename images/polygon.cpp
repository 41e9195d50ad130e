#include "images/polygon.h"

#include <algorithm>
#include <cmath>

namespace pgad {
namespace {

// The first pixel whose centre lies at `coordinate` or behind, in [0, size].
int first_centre(double coordinate, int size) {
  return static_cast<int>(std::clamp(std::ceil(coordinate - 0.5), 0.0, static_cast<double>(size)));
}

}  // namespace

void draw_polygon(std::span<const double> p, int height, int width, std::span<std::uint8_t> mask) {
  double top = kFarthestPoint, bottom = -kFarthestPoint;
  for (std::size_t i = 1; i < p.size(); i += 2) {
    top = std::min(top, p[i]);
    bottom = std::max(bottom, p[i]);
  }
  std::vector<double> crossings;
  const int end = first_centre(bottom, height);
  for (int y = first_centre(top, height); y < end; ++y) {
    const double centre = y + 0.5;
    crossings.clear();
    for (std::size_t i = 0, n = p.size(); i < n; i += 2) {
      const double x0 = p[i], y0 = p[i + 1], x1 = p[(i + 2) % n], y1 = p[(i + 3) % n];
      if ((y0 <= centre) != (y1 <= centre)) crossings.push_back(x0 + (centre - y0) * (x1 - x0) / (y1 - y0));
    }
    std::ranges::sort(crossings);
    const auto row = mask.subspan(static_cast<std::size_t>(y) * static_cast<std::size_t>(width));
    for (std::size_t i = 0; i + 1 < crossings.size(); i += 2)
      for (int x = first_centre(crossings[i], width); x < first_centre(crossings[i + 1], width); ++x)
        row[static_cast<std::size_t>(x)] = 1;
  }
}

}  // namespace pgad
