#include "images/preprocess.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <tuple>

#include "engine/check.h"

namespace pgad {
namespace {

// One output coordinate: source pixels first, first + 1, ... with weights that add up to 1.
struct Taps {
  int first = 0;
  std::vector<double> weights;
};

std::vector<Taps> taps_of(int from, int to) {
  std::vector<Taps> taps(static_cast<std::size_t>(to));
  for (int i = 0; i < to; ++i) {
    Taps& t = taps[static_cast<std::size_t>(i)];
    if (to < from) {
      // Output i covers [i * from, (i + 1) * from) in units of 1/to source pixels: integers, so that coverage
      // is exact.
      const std::int64_t begin = std::int64_t{i} * from, end = begin + from;
      t.first = static_cast<int>(begin / to);
      for (std::int64_t p = t.first; p * to < end; ++p) {
        const std::int64_t covered = std::min(end, (p + 1) * to) - std::max(begin, p * to);
        t.weights.push_back(static_cast<double>(covered) / from);
      }
    } else {
      const double centre = std::clamp((i + 0.5) * from / to - 0.5, 0.0, from - 1.0);
      t.first = static_cast<int>(centre);
      const double right = centre - t.first;
      t.weights = {1.0 - right};
      if (right > 0.0) t.weights.push_back(right);
    }
  }
  return taps;
}

void check(const Preprocessing& p) {
  PGAD_CHECK(p.resolution >= 1 && p.resolution <= 16384, "resolution ", p.resolution);
  PGAD_CHECK(p.channels == 1 || p.channels == 3, "channels ", p.channels);
}

// Mean colour of the outermost ring of pixels.
std::vector<float> border_mean(const Image& image) {
  std::vector<double> sum(static_cast<std::size_t>(image.channels), 0.0);
  long count = 0;
  for (int y = 0; y < image.height; ++y) {
    const bool whole_row = y == 0 || y == image.height - 1;
    const int step = whole_row ? 1 : std::max(1, image.width - 1);
    for (int x = 0; x < image.width; x += step, ++count) {
      const std::size_t at = (static_cast<std::size_t>(y) * image.width + x) * image.channels;
      for (int c = 0; c < image.channels; ++c) sum[c] += image.pixels[at + c];
    }
  }
  std::vector<float> mean;
  mean.reserve(sum.size());
  for (const double s : sum) mean.push_back(static_cast<float>(s / static_cast<double>(count)));
  return mean;
}

bool padded_small(int height, int width, const Preprocessing& p) {
  return p.pad_small && height <= p.resolution && width <= p.resolution &&
         2 * p.resolution < 3 * std::max(height, width);
}

}  // namespace

std::string preprocessing_to_string(const Preprocessing& p) {
  char scale[32];  // the shortest text that reads back
  *std::to_chars(scale, std::end(scale) - 1, p.scale).ptr = '\0';
  const std::string geometry =
      p.tiles ? str(" tiles scale ", scale, p.normalise ? " normalised" : "")
              : str(p.fit == Fit::kResize ? " resize" : " letterbox", p.pad_small ? " pad-small" : "");
  return str(p.resolution, "x", p.resolution, "x", p.channels, geometry, p.exif_orientation ? " upright" : "",
             p.bits > 0 ? str(" ", p.bits, "-bit") : "");
}

Preprocessing preprocessing_from_string(const std::string& text) {
  Preprocessing p;
  int side = 0;
  if (std::sscanf(text.c_str(), "%5dx%5dx%1d", &p.resolution, &side, &p.channels) == 3) {
    p.fit = text.find(" letterbox") != std::string::npos ? Fit::kLetterbox : Fit::kResize;
    p.pad_small = text.find(" pad-small") != std::string::npos;
    if (const auto at = text.find(" tiles scale "); at != std::string::npos) {
      p.tiles = true;
      std::from_chars(text.data() + at + std::string_view(" tiles scale ").size(), text.data() + text.size(), p.scale);
      p.normalise = text.find(" normalised") != std::string::npos;
    }
    p.exif_orientation = text.find(" upright") != std::string::npos;
    if (text.ends_with("-bit")) p.bits = std::atoi(text.c_str() + text.rfind(' '));
    const bool good = p.resolution >= 1 && (p.channels == 1 || p.channels == 3) &&
                      (p.bits == 0 || (p.bits >= 9 && p.bits <= 16)) && p.scale > 0 && p.scale <= 4;
    if (good && text == preprocessing_to_string(p)) return p;
  }
  throw DataError(str("bad preprocessing '", text, "', expected e.g. '32x32x1 resize pad-small upright 12-bit'"));
}

DecodeOptions decode_options(const Preprocessing& p, const DataConfig& data) {
  DecodeOptions o;
  o.exif_orientation = p.exif_orientation;
  o.bits = data.bits;
  o.expected_bits = p.bits;
  o.max_pixels = data.max_pixels;
  return o;
}

Placement place(int height, int width, const Preprocessing& p) {
  check(p);
  PGAD_CHECK(height >= 1 && width >= 1, height, "x", width);
  const int side = p.resolution;
  Placement at{0, 0, side, side};
  if (padded_small(height, width, p)) {
    at.height = height;
    at.width = width;
  } else if (p.fit == Fit::kLetterbox) {
    const double scale = static_cast<double>(side) / std::max(height, width);
    at.height = std::clamp(static_cast<int>(std::lround(height * scale)), 1, side);
    at.width = std::clamp(static_cast<int>(std::lround(width * scale)), 1, side);
  }
  at.top = (side - at.height) / 2;
  at.left = (side - at.width) / 2;
  return at;
}

std::vector<float> resize(std::span<const float> pixels, int height, int width, int channels, int new_height,
                          int new_width) {
  const std::size_t in_row = static_cast<std::size_t>(width) * channels;
  const std::size_t out_row = static_cast<std::size_t>(new_width) * channels;
  PGAD_CHECK(pixels.size() == in_row * height, pixels.size(), " values for ", height, "x", width, "x", channels);
  if (height == new_height && width == new_width) return {pixels.begin(), pixels.end()};

  const std::vector<Taps> columns = taps_of(width, new_width);
  const std::vector<Taps> rows = taps_of(height, new_height);
  // Source rows squeezed in width, each once: consecutive output rows share at most their edge rows.
  std::vector<std::vector<double>> squeezed;
  int squeezed_first = 0;
  const auto squeeze = [&](int y) {
    std::vector<double> row(out_row);
    const float* in = pixels.data() + static_cast<std::size_t>(y) * in_row;
    for (int x = 0; x < new_width; ++x) {
      const Taps& t = columns[static_cast<std::size_t>(x)];
      for (int c = 0; c < channels; ++c) {
        double sum = 0.0;
        for (std::size_t k = 0; k < t.weights.size(); ++k) {
          sum += t.weights[k] * in[(static_cast<std::size_t>(t.first) + k) * channels + c];
        }
        row[static_cast<std::size_t>(x) * channels + c] = sum;
      }
    }
    return row;
  };
  std::vector<float> out(out_row * new_height);
  std::vector<double> sum(out_row);
  for (int y = 0; y < new_height; ++y) {
    const Taps& t = rows[static_cast<std::size_t>(y)];
    const auto drop = std::min<std::size_t>(squeezed.size(), static_cast<std::size_t>(t.first - squeezed_first));
    squeezed.erase(squeezed.begin(), squeezed.begin() + static_cast<std::ptrdiff_t>(drop));
    squeezed_first = t.first;
    while (squeezed.size() < t.weights.size()) squeezed.push_back(squeeze(t.first + static_cast<int>(squeezed.size())));
    std::fill(sum.begin(), sum.end(), 0.0);
    for (std::size_t k = 0; k < t.weights.size(); ++k) {
      for (std::size_t i = 0; i < out_row; ++i) sum[i] += t.weights[k] * squeezed[k][i];
    }
    for (std::size_t i = 0; i < out_row; ++i)
      out[static_cast<std::size_t>(y) * out_row + i] = static_cast<float>(sum[i]);
  }
  return out;
}

Image convert_channels(const Image& image, int channels) {
  PGAD_CHECK(image.channels == 1 || image.channels == 3, "channels ", image.channels);
  PGAD_CHECK(channels == 1 || channels == 3, "channels ", channels);
  if (image.channels == channels) return image;
  Image out{image.height, image.width, channels, {}};
  out.pixels.resize(out.size());
  const std::size_t n = static_cast<std::size_t>(image.height) * image.width;
  for (std::size_t i = 0; i < n; ++i) {
    if (channels == 3) {
      for (int c = 0; c < 3; ++c) out.pixels[3 * i + c] = image.pixels[i];
    } else {
      const float* rgb = image.pixels.data() + 3 * i;
      // Doubles, so that r = g = b gives the same grey back.
      out.pixels[i] = static_cast<float>(0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]);
    }
  }
  return out;
}

