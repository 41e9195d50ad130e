#pragma once
// A small fully convolutional network that judges each cell of an image: a critic of patches (as in Isola et al.,
// CVPR 2017) between normal surface and known, pasted or synthetic defects. It descends to half sizes and comes back up
// to the cells' with what it has seen there (Lin et al., "Feature pyramid networks", CVPR 2017).

#include "layers/equalized.h"
#include "layers/network.h"
#include "layers/patch_critic_config.h"

namespace pgad {

class PatchCritic final : public Network {
 public:
  // channels: of the input; member: from 0, names its parameters. Throws UsageError unless the cell is a power of two
  // below 2^levels.
  PatchCritic(Exec& exec, const PatchCriticConfig& config, int channels, Seed seed, int member = 0,
              DType dtype = DType::kF32);

  // x [n,h,w,channels], h and w multiples of granularity() -> logits [n, h / cell, w / cell, 1], larger is more
  // abnormal.
  Var forward(const Var& x) const;

  std::vector<Parameter> active_parameters(int, bool) const override { return parameters(); }
  int cell() const { return cell_; }
  int granularity() const { return granularity_; }
  int channels() const { return channels_; }
  // Pixels around a cell that its logit may depend on, in each direction.
  int reach() const { return 6 * granularity_; }

 private:
  struct Level {
    std::vector<EqualizedConv> convolutions;
    std::vector<EqualizedConv> lateral;  // 1x1, to the maps at the cells' size; none above it
    std::vector<EqualizedConv> merge;    // 3x3, after the coarser level was added; none at the coarsest
  };
  int cell_, granularity_, channels_, cell_level_;
  std::vector<Level> levels_;
  std::vector<EqualizedConv> head_;  // one
};

}  // namespace pgad
