#include "apps/inspection/samples.h"

#include "apps/inspection/heatmap.h"

namespace pgad {

Image picture(std::span<const float> values, int side, int channels) {
  Image image{side, side, channels, {}};
  image.pixels.reserve(values.size());
  for (const float v : values) image.pixels.push_back((v + 1) / 2);
  return image;
}

Image picture_grid(const Tensor& images, int columns, int factor) {
  const auto side = static_cast<int>(images.dim(1)), channels = static_cast<int>(images.dim(3));
  const auto floats = static_cast<std::size_t>(images.numel() / images.dim(0));
  std::vector<Image> cells;
  for (std::int64_t i = 0; i < images.dim(0); ++i) {
    const auto values = images.span<float>().subspan(static_cast<std::size_t>(i) * floats, floats);
    cells.push_back(upscale_nearest(picture(values, side, channels), factor));
  }
  return grid(cells, columns);
}

}  // namespace pgad
