#include "training/sliced_wasserstein.h"

#include <algorithm>
#include <cmath>

#include "engine/rng.h"
#include "kernels/parallel.h"

namespace pgad {
namespace {

constexpr int kSmallestSide = 16;

struct Images {
  std::int64_t n;
  int side, channels;
  std::vector<float> values;  // [n, side, side, channels]

  float at(std::int64_t i, int y, int x, int c) const {
    return values[static_cast<std::size_t>(((i * side + y) * side + x) * channels + c)];
  }
};

// An index beyond the border is mirrored at the outermost pixel: -1 is 1.
int reflected(int i, int side) { return i < 0 ? -i : i >= side ? 2 * side - 2 - i : i; }

// Burt and Adelson's filter, 1 4 6 4 1, along one axis.
Images smoothed(const Exec& exec, const Images& in, bool along_x) {
  static constexpr float kTaps[] = {1.f / 16, 4.f / 16, 6.f / 16, 4.f / 16, 1.f / 16};
  Images out = in;
  parallel_for(exec, in.n, 1, [&](std::int64_t begin, std::int64_t end) {
    std::size_t o = static_cast<std::size_t>(begin * in.side * in.side * in.channels);
    for (std::int64_t i = begin; i < end; ++i)
      for (int y = 0; y < in.side; ++y)
        for (int x = 0; x < in.side; ++x)
          for (int c = 0; c < in.channels; ++c) {
            float sum = 0;
            for (int t = -2; t <= 2; ++t)
              sum += kTaps[t + 2] *
                     (along_x ? in.at(i, y, reflected(x + t, in.side), c) : in.at(i, reflected(y + t, in.side), x, c));
            out.values[o++] = sum;
          }
  });
  return out;
}

Images halved(const Exec& exec, const Images& in) {
  const Images smooth = smoothed(exec, smoothed(exec, in, true), false);
  Images out{in.n, in.side / 2, in.channels, {}};
  out.values.reserve(in.values.size() / 4);
  for (std::int64_t i = 0; i < in.n; ++i)
    for (int y = 0; y < in.side; y += 2)
      for (int x = 0; x < in.side; x += 2)
        for (int c = 0; c < in.channels; ++c) out.values.push_back(smooth.at(i, y, x, c));
  return out;
}

// To the double size: zeros in between, smoothed.
Images doubled(const Exec& exec, const Images& in) {
  Images out{in.n, 2 * in.side, in.channels, {}};
  out.values.reserve(4 * in.values.size());
  for (std::int64_t i = 0; i < in.n; ++i)
    for (int y = 0; y < out.side; ++y)
      for (int x = 0; x < out.side; ++x)
        for (int c = 0; c < in.channels; ++c)
          out.values.push_back(x % 2 == 0 && y % 2 == 0 ? 4 * in.at(i, y / 2, x / 2, c) : 0);
  return smoothed(exec, smoothed(exec, out, true), false);
}

// What each size adds to the next smaller one; the smallest is left as it is.
std::vector<Images> laplacian_pyramid(const Exec& exec, Images image) {
  std::vector<Images> sizes;
  while (image.side > kSmallestSide) {
    Images half = halved(exec, image);
    const Images known = doubled(exec, half);
    for (std::size_t i = 0; i < image.values.size(); ++i) image.values[i] -= known.values[i];
    sizes.push_back(std::move(image));
    image = std::move(half);
  }
  sizes.push_back(std::move(image));
  return sizes;
}

// Patches [n * patches_per_image, patch * patch * channels] at places drawn by (seed, stream), normalised per channel.
std::vector<float> patches_of(const Images& images, const SlicedWassersteinConfig& config, std::uint64_t stream) {
  Rng rng(config.seed, stream);
  const int places = images.side - config.patch + 1;
  const auto channels = static_cast<std::size_t>(images.channels);
  std::vector<float> patches;
  for (std::int64_t i = 0; i < images.n; ++i)
    for (int k = 0; k < config.patches_per_image; ++k) {
      const int y0 = static_cast<int>(rng.uniform() * places), x0 = static_cast<int>(rng.uniform() * places);
      for (int y = y0; y < y0 + config.patch; ++y)
        for (int x = x0; x < x0 + config.patch; ++x)
          for (int c = 0; c < images.channels; ++c) patches.push_back(images.at(i, y, x, c));
    }
  for (std::size_t c = 0; c < channels; ++c) {
    double sum = 0, square = 0;
    for (std::size_t i = c; i < patches.size(); i += channels) {
      sum += static_cast<double>(patches[i]);
      square += static_cast<double>(patches[i]) * static_cast<double>(patches[i]);
    }
    const double count = static_cast<double>(patches.size() / channels), mean = sum / count,
                 deviation = std::sqrt(std::max(0.0, square / count - mean * mean));
    const double factor = deviation > 1e-12 ? 1 / deviation : 0;  // a flat set has nothing to be scaled
    for (std::size_t i = c; i < patches.size(); i += channels)
      patches[i] = static_cast<float>((static_cast<double>(patches[i]) - mean) * factor);
  }
  return patches;
}

// [directions, size], each of length 1.
std::vector<float> random_directions(int directions, std::size_t size, std::uint64_t seed, std::uint64_t stream) {
  Rng rng(seed, stream);
  std::vector<float> all(static_cast<std::size_t>(directions) * size);
  for (std::size_t d = 0; d < static_cast<std::size_t>(directions); ++d) {
    const std::span<float> line(all.data() + d * size, size);
    double square = 0;
    for (float& v : line) {
      v = static_cast<float>(rng.normal());
      square += static_cast<double>(v) * static_cast<double>(v);
    }
    for (float& v : line) v = static_cast<float>(v / std::sqrt(square));
  }
  return all;
}

// Where the patches lie on a line, in order.
std::vector<float> projected(std::span<const float> patches, std::span<const float> line) {
  std::vector<float> places;
  places.reserve(patches.size() / line.size());
  for (std::size_t at = 0; at < patches.size(); at += line.size())
    places.push_back(lane_sum<float>(static_cast<std::int64_t>(line.size()), [&](std::int64_t i) {
      return patches[at + static_cast<std::size_t>(i)] * line[static_cast<std::size_t>(i)];
    }));
  std::ranges::sort(places);
  return places;
}

}  // namespace

std::vector<double> sliced_wasserstein(const Exec& exec, std::span<const float> real, std::span<const float> drawn,
                                       std::int64_t n, int side, int channels, const SlicedWassersteinConfig& config) {
  PGAD_CHECK(n > 0 && static_cast<std::int64_t>(real.size()) == n * side * side * channels &&
                 drawn.size() == real.size() && config.patch <= std::min(side, kSmallestSide),
             n, " images of ", side, "x", side, "x", channels, ": ", real.size(), " and ", drawn.size(), " values");
  const auto pyramid = [&](std::span<const float> values) {
    return laplacian_pyramid(exec, {n, side, channels, {values.begin(), values.end()}});
  };
  const std::vector<Images> of_real = pyramid(real), of_drawn = pyramid(drawn);
  std::vector<double> distances;
  for (std::size_t level = 0; level < of_real.size(); ++level) {
    // The same places and lines for both sets: equal sets are at distance 0.
    const std::vector<float> a = patches_of(of_real[level], config, 2 * level),
                             b = patches_of(of_drawn[level], config, 2 * level);
    const std::size_t size = static_cast<std::size_t>(config.patch * config.patch * channels);
    const std::vector<float> lines = random_directions(config.directions, size, config.seed, 2 * level + 1);
    std::vector<double> by_line(static_cast<std::size_t>(config.directions));
    parallel_for(exec, config.directions, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t d = begin; d < end; ++d) {
        const std::span<const float> line(lines.data() + static_cast<std::size_t>(d) * size, size);
        const std::vector<float> x = projected(a, line), y = projected(b, line);
        double sum = 0;
        for (std::size_t i = 0; i < x.size(); ++i)
          sum += std::fabs(static_cast<double>(x[i]) - static_cast<double>(y[i]));
        by_line[static_cast<std::size_t>(d)] = sum / static_cast<double>(x.size());
      }
    });
    double sum = 0;
    for (const double distance : by_line) sum += distance;
    distances.push_back(1000 * sum / static_cast<double>(config.directions));
  }
  return distances;
}

}  // namespace pgad
