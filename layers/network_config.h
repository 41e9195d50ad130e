#pragma once
// What networks are made by: their kind and sizes (Karras et al., ICLR 2018, table 2).

#include <algorithm>
#include <bit>
#include <string>

#include "engine/check.h"

namespace pgad {

// log2 of a side that is a power of two.
constexpr int level_of(int side) { return std::bit_width(static_cast<unsigned>(side)) - 1; }

enum class LatentDistribution { kUniform, kNormal };

struct NetworkConfig {
  std::string architecture = "pggan";  // see layers/network.h
  int resolution = 32;                 // side of the full-size image, a power of two in [8, 1024]
  int channels = 1;                    // 1 (grey) or 3 (RGB); a configuration may say 0: chosen by the training images
  int latent_size = 0;                 // d; 0 means fmap_max
  int fmap_base = 8192;
  int fmap_max = 512;
  LatentDistribution latent_distribution = LatentDistribution::kUniform;  // uniform on [-1,1]^d (the paper) or N(0,1)

  int latent() const { return latent_size > 0 ? latent_size : fmap_max; }
  // nf(s) = min(floor(fmap_base / 2^s), fmap_max); the block at side 2^r uses nf(r - 1).
  int feature_maps(int s) const { return std::min(fmap_base >> s, fmap_max); }
  int log2_resolution() const { return level_of(resolution); }
};

}  // namespace pgad
