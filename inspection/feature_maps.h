#pragma once
// Where D sees a difference between an image and its reconstruction: |f_l(x) - f_l(G(z))| at several sizes, each
// channel in units of what it is for normal surface (Schlegl et al., IPMI 2017, compare one layer and take the mean).

#include <cstdint>
#include <span>
#include <vector>

#include "model/model.h"

namespace pgad {

// Mean and spread of each channel's differences, over the places of tiles of held-out normals.
class FeatureMomentsOf {
 public:
  // query, reconstruction [s, s, channels], s = 2^level.
  void add(Exec& exec, const Model& model, std::span<const float> query, std::span<const float> reconstruction);
  FeatureMoments finish() const;  // empty if nothing was added

 private:
  std::vector<std::vector<double>> sum_, square_;  // by size, by channel
  std::vector<std::int64_t> count_;                // by size
};

// The mean over sizes and channels of the standardised differences, [s, s]; coarser sizes are enlarged bilinearly.
// Needs model.features. The same bits whatever was computed before.
std::vector<float> feature_map(Exec& exec, const Model& model, std::span<const float> query,
                               std::span<const float> reconstruction);

}  // namespace pgad
