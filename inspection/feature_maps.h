#pragma once
// Where D sees a difference between an image and its reconstruction: |f_l(x) - f_l(G(z))| at several sizes, each
// channel in units of what it is for normal surface (Schlegl et al., IPMI 2017, compare one layer and take the mean).

#include <cstdint>
#include <span>
#include <vector>

#include "engine/prepared_weights.h"
#include "inspection/search_queue.h"
#include "model/model.h"

namespace pgad {

// D on tiles and their reconstructions. Each tile's values have the same bits in any company. One thread at a time, the
// Exec's; D must not change while this exists.
class FeatureComparison {
 public:
  FeatureComparison(Exec& exec, const Model& model) : exec_(exec), model_(model) {}

  // By tile, by size, the largest first: the tile's own `features`, or where it has none, of its query and its
  // reconstruction.
  std::vector<std::vector<FeatureDifferences>> differences(std::span<const SearchResult> tiles);
  // By tile: the mean over sizes and channels of the differences in units of model.features, which there must be,
  // [s, s]; coarser sizes are enlarged bilinearly.
  std::vector<std::vector<float>> maps(std::span<const SearchResult> tiles);

 private:
  Exec& exec_;
  const Model& model_;
  PreparedWeights prepared_{/*constant=*/true};
};

// Mean and spread of each channel's differences, over the places of tiles of held-out normals.
class FeatureMomentsOf {
 public:
  void add(const std::vector<FeatureDifferences>& tile);
  FeatureMoments finish() const;  // empty if nothing was added

 private:
  std::vector<std::vector<double>> sum_, square_;  // by size, by channel
  std::vector<std::int64_t> count_;                // by size
};

}  // namespace pgad
