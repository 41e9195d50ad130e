#pragma once
// Trains the encoder of a finished model.

#include <functional>

#include "engine/mirror.h"
#include "images/loader.h"
#include "model/model.h"
#include "training/adam_step.h"

namespace pgad {

// One step of its training at a fixed batch size, recorded at its first run and replayed afterwards. G's and D's
// weights must not change meanwhile.
class EncoderStep {
 public:
  EncoderStep(Exec& exec, const Model& model, const Encoder& encoder, std::int64_t batch);

  // [batch, s, s, channels], s = 2^level, in [-1,1]: written by the host before each run.
  std::span<float> images() { return images_.host(); }
  AdamStep::Result run(double lr);
  StepGraph& graph() { return adam_.graph(); }

 private:
  void step();

  Exec& exec_;
  const Model& model_;
  const Encoder& encoder_;
  AdamStep adam_;
  Mirror images_;
  Var stddev_;
  Stage stage_;
  PreparedWeights frozen_{/*constant=*/true};  // G's and D's
};

// Sets model.encoder: drawn by `seed`, trained by Adam on `images` (normal ones) with G and D frozen, the number of
// images, learning rate and feature weight from model.config.encoder. The result depends on these alone, so that an
// interrupted run repeats it. on_progress is called now and then and may throw to stop. Throws Error if it diverges.
void train_encoder(Exec& exec, Model& model, TrainingImages& images, std::uint64_t seed,
                   const std::function<void(const NetworkProgress&)>& on_progress = {});

}  // namespace pgad
