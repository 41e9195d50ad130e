#pragma once
// PGGAN's generator (Karras et al. 2018, table 2): latent -> image of side 2^level, NHWC. No tanh: images live in
// [-1, 1] because the real ones do.

#include <vector>

#include "layers/equalized.h"
#include "layers/network_config.h"

namespace pgad {

class Generator {
 public:
  Generator(Exec& exec, const NetworkConfig& config, Seed seed, DType dtype = DType::kF32);

  // z [n, d] -> [n, 2^level, 2^level, channels]. old_weight: the fade's weight of the previous size's path, a [1]
  // constant in [0, 1]; undefined once the new size stands alone. level in [2, log2 resolution].
  Var forward(const Var& z, int level, const Var& old_weight = {}) const;

  // All parameters, in the order of the file; and those that an image at this level depends on.
  std::vector<Parameter> parameters() const;
  std::vector<Parameter> active_parameters(int level, bool fading) const;

 private:
  struct Block {  // side 2^level, level >= 3
    EqualizedConv conv0, conv1;
  };
  EqualizedDense dense_;
  EqualizedConv conv_;                 // 4x4
  std::vector<Block> blocks_;          // from 8x8
  std::vector<EqualizedConv> to_rgb_;  // from 4x4
};

}  // namespace pgad
