#pragma once

#include <cstddef>
#include <random>
#include <vector>

namespace pgad::test {

// Uniform in [-1, 1).
inline std::vector<float> noise(std::size_t count, unsigned seed) {
  std::mt19937 rng(seed);
  std::uniform_real_distribution<float> value(-1, 1);
  std::vector<float> out(count);
  for (float& v : out) v = value(rng);
  return out;
}

}  // namespace pgad::test
