#pragma once
// Everything a run needs to go on as if it had never stopped: weights, moving average, optimizers' moments, and the
// counters that random numbers and the schedule depend on. Files: OUT/checkpoints/images-NNNNNNNNNNNN.safetensors.

#include <map>
#include <optional>
#include <string>

#include "images/split.h"
#include "training/train_step.h"

namespace pgad {

struct TrainingState {
  std::int64_t images = 0;  // real images shown
  std::int64_t images_before_last_step = 0;
  std::int64_t steps = 0;
  std::int64_t skipped = 0;  // steps in which an update was left out for gradients that are not finite
  std::int64_t skipped_in_row = 0;
  int level = 0;  // of the last step, and whether it was fading: optimizers are reset at changes
  bool fading = false;
  double stddev = 0;  // running mean of minibatch-stddev over real batches
  bool has_stddev = false;
  double seconds = 0;          // spent training, over all sessions; informative
  std::int64_t log_bytes = 0;  // length of log.jsonl at this point
};

// config_json, split: the configuration and the split of the data that the run was started with.
void save_checkpoint(const std::string& path, const Networks& networks, const TrainingState& state,
                     const std::string& config_json, const RememberedSplit& split = {});
// Throws Error naming the file if it does not fit the networks, which are left as they were then.
TrainingState load_checkpoint(const std::string& path, Networks& networks);

// What the run of a checkpoint was started with. Throws Error naming the file if it is damaged.
struct RunOrigin {
  std::string config;     // JSON
  RememberedSplit split;  // empty in older files
};
RunOrigin checkpoint_origin(const std::string& path);

std::string checkpoint_path(const std::string& out, std::int64_t images);
// All checkpoints under `out`, by images.
std::map<std::int64_t, std::string> list_checkpoints(const std::string& out);

}  // namespace pgad
