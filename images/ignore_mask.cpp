#include "images/ignore_mask.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/check.h"
#include "images/atomic_file.h"
#include "images/polygon.h"

namespace pgad {
namespace {

using Json = nlohmann::json;

constexpr int kLargestSide = 1 << 20;

std::size_t numel(int height, int width) { return static_cast<std::size_t>(height) * static_cast<std::size_t>(width); }

IgnoreMask from_json(const std::string& text, const std::string& path) {
  const char* const expected = "{\"width\": W, \"height\": H, \"polygons\": [[x, y, x, y, x, y, ...], ...]}";
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto side = [&](const char* key) {
    if (!json.is_object() || !json.contains(key) || !json[key].is_number_integer() || json[key] < 1 ||
        json[key] > kLargestSide)
      throw DataError(str(path, ": no \"", key, "\" that is a number of pixels; expected ", expected));
    return json[key].get<int>();
  };
  IgnoreMask mask{side("height"), side("width"), {}};
  if (static_cast<std::int64_t>(numel(mask.height, mask.width)) > DecodeOptions().max_pixels)
    throw DataError(str(path, ": ", mask.width, "x", mask.height, " pixels are too many"));
  mask.pixels.resize(numel(mask.height, mask.width));
  if (!json.contains("polygons") || !json["polygons"].is_array())
    throw DataError(str(path, ": no list of \"polygons\"; expected ", expected));
  for (const Json& polygon : json["polygons"]) {
    std::vector<double> points;
    for (const Json& number : polygon.is_array() ? polygon : Json::array())
      if (number.is_number() && std::abs(number.get<double>()) <= kFarthestPoint) points.push_back(number);
    if (!polygon.is_array() || points.size() != polygon.size() || points.size() < 6 || points.size() % 2 != 0)
      throw DataError(
          str(path, ": the polygon ", polygon.dump(), ": expected x, y, x, y, ... of three corners or more"));
    draw_polygon(points, mask.height, mask.width, mask.pixels);
  }
  return mask;
}

// Values with weights in [0, 1]: 0 where nothing is known.
struct Level {
  int height, width, channels;
  std::vector<float> values, weights;

  float value(int y, int x, int c) const {
    return values[(numel(1, width) * static_cast<std::size_t>(y) + static_cast<std::size_t>(x)) *
                      static_cast<std::size_t>(channels) +
                  static_cast<std::size_t>(c)];
  }
};

// Half the size: the mean of what is known.
Level pulled(const Level& fine) {
  Level coarse{(fine.height + 1) / 2, (fine.width + 1) / 2, fine.channels, {}, {}};
  const auto channels = static_cast<std::size_t>(fine.channels);
  coarse.weights.assign(numel(coarse.height, coarse.width), 0);
  coarse.values.assign(coarse.weights.size() * channels, 0);
  for (int y = 0; y < fine.height; ++y)
    for (int x = 0; x < fine.width; ++x) {
      const std::size_t from = numel(1, fine.width) * static_cast<std::size_t>(y) + static_cast<std::size_t>(x),
                        to = numel(1, coarse.width) * static_cast<std::size_t>(y / 2) + static_cast<std::size_t>(x / 2);
      coarse.weights[to] += fine.weights[from];
      for (std::size_t c = 0; c < channels; ++c)
        coarse.values[to * channels + c] += fine.weights[from] * fine.values[from * channels + c];
    }
  for (std::size_t i = 0; i < coarse.weights.size(); ++i) {
    if (coarse.weights[i] > 0)
      for (std::size_t c = 0; c < channels; ++c) coarse.values[i * channels + c] /= coarse.weights[i];
    coarse.weights[i] = std::min(1.0f, coarse.weights[i]);
  }
  return coarse;
}

// What is not known, or not quite, from the coarser level, bilinearly.
void push(const Level& coarse, Level& fine) {
  for (int y = 0; y < fine.height; ++y)
    for (int x = 0; x < fine.width; ++x) {
      const std::size_t at = numel(1, fine.width) * static_cast<std::size_t>(y) + static_cast<std::size_t>(x);
      const float known = fine.weights[at];
      if (known >= 1) continue;
      const float sy = std::max(0.0f, (static_cast<float>(y) + 0.5f) / 2 - 0.5f),
                  sx = std::max(0.0f, (static_cast<float>(x) + 0.5f) / 2 - 0.5f);
      const int y0 = std::min(static_cast<int>(sy), coarse.height - 1), y1 = std::min(y0 + 1, coarse.height - 1),
                x0 = std::min(static_cast<int>(sx), coarse.width - 1), x1 = std::min(x0 + 1, coarse.width - 1);
      const float fy = sy - static_cast<float>(y0), fx = sx - static_cast<float>(x0);
      for (int c = 0; c < fine.channels; ++c) {
        const float above = (1 - fx) * coarse.value(y0, x0, c) + fx * coarse.value(y0, x1, c),
                    below = (1 - fx) * coarse.value(y1, x0, c) + fx * coarse.value(y1, x1, c);
        float& value = fine.values[at * static_cast<std::size_t>(fine.channels) + static_cast<std::size_t>(c)];
        value = known * value + (1 - known) * ((1 - fy) * above + fy * below);
      }
    }
}

}  // namespace

double IgnoreMask::share() const {
  return static_cast<double>(std::ranges::count(pixels, 1)) / static_cast<double>(pixels.size());
}

std::vector<std::uint8_t> IgnoreMask::preprocessed(const Preprocessing& p, int rows, int columns) const {
  if (p.tiles) return shrink_mask(pixels, height, width, rows, columns);
  Preprocessing square = p;
  square.resolution = rows;
  return preprocess_mask(pixels, height, width, square);
}

std::vector<std::uint64_t> IgnoreMask::runs() const {
  std::vector<std::uint64_t> lengths;
  std::uint8_t value = 0;
  std::uint64_t length = 0;
  for (const std::uint8_t pixel : pixels) {
    if (pixel != value) {
      lengths.push_back(length);
      value = pixel;
      length = 0;
    }
    ++length;
  }
  lengths.push_back(length);
  return lengths;
}

IgnoreMask IgnoreMask::from_runs(int height, int width, const std::vector<std::uint64_t>& runs) {
  if (height < 1 || width < 1 || height > kLargestSide || width > kLargestSide ||
      static_cast<std::int64_t>(numel(height, width)) > DecodeOptions().max_pixels)
    throw DataError(str("an ignore mask of ", width, "x", height));
  IgnoreMask mask{height, width, {}};
  const std::size_t all = numel(height, width);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs[i] > all - mask.pixels.size()) throw DataError(str("runs of an ignore mask beyond ", width, "x", height));
    mask.pixels.insert(mask.pixels.end(), runs[i], static_cast<std::uint8_t>(i % 2));
  }
  if (mask.pixels.size() != all) throw DataError(str("runs of an ignore mask that end before ", width, "x", height));
  return mask;
}