ScaledSize scaled_size(int height, int width, const Preprocessing& p) {
  const auto scaled = [&](int length) { return std::max(1, static_cast<int>(std::lround(length * p.scale))); };
  return {scaled(height), scaled(width)};
}

namespace {

std::vector<float> scaled_unit(const Image& image, const Preprocessing& p) {
  check(p);
  PGAD_CHECK(image.pixels.size() == image.size(), image.pixels.size(), " values for ", image.height, "x", image.width,
             "x", image.channels);
  const auto [height, width] = scaled_size(image.height, image.width, p);
  const Image converted = convert_channels(image, p.channels);
  std::vector<float> values = resize(converted.pixels, image.height, image.width, p.channels, height, width);
  for (float& v : values) v = std::clamp(v, 0.0f, 1.0f);  // weights add up to 1 only within rounding
  return values;
}

}  // namespace

std::vector<float> preprocess_unit(const Image& image, const Preprocessing& p) {
  if (p.tiles) return scaled_unit(image, p);
  PGAD_CHECK(image.pixels.size() == image.size(), image.pixels.size(), " values for ", image.height, "x", image.width,
             "x", image.channels);
  const Placement at = place(image.height, image.width, p);
  // Luma before resampling, repeating after it: both are linear, and this way fewer values are resampled.
  Image grey;
  const Image* source = &image;
  if (p.channels == 1 && image.channels == 3) {
    grey = convert_channels(image, 1);
    source = &grey;
  }
  const int channels = source->channels;
  const std::vector<float> placed =
      resize(source->pixels, source->height, source->width, channels, at.height, at.width);
  std::vector<float> background(static_cast<std::size_t>(channels), 0.0f);
  if (!padded_small(image.height, image.width, p) && p.fit == Fit::kLetterbox) background = border_mean(*source);

  const std::size_t side = static_cast<std::size_t>(p.resolution);
  std::vector<float> out(side * side * p.channels);
  for (int y = 0; y < p.resolution; ++y) {
    for (int x = 0; x < p.resolution; ++x) {
      const int sy = y - at.top, sx = x - at.left;
      const bool inside = sy >= 0 && sy < at.height && sx >= 0 && sx < at.width;
      const float* in =
          inside ? placed.data() + (static_cast<std::size_t>(sy) * at.width + sx) * channels : background.data();
      float* to = out.data() + (y * side + x) * p.channels;
      // Weights add up to 1 only within rounding.
      for (int c = 0; c < p.channels; ++c) to[c] = std::clamp(in[channels == 1 ? 0 : c], 0.0f, 1.0f);
    }
  }
  return out;
}

