#pragma once
// The crops that the patch critic learns from: normal surface, known defects, these pasted on normal surface, and
// synthetic ones.

#include <cstdint>
#include <span>
#include <vector>

#include "images/defects.h"
#include "images/loader.h"
#include "layers/patch_critic_config.h"
#include "training/training_crops.h"

namespace pgad {

class CriticCrops {
 public:
  // The images are worked on in tiles; abnormal may be empty: then all defects are synthetic. synthetic: whether some
  // are beside the known ones.
  CriticCrops(TrainingImages& normal, TrainingImages& abnormal, const DataConfig& data, const PatchCriticConfig& config,
              bool synthetic, std::uint64_t seed);

  int side() const { return config_.crop > 0 ? config_.crop : normal_.preprocessing().resolution; }
  int channels() const { return normal_.channels() + 1; }  // of the inputs
  int cells() const { return side() / config_.cell; }      // to a side

  // Crops first, first + 1, ... of an endless row that depends on the seed and the images alone; half of them are
  // normal. inputs [n, side, side, channels] as critic_input() makes them; targets [n, cells, cells]: 1 for a cell that
  // shows a defect, 0 for one that does not; weights, the same: 0 for what is in doubt and at the crop's rim. Throws as
  // TrainingImages does.
  void fetch(std::int64_t first, std::span<float> inputs, std::span<float> targets, std::span<float> weights);

 private:
  enum class Kind { kNormal, kKnown, kPasted, kSynthetic };
  Kind kind_of(std::int64_t place, Rng& rng) const;
  Augmentation augmentation() const;
  SurfaceCrop normal_crop(std::int64_t place, Rng& rng, std::uint64_t stream, int draws = 1);
  // Within a square of the crop.
  void draw_synthetic(const SurfaceCrop& foreign, Rng& rng, SurfaceCrop& crop) const;
  void judge_cells(const SurfaceCrop& crop, const SurfaceCrop* before, std::span<float> targets,
                   std::span<float> weights) const;

  TrainingImages &normal_, &abnormal_;
  const DataConfig data_;
  const PatchCriticConfig config_;
  const bool synthetic_;
  const std::uint64_t seed_;
  std::vector<DefectCut> cuts_;
  ShuffledPasses normal_order_, foreign_order_, abnormal_order_;
};

}  // namespace pgad
