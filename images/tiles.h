#pragma once
// Images of any size as overlapping squares of the networks' side. Pure functions, on rows of HWC values.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace pgad {

// Where the tiles of a height x width image lie: every `stride` pixels, the last ones flush with the far borders, so
// that each pixel is in at least one. Tiles are numbered row by row. An image smaller than a tile has one in that
// direction, and what lies outside it is its mirror image.
class TileGrid {
 public:
  // All >= 1, stride <= side. Throws Error otherwise.
  TileGrid(int height, int width, int side, int stride);

  int height() const { return height_; }
  int width() const { return width_; }
  int side() const { return side_; }
  std::int64_t size() const {
    return static_cast<std::int64_t>(tops_.size()) * static_cast<std::int64_t>(lefts_.size());
  }
  int top(std::int64_t tile) const { return tops_[static_cast<std::size_t>(tile) / lefts_.size()]; }
  int left(std::int64_t tile) const { return lefts_[static_cast<std::size_t>(tile) % lefts_.size()]; }

  // The tile's values, [side, side, channels], from the image's, [height, width, channels].
  void cut(std::span<const float> image, int channels, std::int64_t tile, std::span<float> out) const;

 private:
  friend class TileBlend;
  int height_, width_, side_;
  std::vector<int> tops_, lefts_;
};

// A map of the image from maps of its tiles. Where tiles overlap, each counts by a Hann window over its rows and
// columns, so that its inner part decides and no border shows. The result depends on the order of the tiles in its last
// bits: add them in rising order.
class TileBlend {
 public:
  explicit TileBlend(const TileGrid& grid, int channels = 1);
  void add(std::int64_t tile, std::span<const float> map);  // [side, side, channels]
  // [height, width, channels], once all tiles were added.
  std::vector<float> finish();

 private:
  const TileGrid& grid_;
  std::size_t channels_;
  std::vector<float> window_, row_weight_, column_weight_;  // the latter: sums over the tiles
  std::vector<float> sum_;
};

// Index i of a row of n values that goes on as its mirror image beyond both ends: ... 1 0 | 0 1 ... n-1 | n-1 ...
int mirrored(int i, int n);

// The part at (top, left) of an image, [side, side, channels]; what lies outside is its mirror image.
template <class T>
void cut_square(std::span<const T> image, int height, int width, int channels, int top, int left, int side,
                std::span<T> out) {
  std::size_t at = 0;
  for (int y = 0; y < side; ++y) {
    const std::size_t row = static_cast<std::size_t>(mirrored(top + y, height)) * static_cast<std::size_t>(width);
    for (int x = 0; x < side; ++x) {
      const std::size_t from =
          (row + static_cast<std::size_t>(mirrored(left + x, width))) * static_cast<std::size_t>(channels);
      for (int c = 0; c < channels; ++c) out[at++] = image[from + static_cast<std::size_t>(c)];
    }
  }
}

}  // namespace pgad
