#pragma once
// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
// The n-th number of a stream is a pure function of (key, stream, n): the same on every device, in any order, and
// nothing but the counters needs saving in a checkpoint.

#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace pgad {

using PhiloxBlock = std::array<std::uint32_t, 4>;

// Four words of the stream's block `index`.
inline PhiloxBlock philox(std::uint64_t key, std::uint64_t stream, std::uint64_t index) {
  std::uint32_t k0 = static_cast<std::uint32_t>(key), k1 = static_cast<std::uint32_t>(key >> 32);
  PhiloxBlock c = {static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                   static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)};
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = 0xD2511F53ull * c[0], p1 = 0xCD9E8D57ull * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<std::uint32_t>(p0)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

// In (0, 1), symmetric about 1/2, from the top 24 bits.
inline double unit_interval(std::uint32_t word) { return (static_cast<double>(word >> 8) + 0.5) / 16777216.0; }

// Box-Muller on two words; two independent N(0,1).
inline std::array<double, 2> normal_pair(std::uint32_t a, std::uint32_t b) {
  const double radius = std::sqrt(-2.0 * std::log(unit_interval(a)));
  const double angle = 6.283185307179586 * unit_interval(b);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

// Sequential view of one stream, for host code.
class Rng {
 public:
  Rng(std::uint64_t key, std::uint64_t stream) : key_(key), stream_(stream) {}
  std::uint32_t next_u32() {
    if (used_ == 4) {
      block_ = philox(key_, stream_, index_++);
      used_ = 0;
    }
    return block_[static_cast<std::size_t>(used_++)];
  }
  double uniform() { return unit_interval(next_u32()); }  // (0, 1)
  double normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    const std::uint32_t a = next_u32(), b = next_u32();
    const auto pair = normal_pair(a, b);
    spare_ = pair[1];
    has_spare_ = true;
    return pair[0];
  }
  // Uniform in [0, n), n > 0, without bias beyond 2^-32.
  std::uint32_t below(std::uint32_t n) {
    return static_cast<std::uint32_t>((static_cast<std::uint64_t>(next_u32()) * n) >> 32);
  }

 private:
  std::uint64_t key_, stream_, index_ = 0;
  PhiloxBlock block_{};
  int used_ = 4;
  double spare_ = 0;
  bool has_spare_ = false;
};

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

// Fisher and Yates's. The order depends on the generator alone, not on the platform's standard library: splits and the
// order of training are part of a result.
template <class T, class Random>
void shuffle(std::vector<T>& items, Random& random) {
  for (std::size_t i = items.size(); i > 1; --i)
    std::swap(items[i - 1], items[static_cast<std::size_t>(random.below(i))]);
}

}  // namespace pgad
