#include "images/gaussian_blur.h"

#include <algorithm>
#include <cmath>

#include "engine/check.h"

namespace pgad {

std::vector<float> gaussian_blur(std::span<const float> map, int h, int w, double sigma) {
  PGAD_CHECK(h >= 0 && w >= 0 && map.size() == static_cast<std::size_t>(h) * w, map.size(), " values for a map of ", h,
             "x", w);
  PGAD_CHECK(sigma >= 0 && std::isfinite(sigma), "sigma ", sigma);
  std::vector<float> out(map.begin(), map.end());
  if (sigma == 0) return out;
  const int radius = static_cast<int>(std::ceil(3 * sigma));
  std::vector<double> weights(radius + 1);
  for (int i = 0; i <= radius; ++i) weights[i] = std::exp(-0.5 * i * i / (sigma * sigma));

  // One pass along lines of `length` pixels `step` apart. The weight inside the image is a product of its
  // row's and its column's, so renormalising each pass renormalises the whole.
  std::vector<double> line;
  const auto blur_line = [&](float* first, int length, size_t step) {
    line.resize(length);
    for (int i = 0; i < length; ++i) line[i] = first[i * step];
    for (int i = 0; i < length; ++i) {
      double sum = 0, total = 0;
      for (int j = std::max(0, i - radius); j <= std::min(length - 1, i + radius); ++j) {
        const double weight = weights[std::abs(i - j)];
        sum += weight * line[j];
        total += weight;
      }
      first[i * step] = static_cast<float>(sum / total);
    }
  };
  for (int y = 0; y < h; ++y) blur_line(out.data() + static_cast<size_t>(y) * w, w, 1);
  for (int x = 0; x < w; ++x) blur_line(out.data() + x, h, w);
  return out;
}

}  // namespace pgad
