#include "training/critic_crops.h"

#include <algorithm>
#include <cmath>

#include "engine/check.h"

namespace pgad {
namespace {

// Streams of random numbers; the crop's place is added.
constexpr std::uint64_t kNormalPasses = 0x70617463'68000000, kForeignPasses = 0x70617463'68100000,
                        kAbnormalPasses = 0x70617463'68200000, kCropPlaces = 0x70617501'00000000,
                        kForeignPlaces = 0x70617502'00000000, kDrawings = 0x70617503'00000000;

constexpr int kMargin = 8;               // crops may reach so far beyond the image, pixels
constexpr float kShare = 0.1f;           // of a cell's pixels that make it abnormal
constexpr float kVisible = 0.25f;        // mean change, in spreads of the image, below which a drawn defect is in doubt
constexpr float kAbnormalShare = 0.18f;  // of a crop's cells: the weight that its abnormal ones have together, within
constexpr float kLeastWeight = 0.25f, kMostWeight = 4;  // each, the latter of 16x16 cells, more of more
constexpr float kMostWeightCells = 256;
constexpr float kBesideKnown = 0.3f;  // weight of unmarked cells in crops of known defects: masks are not exact
// Of the abnormal crops, where there are known ones.
constexpr double kKnownShare = 0.35, kPastedShare = 0.25, kSyntheticShare = 0.4;
constexpr double kContrast = 0.15, kShift = 0.2;  // of the jitter

}  // namespace

CriticCrops::CriticCrops(TrainingImages& normal, TrainingImages& abnormal, const DataConfig& data,
                         const PatchCriticConfig& config, bool synthetic, std::uint64_t seed)
    : normal_(normal),
      abnormal_(abnormal),
      data_(data),
      config_(config),
      synthetic_(synthetic || abnormal.size() == 0),
      seed_(seed),
      normal_order_(seed, kNormalPasses),
      foreign_order_(seed, kForeignPasses),
      abnormal_order_(seed, kAbnormalPasses) {
  PGAD_CHECK(normal.preprocessing().tiles && side() % config.cell == 0, "cells of ", config.cell, " in ", side());
  for (long i = 0; config.paste && i < abnormal.size(); ++i) {
    const Crop image = abnormal.whole(i);
    if (std::ranges::all_of(image.mask, [](std::uint8_t m) { return m != 0; })) continue;  // no surface around it
    std::vector<float> pixels = image.pixels;
    to_units_of(image.brightness, pixels);
    for (DefectCut& cut : cut_defects(pixels, image.mask, image.height, image.width, abnormal.channels()))
      cuts_.push_back(std::move(cut));
  }
}

CriticCrops::Kind CriticCrops::kind_of(std::int64_t place, Rng& rng) const {
  if (place % 2 == 0) return Kind::kNormal;
  if (abnormal_.size() == 0) return Kind::kSynthetic;
  const double u = rng.uniform() * (kKnownShare + kPastedShare + (synthetic_ ? kSyntheticShare : 0));
  if (u >= kKnownShare + kPastedShare) return Kind::kSynthetic;
  return u < kKnownShare || cuts_.empty() ? Kind::kKnown : Kind::kPasted;
}

Augmentation CriticCrops::augmentation() const {
  return {.mirror = data_.mirror, .turns = data_.turns, .side = side(), .margin = kMargin};
}

// Of so many crops of the image, the one whose pixels vary most.
SurfaceCrop CriticCrops::normal_crop(std::int64_t place, Rng& rng, std::uint64_t stream, int draws) {
  const long index = (stream == kForeignPlaces ? foreign_order_ : normal_order_).at(normal_.size(), place);
  std::vector<SurfaceCrop> crops;
  for (int i = 0; i < draws; ++i)
    crops.push_back(surface_of(std::move(normal_.crops(std::span(&index, 1), std::span(&rng, 1), augmentation())[0]),
                               normal_.channels()));
  return std::move(*std::ranges::max_element(crops, {}, variance));
}

void CriticCrops::draw_synthetic(const SurfaceCrop& foreign, Rng& rng, SurfaceCrop& crop) const {
  // Defects are drawn in proportion to their square: in those of larger crops they would all be large.
  const int network = normal_.preprocessing().resolution, least = std::min(network, crop.side);
  const auto extent =
      static_cast<int>(std::lround(least * std::exp(rng.uniform() * std::log(static_cast<double>(crop.side) / least))));
  if (extent >= crop.side) return draw_synthetic_defect(foreign, rng, crop);
  auto [top, left, square] =
      random_square(crop.pixels, crop.side, crop.side, crop.channels, extent, config_.on_objects ? kPlaces : 1, rng);
  draw_synthetic_defect(square_of(foreign.pixels, crop.side, crop.side, crop.channels, top, left, extent), rng, square);
  const std::ptrdiff_t c = crop.channels, row = extent * c;
  for (int y = 0; y < extent; ++y) {
    const std::ptrdiff_t to = std::ptrdiff_t{top + y} * crop.side + left;
    std::copy_n(square.pixels.begin() + y * row, row, crop.pixels.begin() + to * c);
    std::copy_n(square.mask.begin() + std::ptrdiff_t{y} * extent, extent, crop.mask.begin() + to);
  }
}

void CriticCrops::fetch(std::int64_t first, std::span<float> inputs, std::span<float> targets,
                        std::span<float> weights) {
  const auto cell_count = static_cast<std::size_t>(cells()) * static_cast<std::size_t>(cells());
  const std::size_t floats =
      static_cast<std::size_t>(side()) * static_cast<std::size_t>(side()) * static_cast<std::size_t>(channels());
  PGAD_CHECK(targets.size() % cell_count == 0 && weights.size() == targets.size() &&
                 inputs.size() == targets.size() / cell_count * floats,
             inputs.size(), " inputs, ", targets.size(), " targets");
  const auto count = static_cast<std::int64_t>(targets.size() / cell_count);
  for (std::int64_t n = 0; n < count; ++n) {
    const std::int64_t place = first + n;
    Rng draw(seed_, kDrawings + static_cast<std::uint64_t>(place)),
        where(seed_, kCropPlaces + static_cast<std::uint64_t>(place));
    const auto at = static_cast<std::size_t>(n);
    const std::span<float> target = targets.subspan(at * cell_count, cell_count),
                           weight = weights.subspan(at * cell_count, cell_count);
    const Kind kind = kind_of(place, draw);
    SurfaceCrop crop;
    if (kind == Kind::kKnown) {
      const long index = abnormal_order_.at(abnormal_.size(), place / 2);
      crop = surface_of(std::move(abnormal_.crops(std::span(&index, 1), std::span(&where, 1), augmentation())[0]),
                        abnormal_.channels());
      judge_cells(crop, nullptr, target, weight);
      for (std::size_t i = 0; i < cell_count; ++i)
        if (target[i] == 0) weight[i] *= kBesideKnown;
    } else {
      const bool busy = config_.on_objects && (kind != Kind::kNormal || draw.uniform() < 0.5);
      crop = normal_crop(place, where, kCropPlaces, busy ? kPlaces : 1);
      const SurfaceCrop before = crop;
      if (kind == Kind::kPasted) {
        paste_defect(cuts_[draw.below(static_cast<std::uint32_t>(cuts_.size()))], draw, crop);
      } else if (kind == Kind::kSynthetic) {
        Rng elsewhere(seed_, kForeignPlaces + static_cast<std::uint64_t>(place));
        draw_synthetic(normal_crop(place, elsewhere, kForeignPlaces), draw, crop);
      }
      judge_cells(crop, &before, target, weight);
    }
    const auto contrast = static_cast<float>(std::exp(kContrast * draw.normal())),
               shift = static_cast<float>(kShift * draw.normal());
    for (float& v : crop.pixels) v = v * contrast + shift;
    const std::vector<float> input = critic_input(crop.pixels, crop.side, crop.side, crop.channels, {0, 1});
    std::ranges::copy(input, inputs.begin() + static_cast<std::ptrdiff_t>(at * floats));
  }
}

void CriticCrops::judge_cells(const SurfaceCrop& crop, const SurfaceCrop* before, std::span<float> targets,
                              std::span<float> weights) const {
  const auto cell = static_cast<std::size_t>(config_.cell), columns = static_cast<std::size_t>(cells()),
             width = static_cast<std::size_t>(crop.side), c = static_cast<std::size_t>(crop.channels);
  const std::size_t rim = config_.cell < 8 ? (8 / cell) / 2 : 1;  // its surroundings are not those of the image
  float abnormal = 0;
  for (std::size_t row = 0; row < columns; ++row)
    for (std::size_t column = 0; column < columns; ++column) {
      float marked = 0, change = 0;
      for (std::size_t y = row * cell; y < (row + 1) * cell; ++y)
        for (std::size_t x = column * cell; x < (column + 1) * cell; ++x) {
          const std::size_t pixel = y * width + x;
          if (crop.mask[pixel] == 0) continue;
          ++marked;
          if (before != nullptr)
            for (std::size_t k = 0; k < c; ++k)
              change += std::abs(crop.pixels[pixel * c + k] - before->pixels[pixel * c + k]) / static_cast<float>(c);
        }
      const std::size_t at = row * columns + column;
      const float share = marked / static_cast<float>(cell * cell);
      const bool visible = before == nullptr || change >= kVisible * marked;
      const bool rim_cell = row < rim || column < rim || row + rim >= columns || column + rim >= columns;
      targets[at] = share > kShare && visible ? 1.f : 0.f;
      weights[at] = rim_cell || (marked > 0 && targets[at] == 0) ? 0.f : 1.f;
      abnormal += targets[at] * weights[at];
    }
  if (abnormal == 0) return;
  const auto cells = static_cast<float>(targets.size());
  const float each = std::clamp(kAbnormalShare * cells / abnormal, kLeastWeight,
                                kMostWeight * std::max(1.f, cells / kMostWeightCells));
  for (std::size_t i = 0; i < targets.size(); ++i)
    if (targets[i] > 0) weights[i] *= each;
}

}  // namespace pgad
