#include "inspection/feature_maps.h"

#include <algorithm>
#include <cmath>

#include "images/preprocess.h"

namespace pgad {
namespace {

// Of a channel that hardly ever differs nothing should become a large deviation.
constexpr double kSpreadFloor = 0.1;  // of the size's mean spread

}  // namespace

std::vector<std::vector<FeatureDifferences>> FeatureComparison::differences(std::span<const SearchResult> tiles) {
  const auto n = static_cast<std::int64_t>(tiles.size());
  const int side = model_.side(), channels = model_.preprocessing.channels;
  std::vector<float> both;
  for (const SearchResult& tile : tiles) both.insert(both.end(), tile.query.begin(), tile.query.end());
  for (const SearchResult& tile : tiles)
    both.insert(both.end(), tile.reconstruction.begin(), tile.reconstruction.end());
  std::vector<std::vector<FeatureDifferences>> all(tiles.size());
  if (tiles.empty()) return all;
  const HistoryScope off(false);
  const PreparedScope scope(exec_, prepared_);
  const Var images(exec_, exec_.from<float>(both, {2 * n, side, side, channels}));
  for (const Var& features : model_.d->feature_maps(images, model_.stage(exec_))) {
    const std::vector<float> values = exec_.read<float>(features.value());
    const Shape& shape = features.shape();
    const std::size_t half = values.size() / 2, one = half / tiles.size();
    for (std::size_t i = 0; i < tiles.size(); ++i) {
      FeatureDifferences d{static_cast<int>(shape[1]), static_cast<int>(shape[3]), std::vector<float>(one)};
      const float *query = &values[i * one], *drawn = &values[half + i * one];
      for (std::size_t k = 0; k < one; ++k) d.values[k] = std::abs(query[k] - drawn[k]);
      all[i].push_back(std::move(d));
    }
  }
  return all;
}

std::vector<std::vector<float>> FeatureComparison::maps(std::span<const SearchResult> tiles) {
  const FeatureMoments& m = model_.features;
  const int side = model_.side();
  std::vector<std::vector<float>> maps;
  for (const std::vector<FeatureDifferences>& all : differences(tiles)) {
    PGAD_CHECK(m.mean.size() == all.size(), m.mean.size(), " sizes of moments, ", all.size(), " of features");
    std::vector<float>& map = maps.emplace_back(static_cast<std::size_t>(side) * static_cast<std::size_t>(side));
    for (std::size_t l = 0; l < all.size(); ++l) {
      const auto channels = static_cast<std::size_t>(all[l].maps);
      std::vector<float> means, share;  // of a channel's deviation in the mean over channels and sizes
      for (const float spread : m.spread[l]) share.push_back(1 / (spread * static_cast<float>(channels * all.size())));
      for (std::size_t i = 0; i < all[l].values.size(); i += channels) {
        float sum = 0;
        for (std::size_t c = 0; c < channels; ++c) sum += (all[l].values[i + c] - m.mean[l][c]) * share[c];
        means.push_back(sum);
      }
      const std::vector<float> large = resize(means, all[l].side, all[l].side, 1, side, side);
      for (std::size_t i = 0; i < map.size(); ++i) map[i] += large[i];
    }
  }
  return maps;
}

void FeatureMomentsOf::add(const std::vector<FeatureDifferences>& all) {
  sum_.resize(all.size());
  square_.resize(all.size());
  count_.resize(all.size());
  for (std::size_t l = 0; l < all.size(); ++l) {
    const auto maps = static_cast<std::size_t>(all[l].maps);
    sum_[l].resize(maps);
    square_[l].resize(maps);
    for (std::size_t i = 0; i < all[l].values.size(); i += maps)
      for (std::size_t c = 0; c < maps; ++c) {
        const double v = all[l].values[i + c];
        sum_[l][c] += v;
        square_[l][c] += v * v;
      }
    count_[l] += std::int64_t{all[l].side} * all[l].side;
  }
}

FeatureMoments FeatureMomentsOf::finish() const {
  FeatureMoments m;
  for (std::size_t l = 0; l < sum_.size(); ++l) {
    const auto n = static_cast<double>(count_[l]);
    std::vector<float> means, spreads;
    double average = 0;
    for (std::size_t c = 0; c < sum_[l].size(); ++c) {
      const double mean = sum_[l][c] / n, spread = std::sqrt(std::max(0.0, square_[l][c] / n - mean * mean));
      means.push_back(static_cast<float>(mean));
      spreads.push_back(static_cast<float>(spread));
      average += spread / static_cast<double>(sum_[l].size());
    }
    for (float& s : spreads) s = std::max(s, static_cast<float>(kSpreadFloor * average + 1e-12));
    m.mean.push_back(std::move(means));
    m.spread.push_back(std::move(spreads));
  }
  return m;
}

}  // namespace pgad
