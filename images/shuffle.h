#pragma once
// A shuffle whose result depends on the seed alone, not on the platform's standard library: splits are part
// of a result and must be the same everywhere.

#include <cstdint>
#include <utility>
#include <vector>

namespace pgad {

// Steele, Lea and Flood's SplitMix64.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  // Uniform in [0, bound), bound > 0; without the bias of a bare modulo.
  std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t first_whole = (0 - bound) % bound;  // 2^64 mod bound
    std::uint64_t r;
    do {
      r = next();
    } while (r < first_whole);
    return r % bound;
  }

 private:
  std::uint64_t state_;
};

// Fisher-Yates.
template <class T>
void shuffle(std::vector<T>& items, SplitMix64& random) {
  for (std::size_t i = items.size(); i > 1; --i) {
    std::swap(items[i - 1], items[static_cast<std::size_t>(random.below(i))]);
  }
}

}  // namespace pgad
