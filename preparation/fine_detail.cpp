#include "preparation/fine_detail.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <mutex>
#include <numeric>

#include "engine/check.h"
#include "engine/team.h"
#include "images/preprocess.h"

namespace pgad {
namespace {

constexpr int kPartSide = 96;

}  // namespace

Grey::Grey(const Image& image) : height(image.height), width(image.width), pixels_(&image.pixels) {
  if (image.channels == 1) return;
  own_ = convert_channels(image, 1).pixels;
  pixels_ = &own_;
}

std::vector<float> Grey::resized(int to_height, int to_width) const {
  return resize(*pixels_, height, width, 1, to_height, to_width);
}

std::vector<float> fine_detail(const std::vector<float>& grey, int height, int width) {
  std::vector<float> detail(grey.size());
  double square = 0;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      double sum = 0;
      int count = 0;
      for (int v = std::max(0, y - 1); v <= std::min(height - 1, y + 1); ++v)
        for (int u = std::max(0, x - 1); u <= std::min(width - 1, x + 1); ++u, ++count)
          sum += grey[static_cast<std::size_t>(v) * static_cast<std::size_t>(width) + static_cast<std::size_t>(u)];
      const std::size_t at =
          static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
      detail[at] = grey[at] - static_cast<float>(sum / count);
      square += static_cast<double>(detail[at]) * detail[at];
    }
  // Rounding alone is no detail.
  const double norm = std::sqrt(square), least = 1e-5 * std::sqrt(static_cast<double>(detail.size()));
  for (float& d : detail) d = norm > least ? static_cast<float>(d / norm) : 0;
  return detail;
}

std::vector<std::int8_t> in_bytes(const std::vector<float>& detail) {
  const auto [least, most] = std::ranges::minmax(detail);
  const float scale = std::max(-least, most) > 0 ? 127 / std::max(-least, most) : 0;
  std::vector<std::int8_t> bytes;
  for (const float d : detail) bytes.push_back(static_cast<std::int8_t>(std::lround(d * scale)));
  return bytes;
}

double correlation(const std::vector<std::int8_t>& a, const std::vector<std::int8_t>& b) {
  std::int32_t ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return aa == 0 || bb == 0 ? 0 : ab / std::sqrt(static_cast<double>(aa) * bb);
}

std::vector<std::size_t> same_parts(const std::vector<Sample>& samples, const ImageSource& source, double least,
                                    int threads, const std::function<void()>& on_image,
                                    const std::function<bool()>& stop) {
  const std::size_t n = samples.size();
  std::vector<std::vector<std::int8_t>> details(n);
  std::mutex mutex;
  const auto each = [&](const std::function<void(std::size_t)>& work) {
    if (!for_each_index(n, threads, stop, work)) throw Error("interrupted while images were compared");
  };
  each([&](std::size_t i) {
    const Image image = source.load(samples[i]);
    details[i] = in_bytes(fine_detail(Grey(image).resized(kPartSide, kPartSide), kPartSide, kPartSide));
    const std::scoped_lock lock(mutex);
    on_image();
  });
  // Chains lead to the first image of a part, whatever the order in which pairs are joined.
  std::vector<std::size_t> part(n);
  std::iota(part.begin(), part.end(), 0);
  const auto first_of = [&](std::size_t i) {
    while (part[i] != i) i = part[i] = part[part[i]];
    return i;
  };
  each([&](std::size_t i) {
    std::vector<std::size_t> alike;
    for (std::size_t j = 0; j < i; ++j)
      if (correlation(details[i], details[j]) > least) alike.push_back(j);
    const std::scoped_lock lock(mutex);
    for (const std::size_t j : alike) {
      const std::size_t a = first_of(i), b = first_of(j);
      part[std::max(a, b)] = std::min(a, b);
    }
  });
  for (std::size_t i = 0; i < n; ++i) part[i] = first_of(i);
  return part;
}

}  // namespace pgad
