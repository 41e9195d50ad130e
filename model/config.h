#pragma once
// The whole configuration of a run: what `pgad_train` takes as options, `config.json` holds and a model file
// stores. Names on the command line and in JSON, ranges, presets and priorities: config_io.h.

#include <cstdint>
#include <limits>
#include <map>
#include <string>

#include "images/data_config.h"
#include "layers/network_config.h"
#include "layers/objective_config.h"
#include "layers/patch_critic_config.h"

namespace pgad {

enum class Start { kAuto, kRandom };            // of a search; kAuto: from the encoder where there is one
enum class ZLrSchedule { kConstant, kCosine };  // kCosine: to nearly 0 at the last step
enum class Reduction { kMean, kSum };           // of the loss terms over pixels and features

struct ScheduleConfig {
  int start_resolution = 4;
  double fade_kimg = 600;    // thousands of real images shown per fade (none at the start resolution)
  double stable_kimg = 600;  // thousands of real images shown per stable phase
  double total_kimg = 12000;
  // Smallest resolution from which a value holds; the entry with the largest key <= current resolution
  // counts.
  std::map<int, int> batch = {{4, 128}, {32, 64}, {64, 32}, {128, 16}, {256, 8}, {512, 4}};
  std::map<int, double> lr = {{4, 0.001}, {1024, 0.0015}};
};

struct OptimizerConfig {
  double beta1 = 0.0;
  double beta2 = 0.99;
  double epsilon = 1e-8;
  double ema_half_life_kimg = 10;  // EMA of G: weight .5^(batch / half-life)
  int max_skipped_steps = 100;     // this many non-finite steps in a row end the run
};

// The encoder that gives the search its start; trained when the GAN is finished.
struct EncoderConfig {
  bool train = false;
  double kimg = 0;            // thousands of images; 0: Config::encoder_kimg()
  double lr = 0.001;          // at the start; falls to 0
  double feature_weight = 1;  // kappa of f-AnoGAN's izi_f
};

// Everything scores depend on; stored in the model.
struct ScoringConfig {
  // eq 24, in (0, 1]. NaN means "the objective's gamma"; resolve_config() replaces it, so a stored one is a
  // number.
  double gamma = std::numeric_limits<double>::quiet_NaN();
  double lambda = 0.1;  // eq 4
  Reduction reduction = Reduction::kMean;
  int steps = -1;  // n of Algorithm 1, at most; -1: search_steps()
  Start start = Start::kAuto;
  int patience = -1;  // an image whose loss has not fallen for so many steps is done; 0: never; -1: search_patience()
  double z_lr = 0.1;
  ZLrSchedule z_lr_schedule = ZLrSchedule::kCosine;
  int restarts = 1;
  int batch = 16;
  std::uint64_t seed = 1;
  double false_reject_rate = 0.05;  // wanted share of normals rejected; fixes the threshold
  double map_sigma = 1.0;           // Gaussian smoothing of the calibrated map, pixels
  int region_min_area = 1;          // of a region, pixels of the image
  double search_share = 1;          // of normal tiles that are searched, those the patch critic finds oddest
  double tile_overlap = 0.5;        // of neighbouring tiles, share of their side; with tiles only
};

struct RunConfig {
  std::string out;
  bool resume = false;
  std::string from;  // a finished model, whose networks are taken; empty: they are trained
  std::uint64_t seed = 1;
  int threads = 0;                 // 0: one per core
  std::string device = "auto";     // auto | cpu | cuda | cuda:N; for tests cuda-emulated
  std::string precision = "fp32";  // fp32 | tf32 | bf16
  std::string tuning;              // file of kernel timings; empty: none
  double time_budget_minutes = 0;  // 0: none
  double checkpoint_kimg = 20;
  int keep_checkpoints = 2;
  double sample_kimg = 20;
  bool tensorboard = false;
  bool report = false;
  double max_unreadable = 0.2;  // share of the training images, held-out ones included
};

struct Config {
  std::string preset = "tiny";
  NetworkConfig network;
  ObjectiveConfig objective;
  DataConfig data;
  ScheduleConfig schedule;
  OptimizerConfig optimizer;
  EncoderConfig encoder;
  PatchCriticConfig patch_critic;
  ScoringConfig scoring;
  RunConfig run;

  // Length of the encoder's training, thousands of images: a third of the GAN's unless given.
  double encoder_kimg() const { return encoder.kimg > 0 ? encoder.kimg : schedule.total_kimg / 3; }
  // Side of the crops that patch critics learn from, pixels.
  int critic_crop() const { return patch_critic.crop > 0 ? patch_critic.crop : network.resolution; }
};

}  // namespace pgad
