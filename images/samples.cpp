#include "images/samples.h"

#include "images/heatmap.h"

namespace pgad {

Image picture(std::span<const float> values, int side, int channels) {
  Image image{side, side, channels, {}};
  image.pixels.reserve(values.size());
  for (const float v : values) image.pixels.push_back((v + 1) / 2);
  return image;
}

Image picture_grid(std::span<const float> images, const Shape& shape, int columns, int factor) {
  const auto side = static_cast<int>(shape[1]), channels = static_cast<int>(shape[3]);
  const auto floats = static_cast<std::size_t>(shape.numel() / shape[0]);
  std::vector<Image> cells;
  for (std::int64_t i = 0; i < shape[0]; ++i) {
    const auto values = images.subspan(static_cast<std::size_t>(i) * floats, floats);
    cells.push_back(upscale_nearest(picture(values, side, channels), factor));
  }
  return grid(cells, columns);
}

}  // namespace pgad
