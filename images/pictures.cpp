#include "images/pictures.h"

#include <algorithm>
#include <cmath>

#include "engine/check.h"

namespace pgad {
namespace {

void check_map(std::span<const float> map, int h, int w) {
  PGAD_CHECK(h >= 0 && w >= 0 && map.size() == static_cast<size_t>(h) * w, map.size(), " values for a map of ", h, "x",
             w);
}

void check_image(const Image& image) {
  PGAD_CHECK((image.channels == 1 || image.channels == 3) && image.pixels.size() == image.size(), image.pixels.size(),
             " values for an image of ", image.height, "x", image.width, "x", image.channels);
}

double position(double value, double low, double high) {
  const double t = (value - low) / (high - low);
  return t > 0 ? std::min(t, 1.0) : 0.0;  // NaN becomes 0
}

}  // namespace

std::array<float, 3> heat_color(double t) {
  // Evenly spaced; relative luminance (Rec. 709 weights on these values) grows by about 0.11 from one to the
  // next.
  static constexpr std::array<std::array<float, 3>, 9> kPoints = {{{0.00f, 0.00f, 0.02f},
                                                                   {0.13f, 0.05f, 0.40f},
                                                                   {0.38f, 0.10f, 0.56f},
                                                                   {0.65f, 0.15f, 0.50f},
                                                                   {0.86f, 0.26f, 0.33f},
                                                                   {0.96f, 0.44f, 0.15f},
                                                                   {0.99f, 0.63f, 0.08f},
                                                                   {0.98f, 0.83f, 0.30f},
                                                                   {1.00f, 0.99f, 0.75f}}};
  const double at = position(t, 0, 1) * (kPoints.size() - 1);
  const size_t i = std::min(static_cast<size_t>(at), kPoints.size() - 2);
  const float f = static_cast<float>(at - static_cast<double>(i));
  std::array<float, 3> color;
  for (int c = 0; c < 3; ++c) color[c] = kPoints[i][c] + f * (kPoints[i + 1][c] - kPoints[i][c]);
  return color;
}

Image colorize(std::span<const float> map, int h, int w, double low, double high) {
  check_map(map, h, w);
  PGAD_CHECK(high > low, "range ", low, " to ", high);
  Image out{h, w, 3, std::vector<float>(map.size() * 3)};
  for (size_t i = 0; i < map.size(); ++i)
    std::ranges::copy(heat_color(position(map[i], low, high)), &out.pixels[3 * i]);
  return out;
}

Image overlay(const Image& image, std::span<const float> map, double low, double high, double alpha) {
  check_image(image);
  Image out = colorize(map, image.height, image.width, low, high);
  PGAD_CHECK(alpha >= 0 && alpha <= 1, "alpha ", alpha);
  for (size_t i = 0; i < map.size(); ++i) {
    const float cover = static_cast<float>(alpha * position(map[i], low, high));
    for (int c = 0; c < 3; ++c) {
      const float below = image.pixels[image.channels == 3 ? 3 * i + c : i];
      float& pixel = out.pixels[3 * i + c];
      pixel = below + cover * (pixel - below);
    }
  }
  return out;
}

void outline(Image& image, std::span<const std::uint8_t> labels) {
  constexpr std::array<float, 3> kColor = {0.0f, 0.9f, 1.0f};  // not among those of heat
  const int h = image.height, w = image.width, thick = std::max(1, std::min(h, w) / 500);
  PGAD_CHECK(image.channels == 3 && labels.size() == static_cast<size_t>(h) * w, image.channels, " channels, ",
             labels.size(), " labels for ", h, "x", w);
  const auto labelled = [&](int y, int x) { return labels[static_cast<size_t>(y) * w + x] != 0; };
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x) {
      const bool border = labelled(y, x) && ((y > 0 && !labelled(y - 1, x)) || (y + 1 < h && !labelled(y + 1, x)) ||
                                             (x > 0 && !labelled(y, x - 1)) || (x + 1 < w && !labelled(y, x + 1)));
      if (!border) continue;
      for (int to_y = std::max(0, y - thick); to_y <= std::min(h - 1, y + thick); ++to_y)
        for (int to_x = std::max(0, x - thick); to_x <= std::min(w - 1, x + thick); ++to_x)
          if (!labelled(to_y, to_x))
            std::ranges::copy(kColor, &image.pixels[3 * (static_cast<size_t>(to_y) * w + to_x)]);
    }
}

Image grid(std::span<const Image> images, int columns, int padding, float background) {
  if (images.empty()) throw Error("grid: no images");
  PGAD_CHECK(columns >= 1 && padding >= 0, columns, " columns, padding ", padding);
  int h = 0, w = 0, channels = 1;
  for (const Image& image : images) {
    check_image(image);
    h = std::max(h, image.height);
    w = std::max(w, image.width);
    channels = std::max(channels, image.channels);
  }
  const int used_columns = std::min(columns, static_cast<int>(images.size()));
  const int rows = (static_cast<int>(images.size()) + columns - 1) / columns;
  Image out{rows * (h + padding) + padding, used_columns * (w + padding) + padding, channels, {}};
  out.pixels.assign(out.size(), background);
  for (size_t i = 0; i < images.size(); ++i) {
    const Image& image = images[i];
    const int top = padding + static_cast<int>(i) / columns * (h + padding);
    const int left = padding + static_cast<int>(i) % columns * (w + padding);
    for (int y = 0; y < image.height; ++y) {
      for (int x = 0; x < image.width; ++x) {
        const float* from = &image.pixels[(static_cast<size_t>(y) * image.width + x) * image.channels];
        float* to = &out.pixels[(static_cast<size_t>(top + y) * out.width + left + x) * channels];
        for (int c = 0; c < channels; ++c) to[c] = from[image.channels == 3 ? c : 0];
      }
    }
  }
  return out;
}

Image upscale_nearest(const Image& image, int factor) {
  check_image(image);
  PGAD_CHECK(factor >= 1, "factor ", factor);
  Image out{image.height * factor, image.width * factor, image.channels, {}};
  out.pixels.reserve(out.size());
  for (int y = 0; y < out.height; ++y)
    for (int x = 0; x < out.width; ++x)
      for (int c = 0; c < out.channels; ++c)
        out.pixels.push_back(
            image.pixels[(static_cast<size_t>(y / factor) * image.width + x / factor) * image.channels + c]);
  return out;
}

Image picture(std::span<const float> values, int height, int width, int channels) {
  Image image{height, width, channels, {}};
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
    cells.push_back(upscale_nearest(picture(values, side, side, channels), factor));
  }
  return grid(cells, columns);
}

}  // namespace pgad
