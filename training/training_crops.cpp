#include "training/training_crops.h"

#include <numeric>

#include "engine/rng.h"

namespace pgad {

long ShuffledPasses::at(long images, std::int64_t position) {
  const std::int64_t pass = position / images;
  if (pass != pass_ || order_.size() != static_cast<std::size_t>(images)) {
    pass_ = pass;
    order_.resize(static_cast<std::size_t>(images));
    std::iota(order_.begin(), order_.end(), 0L);
    Rng rng(seed_, stream_ + static_cast<std::uint64_t>(pass));
    shuffle(order_, rng);
  }
  return order_[static_cast<std::size_t>(position % images)];
}

void fetch_images(TrainingImages& images, const DataConfig& config, std::span<const long> indices, std::uint64_t seed,
                  std::uint64_t stream, int side, float* out) {
  if (!images.preprocessing().tiles) return images.fetch(indices, side, out);
  const int full = images.preprocessing().resolution, channels = images.channels();
  std::vector<Rng> generators;
  for (std::size_t i = 0; i < indices.size(); ++i) generators.emplace_back(seed, stream + i);
  for (Crop& crop : images.crops(indices, generators, {config.mirror, config.turns, config.jitter, 0})) {
    if (images.preprocessing().normalise) normalise(crop.brightness, crop.pixels);
    shrink_square(crop.pixels, full, side, channels, out);
    out += std::ptrdiff_t{side} * side * channels;
  }
}

SurfaceCrop surface_of(Crop crop, int channels) {
  to_units_of(crop.brightness, crop.pixels);
  return {crop.height, channels, std::move(crop.pixels), std::move(crop.mask)};
}

void shrink_square(std::span<const float> image, int from, int to, int channels, float* out) {
  const auto factor = static_cast<std::size_t>(from / to), c = static_cast<std::size_t>(channels),
             row = static_cast<std::size_t>(from) * c, columns = static_cast<std::size_t>(to);
  const float share = 1.0f / static_cast<float>(factor * factor);
  for (std::size_t y = 0; y < columns; ++y)
    for (std::size_t x = 0; x < columns; ++x)
      for (std::size_t k = 0; k < c; ++k) {
        float sum = 0;
        for (std::size_t dy = 0; dy < factor; ++dy)
          for (std::size_t dx = 0; dx < factor; ++dx) sum += image[(y * factor + dy) * row + (x * factor + dx) * c + k];
        *out++ = sum * share;
      }
}

}  // namespace pgad