IgnoreMask read_ignore_mask(const std::string& path) {
  const std::string bytes = read_file(path);
  const std::size_t begin = bytes.find_first_not_of(" \t\r\n");
  IgnoreMask mask;
  if (begin != std::string::npos && bytes[begin] == '{') {
    mask = from_json(bytes, path);
  } else {
    DecodeOptions options;
    options.keep_alpha = true;
    const Image image = decode_image(bytes, path, nullptr, options);
    mask = {image.height, image.width, mask_pixels(image, std::nan(""), path)};
  }
  const auto ignored = static_cast<std::size_t>(std::ranges::count(mask.pixels, 1));
  if (ignored == 0 || ignored == mask.pixels.size())
    throw DataError(str(path, ": ignores ", ignored == 0 ? "no pixel" : "every pixel",
                        "; expected the places that never count in white, all others in black"));
  return mask;
}

void fill_ignored(const IgnoreMask& mask, Image& image, const std::string& name) {
  if (image.height != mask.height || image.width != mask.width)
    throw DataError(
        str("'", name, "' is ", image.width, "x", image.height, ", and the model's ignore mask is of images of ",
            mask.width, "x", mask.height,
            ": its places are not known in this one; bring it to that size, or calibrate without the mask"));
  std::vector<Level> levels(1);
  levels[0] = {image.height, image.width, image.channels, std::move(image.pixels), {}};
  levels[0].weights.reserve(mask.pixels.size());
  const auto channels = static_cast<std::size_t>(image.channels);
  for (std::size_t i = 0; i < mask.pixels.size(); ++i) {
    levels[0].weights.push_back(mask.pixels[i] != 0 ? 0.0f : 1.0f);
    if (mask.pixels[i] != 0)  // also where it is not finite
      for (std::size_t c = 0; c < channels; ++c) levels[0].values[i * channels + c] = 0;
  }
  while (levels.back().height > 1 || levels.back().width > 1) levels.push_back(pulled(levels.back()));
  for (std::size_t i = levels.size() - 1; i > 0; --i) push(levels[i], levels[i - 1]);
  image.pixels = std::move(levels[0].values);
}

}  // namespace pgad
