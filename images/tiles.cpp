#include "images/tiles.h"

#include <cmath>

#include "engine/check.h"

namespace pgad {
namespace {

std::vector<int> starts(int length, int side, int stride) {
  std::vector<int> all = {0};
  while (all.back() + side < length) all.push_back(std::min(all.back() + stride, length - side));
  return all;
}

// At least a ten-thousandth of its height at the ends: a pixel that only the border of one tile covers takes that
// one's.
std::vector<float> hann(int side) {
  std::vector<float> window;
  for (int i = 0; i < side; ++i) {
    const double s = std::sin(M_PI * (i + 0.5) / side);
    window.push_back(static_cast<float>(s * s + 1e-4));
  }
  return window;
}

}  // namespace

int mirrored(int i, int n) {
  const int period = 2 * n;
  i = ((i % period) + period) % period;
  return i < n ? i : period - 1 - i;
}

TileGrid::TileGrid(int height, int width, int side, int stride) : height_(height), width_(width), side_(side) {
  PGAD_CHECK(height >= 1 && width >= 1 && stride >= 1 && stride <= side, height, "x", width, ", tiles of ", side,
             " every ", stride);
  tops_ = starts(height, side, stride);
  lefts_ = starts(width, side, stride);
}

void TileGrid::cut(std::span<const float> image, int channels, std::int64_t tile, std::span<float> out) const {
  cut_square(image, height_, width_, channels, top(tile), left(tile), side_, out);
}

TileBlend::TileBlend(const TileGrid& grid, int channels)
    : grid_(grid),
      channels_(static_cast<std::size_t>(channels)),
      window_(hann(grid.side_)),
      row_weight_(static_cast<std::size_t>(grid.height_)),
      column_weight_(static_cast<std::size_t>(grid.width_)),
      sum_(static_cast<std::size_t>(grid.height_) * static_cast<std::size_t>(grid.width_) * channels_) {
  // The windows of a regular grid's tiles add up row by row and column by column.
  for (const auto& [from, weights] : {std::pair(&grid.tops_, &row_weight_), std::pair(&grid.lefts_, &column_weight_)})
    for (const int start : *from)
      for (std::size_t i = 0; i < window_.size() && i + static_cast<std::size_t>(start) < weights->size(); ++i)
        (*weights)[i + static_cast<std::size_t>(start)] += window_[i];
}

void TileBlend::add(std::int64_t tile, std::span<const float> map) {
  const auto side = static_cast<std::size_t>(grid_.side_), width = column_weight_.size(), height = row_weight_.size();
  PGAD_CHECK(map.size() == side * side * channels_, map.size(), " values for a tile of ", side);
  const auto top = static_cast<std::size_t>(grid_.top(tile)), left = static_cast<std::size_t>(grid_.left(tile));
  for (std::size_t y = 0; y < side && top + y < height; ++y) {
    const float* in = map.data() + y * side * channels_;
    float* out = sum_.data() + ((top + y) * width + left) * channels_;
    for (std::size_t x = 0; x < side && left + x < width; ++x) {
      const float weight = window_[y] * window_[x];
      for (std::size_t c = 0; c < channels_; ++c) *out++ += weight * *in++;
    }
  }
}

std::vector<float> TileBlend::finish() {
  float* value = sum_.data();
  for (const float row : row_weight_)
    for (const float column : column_weight_)
      for (std::size_t c = 0; c < channels_; ++c) *value++ /= row * column;
  return std::move(sum_);
}

}  // namespace pgad