std::vector<float> preprocess(const Image& image, const Preprocessing& p) {
  std::vector<float> values = preprocess_unit(image, p);
  for (float& v : values) v = to_signed(v);
  return values;
}

namespace {

// Both with some noise: values that are labels differ at one end only, or lie between.
bool nearly_black_and_white(const std::set<float>& values) {
  constexpr float kNear = 0.1f;
  const auto dark = std::ranges::count_if(values, [](float v) { return v < kNear; }),
             bright = std::ranges::count_if(values, [](float v) { return v > 1 - kNear; });
  return dark >= 2 && bright >= 2 && dark + bright == static_cast<std::ptrdiff_t>(values.size());
}

}  // namespace

std::vector<std::uint8_t> mask_pixels(const Image& mask, double threshold, const std::string& name,
                                      std::vector<std::string>* notes) {
  const std::size_t n = static_cast<std::size_t>(mask.height) * mask.width;
  PGAD_CHECK(n > 0 && mask.pixels.size() == mask.size(), mask.pixels.size(), " values for ", mask.height, "x",
             mask.width, "x", mask.channels);
  const auto note = [&](const char* text) {
    if (notes) notes->push_back(str("mask '", name, "': ", text));
  };
  std::vector<float> values(n);
  const auto channels = static_cast<std::size_t>(mask.channels);
  for (std::size_t i = 0; i < n; ++i) {
    const float* pixel = mask.pixels.data() + i * channels;
    values[i] = *std::max_element(pixel, pixel + channels) * (mask.alpha.empty() ? 1.0f : mask.alpha[i]);
  }
  float most = *std::ranges::max_element(values), least = *std::ranges::min_element(values);
  if (most == 0.0f && !mask.alpha.empty()) {
    values = mask.alpha;
    std::tie(least, most) = std::pair(*std::ranges::min_element(values), *std::ranges::max_element(values));
    if (most == 0.0f) note("all of it is transparent, so no pixel is anomalous");
    if (least > 0.0f) values.assign(n, most = least = 0.0f);  // opaque and black
  }

  double limit = threshold;
  if (std::isnan(limit)) {
    constexpr std::size_t kLabels = 8;
    std::set<float> kinds;
    for (std::size_t i = 0; i < n && kinds.size() <= kLabels; ++i) kinds.insert(values[i]);
    const auto brightness = [](float v) { return str(std::lround(v * 255.0f * 100.0f) / 100.0); };
    if (kinds.size() == 1) {
      limit = 0.0;  // nothing where it is black, else everything
    } else if (kinds.size() == 2 && !mask.lossy) {
      limit = least;
    } else if (nearly_black_and_white(kinds)) {
      limit = 0.5;  // black and white, not quite exact
    } else if (kinds.size() <= kLabels && !mask.lossy) {
      std::string listed;
      for (const float v : kinds) listed += (listed.empty() ? "" : ", ") + brightness(v);
      throw DataError(str("mask '", name, "': it has ", kinds.size(), " different values (", listed,
                          " of 255); expected two, background and anomalous. --mask-threshold 0 takes all above 0 for "
                          "anomalous"));
    } else if (least > 0.25f || most < 0.75f) {
      throw DataError(str("mask '", name, "': its values go from ", brightness(least), " to ", brightness(most),
                          " of 255; expected black for normal and white (or a full colour) for anomalous pixels. "
                          "--mask-threshold says above which value, in [0, 1), a pixel is anomalous"));
    } else {
      limit = 0.5;
    }
  }
  std::vector<std::uint8_t> out(n);
  bool all = true;
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = values[i] > limit ? 1 : 0;
    all = all && out[i] == 1;
  }
  if (all) note("all of it is anomalous");
  return out;
}

