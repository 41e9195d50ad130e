#pragma once
// A training run: data in, schedule, steps, log, samples, checkpoints. Where it stands is a TrainingState; everything
// random is a function of (seed, counters), so a run that is resumed computes what an uninterrupted one would have.

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "images/dataset.h"
#include "images/image.h"
#include "images/loader.h"
#include "model/model.h"
#include "training/checkpoint.h"
#include "training/schedule.h"
#include "training/training_crops.h"

namespace pgad {

enum class StopReason { kFinished, kTimeBudget, kInterrupted };

// One line of progress, after every step.
struct TrainingProgress {
  Phase phase;
  std::int64_t images, total_images;
  double images_per_second;            // of the last steps
  std::optional<double> seconds_left;  // of training, to the schedule's end or the time budget's: TrainingTime
  std::string_view log_line;           // that was added to log.jsonl; empty: none
  const Image* samples;                // the sheet of them that was written; nullptr: none
};

class Trainer {
 public:
  // Reads all training images once. Throws UsageError or Error as Dataset and TrainingImages do.
  Trainer(Exec& exec, const Config& config, const Dataset& data, TrainingImagesOptions options = {});

  TrainingImages& normal_images() const { return *normal_; }
  TrainingImages& abnormal_images() const { return *abnormal_; }
  const TrainingState& state() const { return state_; }

  // Goes on from the newest checkpoint under config.run.out that is intact; false if there is none. A damaged one is
  // passed over with a note on standard error.
  bool resume();
  // Trains until the schedule's end, the time budget's, or `stop` becomes true; then saves a checkpoint. So it does
  // where something other than a step fails, before it throws on.
  StopReason run(const std::atomic<bool>& stop, const std::function<void(const TrainingProgress&)>& on_progress);
  // Networks as they stand: the averaged generator, the discriminator, the phase. Not calibrated.
  Model model() const;

 private:
  std::int64_t total_images() const;
  Phase phase_after(std::int64_t images) const;
  TrainStepShape shape_of(const Phase& phase) const;
  double average_kept(const Phase& phase) const;
  // Inputs of the step that begins after so many images and steps.
  void fill_inputs(const Phase& phase, std::int64_t images, std::int64_t step);
  void fetch(TrainingImages& images, std::uint64_t order, std::uint64_t crops, std::int64_t first,
             std::span<float> out);
  void mirror(std::span<float> images, std::uint64_t stream, std::int64_t first) const;
  // What the averaged generator draws beside real images.
  struct Comparison {
    std::vector<double> distances;  // sliced Wasserstein; empty where they were not measured
    double diversity = 0;           // deviation of the images of one kind from their mean, drawn over real
  };
  // Returns the line.
  std::string log(const Phase& phase, const TrainStepResult& result, double images_per_second,
                  const Comparison& comparison);
  void open_log();
  Image save_samples(const Phase& phase);
  Comparison compare_with_real(const Phase& phase);
  void save_checkpoint();
  void enter(const Phase& phase);
  TrainStepResult take_step(const Phase& phase);
  void account_for(const Phase& phase, const TrainStepResult& result);
  StopReason run_steps(const std::atomic<bool>& stop, const std::function<void(const TrainingProgress&)>& on_progress);
  ShuffledPasses& order_of(std::uint64_t stream);
  // Whether D is shown abnormal images, known or drawn.
  bool with_abnormal() const;
  bool draws_defects() const { return preprocessing_.tiles && config_.data.synthetic_abnormal; }
  void fetch_abnormal(std::int64_t first, std::span<float> out);

  Exec& exec_;
  Config config_;
  Preprocessing preprocessing_;
  std::unique_ptr<TrainingImages> normal_, abnormal_;
  Networks networks_;
  TrainingState state_;
  std::optional<TrainStep> step_;
  std::int64_t saved_images_ = -1;                  // of the newest checkpoint
  bool in_step_ = false;                            // networks and state do not belong together
  std::int64_t filled_for_ = -1;                    // images before the step whose inputs step_ holds
  std::map<std::uint64_t, ShuffledPasses> orders_;  // by random stream
  std::string stored_config_;
  RememberedSplit split_;
};

// What a run's files remember of its configuration: everything that its result depends on, nothing of where and how
// it was carried out.
Config portable(const Config& config);

}  // namespace pgad
