#include "inspection/feature_maps.h"

#include <algorithm>
#include <cmath>

#include "images/preprocess.h"

namespace pgad {
namespace {

// Of a channel that hardly ever differs nothing should become a large deviation.
constexpr double kSpreadFloor = 0.1;  // of the size's mean spread

// |f_l(x) - f_l(G(z))| by size, [side, side, maps].
struct Differences {
  int side, maps;
  std::vector<float> values;
};

std::vector<Differences> differences(Exec& exec, const Model& model, std::span<const float> query,
                                     std::span<const float> reconstruction) {
  const int side = model.side(), channels = model.preprocessing.channels;
  std::vector<float> both(query.begin(), query.end());
  both.insert(both.end(), reconstruction.begin(), reconstruction.end());
  const HistoryScope off(false);
  const Var images(exec, exec.from<float>(both, {2, side, side, channels}));
  std::vector<Differences> all;
  for (const Var& features : model.d->feature_maps(images, model.stage(exec))) {
    const std::vector<float> values = exec.read<float>(features.value());
    Differences d{static_cast<int>(features.shape()[1]), static_cast<int>(features.shape()[3]), {}};
    const std::size_t half = values.size() / 2;
    d.values.resize(half);
    for (std::size_t i = 0; i < half; ++i) d.values[i] = std::abs(values[i] - values[half + i]);
    all.push_back(std::move(d));
  }
  return all;
}

}  // namespace

void FeatureMomentsOf::add(Exec& exec, const Model& model, std::span<const float> query,
                           std::span<const float> reconstruction) {
  const std::vector<Differences> all = differences(exec, model, query, reconstruction);
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

std::vector<float> feature_map(Exec& exec, const Model& model, std::span<const float> query,
                               std::span<const float> reconstruction) {
  const std::vector<Differences> all = differences(exec, model, query, reconstruction);
  const FeatureMoments& m = model.features;
  PGAD_CHECK(m.mean.size() == all.size(), m.mean.size(), " sizes of moments, ", all.size(), " of features");
  const int side = model.side();
  std::vector<float> map(static_cast<std::size_t>(side) * static_cast<std::size_t>(side));
  for (std::size_t l = 0; l < all.size(); ++l) {
    const auto maps = static_cast<std::size_t>(all[l].maps);
    std::vector<float> means, share;  // of a channel's deviation in the mean over channels and sizes
    for (const float spread : m.spread[l]) share.push_back(1 / (spread * static_cast<float>(maps * all.size())));
    for (std::size_t i = 0; i < all[l].values.size(); i += maps) {
      float sum = 0;
      for (std::size_t c = 0; c < maps; ++c) sum += (all[l].values[i + c] - m.mean[l][c]) * share[c];
      means.push_back(sum);
    }
    const std::vector<float> large = resize(means, all[l].side, all[l].side, 1, side, side);
    for (std::size_t i = 0; i < map.size(); ++i) map[i] += large[i];
  }
  return map;
}

}  // namespace pgad
