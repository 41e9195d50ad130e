#pragma once
// Which images of a data set trained a model and which were held out to calibrate it, remembered by their names: a
// folder that gains or loses images must not move one from one side to the other.

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

namespace pgad {

// 64-bit FNV-1a of the bytes.
inline std::uint64_t fnv1a(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash;
}

struct RememberedSplit {
  std::vector<std::uint64_t> train, calibration;  // fnv1a of Sample::name, ascending; normals and known abnormals
  std::int64_t images = 0;  // that were divided: all of IDX files and class folders, else those below train/

  bool empty() const { return train.empty() && calibration.empty(); }
  bool trained(std::string_view name) const { return std::ranges::binary_search(train, fnv1a(name)); }
  bool calibrated(std::string_view name) const { return std::ranges::binary_search(calibration, fnv1a(name)); }
};

}  // namespace pgad
