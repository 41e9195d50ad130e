#pragma once
// Which images of a data set trained a model and which were held out to calibrate it, remembered by their names: a
// folder that gains or loses images must not move one from one side to the other.

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/hash.h"

namespace pgad {

struct RememberedSplit {
  std::vector<std::uint64_t> train, calibration;  // fnv1a of Sample::name, ascending; normals and known abnormals
  std::int64_t images = 0;  // that were divided: all of IDX files and class folders, else those below train/

  bool empty() const { return train.empty() && calibration.empty(); }
  bool trained(std::string_view name) const { return std::ranges::binary_search(train, fnv1a(name)); }
  bool calibrated(std::string_view name) const { return std::ranges::binary_search(calibration, fnv1a(name)); }
};

}  // namespace pgad
