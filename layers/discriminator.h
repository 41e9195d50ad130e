#pragma once
// PGGAN's discriminator (Karras et al. 2018, table 2): image of side 2^level -> one unbounded score.

#include <vector>

#include "layers/equalized.h"
#include "layers/network_config.h"

namespace pgad {

// Samples per minibatch-stddev group: the largest size up to 4 that divides the batch.
std::int64_t stddev_group_size(std::int64_t batch);

class Discriminator {
 public:
  Discriminator(Exec& exec, const NetworkConfig& config, Seed seed, DType dtype = DType::kF32);

  struct Output {
    Var score;      // [n], logit (logistic) or critic value (wgan-gp)
    Var features;   // [n,4,4,c]: the last 4x4 map before minibatch-stddev, f of eq 3
    Var statistic;  // [groups], or the constant
  };
  // x [n, 2^level, 2^level, channels]. old_weight as in Generator::forward. statistic: a [1] constant that takes the
  // place of the batch's standard deviation, so that an image's score does not depend on its batch.
  Output forward(const Var& x, int level, const Var& old_weight = {}, const Var& statistic = {}) const;

  std::vector<Parameter> parameters() const;
  std::vector<Parameter> active_parameters(int level, bool fading) const;

 private:
  struct Block {  // side 2^level, level >= 3
    EqualizedConv conv0, conv1;
  };
  std::vector<EqualizedConv> from_rgb_;  // from 4x4
  std::vector<Block> blocks_;            // from 8x8
  EqualizedConv conv_;                   // 4x4
  EqualizedDense dense0_, dense1_;
};

}  // namespace pgad
