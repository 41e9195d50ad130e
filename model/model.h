#pragma once
// The model file: both networks, what scoring needs beside them, and the configuration they came from.
// Format: docs/formats.md.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "images/ignore_mask.h"
#include "images/preprocess.h"
#include "images/safetensors.h"
#include "images/split.h"
#include "layers/network.h"
#include "layers/patch_critic.h"
#include "model/config.h"

namespace pgad {

// The scores of an image, in the order of every table and file.
inline constexpr int kSearchTerms = 5;  // those the search of an image, or of a tile, yields
inline constexpr int kTermCount = 11;   // and those of tiled images, then those of whole ones
inline constexpr int kScoreCount = 12;  // and `combined`
inline constexpr const char* kScoreNames[kScoreCount] = {
    "residual",   "feature",           "latent_critic",    "paper",   "critic", "peak", "feature_maps", "patch_critic",
    "patch_area", "relative_residual", "relative_feature", "combined"};
inline constexpr std::size_t kMapParts = 3;  // of an anomaly map: residual, feature map, patch critics' logits
enum ScoreIndex {
  kResidual,
  kFeature,
  kLatentCritic,
  kPaper,
  kCritic,
  kPeak,
  kFeatureMaps,
  kPatchCritic,
  kPatchArea,
  kRelativeResidual,
  kRelativeFeature,
  kCombined
};

// Measured on images that were never trained on; see calibration.h for how.
struct Calibration {
  // Raw terms of the held-out normals and known abnormals, [count][kTermCount]: thresholds follow from them. A score
  // that the model does not have is NaN for all of them.
  std::vector<double> normal_terms, abnormal_terms;
  // Of the abnormals the last so many are held-out normals into which a synthetic defect was drawn.
  std::size_t drawn = 0;
  // Cross-fitted `combined` of each normal, from which its threshold follows; float32 values. Empty if the file is
  // older than this: cross_fit() derives them.
  std::vector<double> normal_combined;
  // combined = bias + sum over terms of weight * (term - mean) / spread. All NaN, and no part of it: a score that the
  // model does not have.
  double mean[kTermCount], spread[kTermCount], weight[kTermCount];
  double bias = 0;
  bool fitted = false;             // weights fitted to known abnormals; else equal
  std::vector<std::string> notes;  // what the user should know of the fit; mostly none
  // Residual |x - G(z)| of each pixel over the held-out normals, [side * side] at the networks' size. With tiles, where
  // a pixel's place says nothing, one value each.
  std::vector<float> map_mean, map_spread;
  // Logits of the patch critic over the pixels of the held-out normals.
  double critic_map_mean = 0, critic_map_spread = 1;
  // Of the feature map (inspection/feature_maps.h) over them.
  double feature_map_mean = 0, feature_map_spread = 1;
  // What the anomaly map is made of, in the order of inspection/anomaly_map.h: none negative, not all 0. Empty: as
  // `combined` weighs the scores made of each map.
  std::vector<double> map_weights;
  // Largest value of the anomaly map of each held-out normal, at the image's own size, from which the threshold of
  // regions follows; float32 values. Empty in older files, which have none.
  std::vector<double> normal_map_peaks;

  // Whether the score is one of the model's.
  bool has(ScoreIndex score) const { return score == kCombined || mean[score] == mean[score]; }
  std::size_t normals() const { return normal_terms.size() / kTermCount; }
  std::size_t abnormals() const { return abnormal_terms.size() / kTermCount; }
};

// Mean and spread of |f(x) - f(G(z))| by size of D, from the images' own down, and channel, over held-out normals.
struct FeatureMoments {
  std::vector<std::vector<float>> mean, spread;
  bool empty() const { return mean.empty(); }
};

struct Model {
  Config config;  // its run group holds defaults but for the seed: a model does not depend on where it was made
  Preprocessing preprocessing;
  int level = 2;      // log2 of the size the networks run at: below the full one if training ended early
  double alpha = 1;   // weight of that size's path beside the previous size's: below 1 if training ended in a fade
  double stddev = 0;  // minibatch-stddev's constant: its running mean over real batches
  double normal_critic = 0;  // mean of D over held-out normals (wgan-gp's reference point)
  int top_tiles = 1;         // with tiles: an image's score is the mean of its so many largest tiles'
  // With tiles: quantiles, evenly spaced from 0 to 1, of the patch critic's largest logit in a tile of the held-out
  // normals. Empty: unknown, and all tiles are searched.
  std::vector<float> tile_quantiles;
  // With patch critics: what is subtracted from the logits of cells so many cells away from the image's border, the
  // outermost first; none is negative. Empty: nothing.
  std::vector<float> border_odds;
  FeatureMoments features;  // with tiles; empty: no feature maps
  std::int64_t images = 0;  // real images that trained it
  RememberedSplit split;    // which images of its data set trained and calibrated it; empty in older files
  std::shared_ptr<const IgnoreMask> ignore;  // places of the images that never count, or null; calibrated with it
  std::optional<Calibration> calibration;
  std::shared_ptr<const Generator> g;  // the moving average
  std::shared_ptr<const Discriminator> d;
  std::shared_ptr<const Encoder> encoder;                         // or null
  std::vector<std::shared_ptr<const PatchCritic>> patch_critics;  // with tiles only

  int side() const { return 1 << level; }
  Stage stage(Exec& exec) const { return make_stage(exec, level, alpha); }
};

// Views of parameters in the file's order, and the memory they point to.
class ParameterViews {
 public:
  void add(const std::string& name, const Parameter& parameter, const Tensor& values);
  void add(const std::string& name, std::vector<std::int64_t> shape, std::vector<float> values);
  void add(const std::string& name, const std::vector<std::uint64_t>& values);  // as I64, the same bits
  const std::vector<SafeTensorView>& views() const { return views_; }

 private:
  std::vector<std::unique_ptr<std::vector<float>>> memory_;
  std::vector<std::unique_ptr<std::vector<std::int64_t>>> integers_;
  std::vector<SafeTensorView> views_;
};

// Reads a tensor of the file into `out`; Error if it is missing or of another type or shape.
void read_parameter(const SafeTensorsFile& file, const std::string& name, const Parameter& parameter,
                    const Tensor& out);

// A metadata entry; Error naming the file and the key if it is missing or no number.
std::string metadata_text(const SafeTensorsFile& file, const std::string& key);
double metadata_number(const SafeTensorsFile& file, const std::string& key);
std::int64_t metadata_integer(const SafeTensorsFile& file, const std::string& key);
// The split of models and checkpoints; nothing is added for an empty one, and one is read from older files.
void add_split(const RememberedSplit& split, ParameterViews& tensors, std::map<std::string, std::string>& metadata);
RememberedSplit read_split(const SafeTensorsFile& file);

// A double as text that reads back to the same bits.
std::string exact(double value);

void save_model(const std::string& path, const Model& model);
// Throws Error naming the file and what is wrong with it.
Model load_model(Exec& exec, const std::string& path);

}  // namespace pgad
