#pragma once
// What the trainings of single networks, after the GAN, have in common.

#include <cstdint>
#include <functional>
#include <optional>

#include "engine/step_graph.h"
#include "layers/adam.h"

namespace pgad {

// A step of Adam on one network's loss, recorded at its first run and replayed afterwards.
class AdamStep {
 public:
  // weights: the network's flat tensor.
  AdamStep(Exec& exec, const AdamConfig& config, const Tensor& weights) : exec_(exec), adam_(exec, config, weights) {}

  struct Result {
    double loss;
    bool skipped;  // the gradients were not finite: nothing was updated
  };
  // step: computes loss and gradients from inputs that stay where they are, and calls update(); called once.
  Result run(double lr, const std::function<void()>& step);
  // Device side, within the step.
  void update(const Tensor& loss, const Tensor& gradients);
  StepGraph& graph() { return *graph_; }

 private:
  Exec& exec_;
  Adam adam_;
  Tensor loss_, norm_;  // [1]; norm_: the gradients', squared
  std::optional<StepGraph> graph_;
};

// Of such a training, now and then.
struct NetworkProgress {
  std::int64_t images, total_images;  // of the patch critic: crops
  double loss, images_per_second;
};

}  // namespace pgad
