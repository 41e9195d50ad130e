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
  const int side = model_.side(), channels = model_.preprocessing.channels;
  std::vector<std::vector<FeatureDifferences>> all;
  std::vector<std::size_t> unknown;
  std::vector<float> queries, drawn;
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    all.push_back(tiles[i].features);
    if (!all[i].empty()) continue;
    unknown.push_back(i);
    queries.insert(queries.end(), tiles[i].query.begin(), tiles[i].query.end());
    drawn.insert(drawn.end(), tiles[i].reconstruction.begin(), tiles[i].reconstruction.end());
  }
  if (unknown.empty()) return all;
  const HistoryScope off(false);
  const PreparedScope scope(exec_, prepared_);
  const auto maps = [&](const std::vector<float>& images) {
    const auto n = static_cast<std::int64_t>(unknown.size());
    return model_.d->feature_maps(Var(exec_, exec_.from<float>(images, {n, side, side, channels})),
                                  model_.stage(exec_));
  };
  const std::vector<Var> of_queries = maps(queries), of_drawn = maps(drawn);
  for (std::size_t l = 0; l < of_queries.size(); ++l) {
    std::vector<FeatureDifferences> size = feature_differences(exec_, of_queries[l].value(), of_drawn[l].value());
    for (std::size_t i = 0; i < unknown.size(); ++i) all[unknown[i]].push_back(std::move(size[i]));
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
