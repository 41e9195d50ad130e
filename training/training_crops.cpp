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
                  std::uint64_t stream, int side, float* out, std::uint8_t* masks) {
  if (!images.preprocessing().tiles) return images.fetch(indices, side, out);
  const int full = images.preprocessing().resolution, channels = images.channels();
  std::vector<Rng> generators;
  for (std::size_t i = 0; i < indices.size(); ++i) generators.emplace_back(seed, stream + i);
  const Augmentation augmentation{config.mirror, config.turns, config.jitter};
  if (side == full) return images.fetch_crops(indices, generators, augmentation, out, masks);
  const auto count = static_cast<std::int64_t>(indices.size());
  std::vector<float> crops(static_cast<std::size_t>(count) * static_cast<std::size_t>(full) *
                           static_cast<std::size_t>(full) * static_cast<std::size_t>(channels));
  images.fetch_crops(indices, generators, augmentation, crops.data(), masks);
  shrink_squares(crops, count, full, side, channels, out);
}

void shrink_squares(std::span<const float> images, std::int64_t count, int from, int to, int channels, float* out) {
  const std::int64_t factor = from / to, c = channels, row = std::int64_t{from} * c;
  const float share = 1.0f / static_cast<float>(factor * factor);
  std::int64_t at = 0;
  for (std::int64_t y = 0; y < count * to; ++y)  // images lie below each other
    for (std::int64_t x = 0; x < to; ++x)
      for (std::int64_t k = 0; k < c; ++k) {
        float sum = 0;
        for (std::int64_t dy = 0; dy < factor; ++dy)
          for (std::int64_t dx = 0; dx < factor; ++dx)
            sum += images[static_cast<std::size_t>((y * factor + dy) * row + (x * factor + dx) * c + k)];
        out[at++] = sum * share;
      }
}

}  // namespace pgad