std::vector<std::uint8_t> resize_nearest(std::span<const std::uint8_t> pixels, int height, int width, int new_height,
                                         int new_width) {
  PGAD_CHECK(pixels.size() == static_cast<std::size_t>(height) * width && new_height > 0 && new_width > 0,
             pixels.size(), " values for ", height, "x", width);
  const auto nearest = [](std::int64_t i, std::int64_t from, std::int64_t to) {
    return static_cast<std::size_t>((2 * i + 1) * from / (2 * to));
  };
  std::vector<std::uint8_t> out;
  out.reserve(static_cast<std::size_t>(new_height) * new_width);
  for (int y = 0; y < new_height; ++y) {
    const std::size_t row = nearest(y, height, new_height) * static_cast<std::size_t>(width);
    for (int x = 0; x < new_width; ++x) out.push_back(pixels[row + nearest(x, width, new_width)]);
  }
  return out;
}

std::vector<std::uint8_t> shrink_mask(std::span<const std::uint8_t> pixels, int height, int width, int new_height,
                                      int new_width) {
  PGAD_CHECK(pixels.size() == static_cast<std::size_t>(height) * width, pixels.size(), " values for ", height, "x",
             width);
  // Source range of each output coordinate: all pixels it covers when shrinking, the one under its centre
  // otherwise.
  const auto ranges = [](int from, int to) {
    std::vector<std::pair<int, int>> out;
    for (std::int64_t i = 0; i < to; ++i) {
      const std::int64_t begin = to < from ? i * from / to : (2 * i + 1) * from / (2 * to);
      const std::int64_t end = to < from ? ((i + 1) * from + to - 1) / to : begin + 1;
      out.emplace_back(static_cast<int>(begin), static_cast<int>(end));
    }
    return out;
  };
  const auto rows = ranges(height, new_height);
  const auto columns = ranges(width, new_width);
  std::vector<std::uint8_t> out;
  out.reserve(static_cast<std::size_t>(new_height) * static_cast<std::size_t>(new_width));
  for (const auto& [top, bottom] : rows) {
    for (const auto& [left, right] : columns) {
      bool anomalous = false;
      for (int y = top; y < bottom && !anomalous; ++y) {
        const std::uint8_t* row = pixels.data() + static_cast<std::size_t>(y) * width;
        for (int x = left; x < right; ++x) anomalous = anomalous || row[x] != 0;
      }
      out.push_back(anomalous ? 1 : 0);
    }
  }
  return out;
}

