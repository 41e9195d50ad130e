#pragma once
// Trains the patch critic, after the GAN and apart from it.

#include <functional>

#include "engine/mirror.h"
#include "layers/patch_critic.h"
#include "model/model.h"
#include "training/adam_step.h"
#include "training/critic_crops.h"

namespace pgad {

// sum of weight * (softplus(logit) - target * logit): binary cross-entropy of the cells. All [n, h, w, 1]; the weights
// should add up to 1.
Var patch_critic_loss(const Var& logits, const Var& targets, const Var& weights);

inline constexpr std::int64_t kCriticBatch = 32;  // crops of a step

// One step at a fixed batch size, recorded at its first run and replayed afterwards.
class PatchCriticStep {
 public:
  PatchCriticStep(Exec& exec, const PatchCritic& critic, std::int64_t batch, int side);

  // Written by the host before each run.
  std::span<float> inputs() { return inputs_.host(); }    // [batch, side, side, channels]
  std::span<float> targets() { return targets_.host(); }  // [batch, side / cell, side / cell, 1]
  std::span<float> weights() { return weights_.host(); }  // the same
  AdamStep::Result run(double lr);
  StepGraph& graph() { return adam_.graph(); }

 private:
  void step();

  Exec& exec_;
  const PatchCritic& critic_;
  AdamStep adam_;
  Mirror inputs_, targets_, weights_;
};

// Sets model.patch_critics, one after the other drawn and trained by Adam as model.config says (patch_critic, data, the
// run's seed). Those with an odd number see no synthetic defects where there are known ones: these critics alarm less
// on good surface that looks a little odd, the others know more kinds of defects. The result depends on config and
// images alone, so that an interrupted run repeats it. on_progress is called now and then and may throw to stop.
// Throws Error if it diverges.
void train_patch_critics(Exec& exec, Model& model, TrainingImages& normal, TrainingImages& abnormal,
                         const std::function<void(const NetworkProgress&)>& on_progress = {});

}  // namespace pgad
