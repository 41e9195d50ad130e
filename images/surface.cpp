#include "images/surface.h"

#include <algorithm>
#include <cmath>

#include "engine/check.h"

namespace pgad {
namespace {

constexpr float kLimit = 4, kLeastSpread = 1.0f / 32, kLeastVariance = 0.04f;
constexpr double kDeciles = 2.563;  // distance of the 10th and the 90th percentile of a standard normal distribution

float luma(const float* pixel, int channels) {
  return channels == 1 ? pixel[0] : 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2];
}

// Means over squares within the image, [height, width]; sums of doubles along rows, then along columns.
std::vector<float> square_means(const std::vector<float>& values, int height, int width) {
  const auto pass = [](const auto& value_at, int length, const auto& store) {
    std::vector<double> sums(static_cast<std::size_t>(length) + 1);
    for (int i = 0; i < length; ++i)
      sums[static_cast<std::size_t>(i) + 1] = sums[static_cast<std::size_t>(i)] + value_at(i);
    for (int i = 0; i < length; ++i) {
      const int first = std::max(0, i - kSurroundings), end = std::min(length, i + kSurroundings + 1);
      store(i, static_cast<float>((sums[static_cast<std::size_t>(end)] - sums[static_cast<std::size_t>(first)]) /
                                  (end - first)));
    }
  };
  std::vector<float> out(values.size());
  const auto w = static_cast<std::size_t>(width);
  for (std::size_t y = 0; y < static_cast<std::size_t>(height); ++y)
    pass([&](int x) { return values[y * w + static_cast<std::size_t>(x)]; }, width,
         [&](int x, float v) { out[y * w + static_cast<std::size_t>(x)] = v; });
  for (std::size_t x = 0; x < w; ++x)
    pass([&](int y) { return out[static_cast<std::size_t>(y) * w + x]; }, height,
         [&](int y, float v) { out[static_cast<std::size_t>(y) * w + x] = v; });
  return out;
}

}  // namespace

Brightness brightness_of(std::span<const float> pixels, int channels) {
  std::vector<float> values;
  values.reserve(pixels.size() / static_cast<std::size_t>(channels));
  for (std::size_t i = 0; i < pixels.size(); i += static_cast<std::size_t>(channels))
    values.push_back(luma(&pixels[i], channels));
  PGAD_CHECK(!values.empty());
  const auto percentile = [&](double share) {
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::ranges::nth_element(values, at);
    return *at;
  };
  const float low = percentile(0.1), median = percentile(0.5), high = percentile(0.9);
  return {median, std::max(kLeastSpread, static_cast<float>((high - low) / kDeciles))};
}

void to_units_of(const Brightness& brightness, std::span<float> pixels) {
  for (float& v : pixels) v = (v - brightness.median) / brightness.spread;
}

void from_units_of(const Brightness& brightness, std::span<float> pixels) {
  for (float& v : pixels) v = std::clamp(v * brightness.spread + brightness.median, -1.0f, 1.0f);
}

void normalise(const Brightness& brightness, std::span<float> pixels) {
  for (float& v : pixels) v = std::clamp((v - brightness.median) / (kNetworkRange * brightness.spread), -1.0f, 1.0f);
}

void from_normalised(const Brightness& brightness, std::span<float> pixels) {
  for (float& v : pixels) v = std::clamp(v * kNetworkRange * brightness.spread + brightness.median, -1.0f, 1.0f);
}

std::vector<float> critic_input(std::span<const float> pixels, int height, int width, int channels,
                                const Brightness& brightness) {
  const auto n = static_cast<std::size_t>(height) * static_cast<std::size_t>(width);
  const auto c = static_cast<std::size_t>(channels);
  PGAD_CHECK(pixels.size() == n * c, pixels.size(), " values for ", height, "x", width, "x", channels);
  std::vector<float> out(n * (c + 1)), grey(n), squares(n);
  for (std::size_t i = 0; i < n; ++i) {
    float scaled[3];
    for (std::size_t k = 0; k < c; ++k) {
      scaled[k] = (pixels[i * c + k] - brightness.median) / brightness.spread;
      out[i * (c + 1) + k] = std::clamp(scaled[k], -kLimit, kLimit);
    }
    grey[i] = luma(scaled, channels);
  }
  const std::vector<float> means = square_means(grey, height, width);
  for (std::size_t i = 0; i < n; ++i) {
    grey[i] -= means[i];
    squares[i] = grey[i] * grey[i];
  }
  const std::vector<float> variances = square_means(squares, height, width);
  for (std::size_t i = 0; i < n; ++i)
    out[i * (c + 1) + c] = std::clamp(grey[i] / std::sqrt(variances[i] + kLeastVariance), -kLimit, kLimit);
  return out;
}

}  // namespace pgad