std::vector<std::uint8_t> preprocess_mask(std::span<const std::uint8_t> pixels, int height, int width,
                                          const Preprocessing& p) {
  PGAD_CHECK(pixels.size() == static_cast<std::size_t>(height) * width, pixels.size(), " values for ", height, "x",
             width);
  const Placement at = place(height, width, p);
  const std::vector<std::uint8_t> placed = shrink_mask(pixels, height, width, at.height, at.width);
  const std::size_t side = static_cast<std::size_t>(p.resolution), columns = static_cast<std::size_t>(at.width);
  std::vector<std::uint8_t> out(side * side, 0);
  for (std::size_t y = 0; y < static_cast<std::size_t>(at.height); ++y)
    std::copy_n(placed.begin() + static_cast<std::ptrdiff_t>(y * columns), columns,
                out.begin() + static_cast<std::ptrdiff_t>((y + static_cast<std::size_t>(at.top)) * side) + at.left);
  return out;
}

std::vector<float> map_to_image(std::span<const float> map, int height, int width, const Preprocessing& p) {
  const std::size_t side = static_cast<std::size_t>(p.resolution);
  PGAD_CHECK(map.size() == side * side, map.size(), " values for a map of side ", side);
  const Placement at = place(height, width, p);
  std::vector<float> cut;
  cut.reserve(static_cast<std::size_t>(at.height) * at.width);
  for (int y = 0; y < at.height; ++y) {
    const auto row = map.subspan((static_cast<std::size_t>(y) + at.top) * side + at.left, at.width);
    cut.insert(cut.end(), row.begin(), row.end());
  }
  return resize(cut, at.height, at.width, 1, height, width);
}

}  // namespace pgad
