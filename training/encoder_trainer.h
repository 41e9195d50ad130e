#pragma once
// Trains the encoder of a finished model.

#include <functional>
#include <optional>

#include "engine/mirror.h"
#include "engine/step_graph.h"
#include "images/loader.h"
#include "layers/adam.h"
#include "model/model.h"

namespace pgad {

// One step of its training at a fixed batch size, recorded at its first run and replayed afterwards. G's and D's
// weights must not change meanwhile.
class EncoderStep {
 public:
  EncoderStep(Exec& exec, const Model& model, const Encoder& encoder, std::int64_t batch);

  // [batch, s, s, channels], s = 2^level, in [-1,1]: written by the host before each run.
  std::span<float> images() { return images_.host(); }
  struct Result {
    double loss;
    bool skipped;  // the gradients were not finite: nothing was updated
  };
  Result run(double lr);
  StepGraph& graph() { return *graph_; }

 private:
  void step();

  Exec& exec_;
  const Model& model_;
  const Encoder& encoder_;
  Adam adam_;
  Mirror images_;
  Var stddev_;
  Stage stage_;
  Tensor loss_, norm_;                         // [1]; norm_: the gradients', squared
  PreparedWeights frozen_{/*constant=*/true};  // G's and D's
  std::optional<StepGraph> graph_;
};

struct EncoderProgress {
  std::int64_t images, total_images;
  double loss, images_per_second;
};

// Sets model.encoder: drawn by `seed`, trained by Adam on `images` (normal ones) with G and D frozen, the number of
// images, learning rate and feature weight from model.config.encoder. The result depends on these alone, so that an
// interrupted run repeats it. on_progress is called now and then and may throw to stop. Throws Error if it diverges.
void train_encoder(Exec& exec, Model& model, TrainingImages& images, std::uint64_t seed,
                   const std::function<void(const EncoderProgress&)>& on_progress = {});

}  // namespace pgad
