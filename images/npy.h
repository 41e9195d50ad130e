#pragma once
// NumPy's .npy: raw maps out, arrays in. Little endian, C order.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace pgad {

struct NpyArray {
  std::vector<std::int64_t> shape;  // empty: a scalar
  std::vector<float> values;        // row-major
};

// Writes float32, format 1.0, atomically. The product of `shape` must be values.size().
void write_npy(const std::string& path, std::span<const std::int64_t> shape, std::span<const float> values);

// Reads float32 or float64 (rounded to float), format 1.0 or 2.0. Throws Error on any other content.
NpyArray read_npy(const std::string& path);

}  // namespace pgad
