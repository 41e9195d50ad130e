#pragma once
// How long the rest of training will take. Sizes differ by orders of magnitude in the time of a step, and the largest
// come last: so each kind of step is counted and timed by itself, and kinds that have not been run yet are judged by
// their cost beside that of those that have.

#include <cstdint>
#include <optional>
#include <vector>

#include "model/config.h"
#include "training/estimate.h"

namespace pgad {

// A pure function of what it is told; reads no clock.
class TrainingTime {
 public:
  struct Kind {
    std::int64_t steps;  // to come
    double cost;         // of one, in any unit; only the ratios count
  };
  // In the order in which they come.
  explicit TrainingTime(std::vector<Kind> kinds);

  // One step of a kind is done, so many seconds after the one before (with all that is written on the way).
  void step(std::size_t kind, double seconds);
  // Empty before the first step.
  std::optional<double> seconds_left() const;

 private:
  std::optional<double> expected(std::size_t kind) const;  // seconds of a step

  struct Measured {
    Kind kind;
    std::int64_t done = 0;
    double seconds = 0, weight = 0;  // of a step, mean; how many steps it stands for
  };
  std::vector<Measured> kinds_;
  std::int64_t steps_ = 0;
  double beyond_ = 0;  // seconds that steps took beyond what is usual for their kind (recording, checkpoints)
};

// One kind per resolution, in order: those between `images` and the schedule's end. levels: their log2.
struct TrainingKinds {
  std::vector<TrainingTime::Kind> kinds;
  std::vector<int> levels;
};
// estimates: of estimate_training(), for the costs.
TrainingKinds training_kinds(const Config& config, const std::vector<StepEstimate>& estimates, std::int64_t images);

}  // namespace pgad
