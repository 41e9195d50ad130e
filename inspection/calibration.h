#pragma once
// From raw terms to a decision: what is usual for normal images, measured on normals (and known abnormals) that were
// held out from training. docs/method.md.

#include <functional>
#include <optional>

#include "images/dataset.h"
#include "inspection/logistic.h"
#include "inspection/metrics.h"
#include "inspection/scorer.h"

namespace pgad {

// All images are gone through once for each share of searched tiles that is tried.
struct CalibrationProgress {
  double search_share;  // of normal tiles that this pass searches
  double done;          // images of this pass, of `all`; with a patch critic those with drawn defects too
  std::size_t all;
  std::optional<double> seconds_left;  // empty before the first step
  bool maps = false;                   // the last pass, over normal images alone, for the threshold of regions
};

// What calibration has chosen where config.patch_critic.cascade_loss > 0.
struct Cascade {
  double share;               // of normal tiles that are searched, the model's search_share from now on
  std::ptrdiff_t detections;  // held-out abnormals above the threshold when all tiles are searched
  std::ptrdiff_t lost;        // of them, those below the threshold with this share
};

// Where the weights of `combined` and of the maps come from.
enum class Weights {
  kFitted,  // to these images
  kKept,    // the model's calibration, which there must be; no abnormals are asked for or used
};

// Scores the held-out images of `data`, and with a patch critic also the normal ones with a synthetic defect drawn into
// each, so that there are abnormals to weigh the scores by where few or none are known; sets model.normal_critic and
// model.calibration. With cascade_loss > 0 this is repeated with rising shares of searched tiles, each with its own fit
// and threshold, until no more of the abnormals found by searching all are lost than that. on_progress may throw to
// stop. Throws Error if no held-out normal can be read.
// With Weights::kKept: how many tiles count and which share of them is searched stay as they are too; what is usual for
// normal images, and with it the thresholds, is all that is measured.
std::optional<Cascade> calibrate(Exec& exec, Model& model, const Dataset& data,
                                 const std::function<void(const CalibrationProgress&)>& on_progress = {},
                                 Weights weights = Weights::kFitted);

// Mean, spread and weights from the raw terms: standardised by the normals; where there are abnormals, weighted by a
// regularised logistic fit (weights not negative), else equally, also where the fit leaves no weight at all. Spreads of
// few images are widened by what so few cannot tell. `paper` is a sum of others and gets no weight. Notes say where the
// fit did not converge and where it does not tell the abnormals from the normals. Then cross_fit().
void fit_combined(Calibration& calibration, const LogisticOptions& options = {});
// Sets normal_combined from the terms and the fit: what `combined` says of each held-out normal when that one took no
// part in the fit, in the units of the whole fit.
void cross_fit(Calibration& calibration, const LogisticOptions& options = {});
// As fit_combined(), with the weights of another calibration of the same scores.
void keep_weights(Calibration& calibration, const Calibration& of);
double combined_score(const Calibration& calibration, const double terms[kTermCount]);
// The quantile of the held-out normals' scores that rejects `rate` of them; of combined the cross-fitted ones.
Threshold threshold_of(const Calibration& calibration, ScoreIndex score, double rate);
// The same of the largest value of an anomaly map, above which there is a region. Empty where the model's file is older
// than that.
std::optional<Threshold> region_threshold_of(const Calibration& calibration, double rate);

// AUROC of each score between the held-out normals and known abnormals, as text (of combined: on the images of its own
// fit); empty without known abnormals.
std::string separation(const Calibration& calibration);
// What the user should know of a threshold from too few images for this rate; empty if they are enough.
std::string threshold_note(const Threshold& threshold, double rate);

// Mean and spread of each pixel of the held-out normals' residual maps, [s, s] each; with tiles of all pixels alike.
class MapMoments {
 public:
  explicit MapMoments(bool tiles) : tiles_(tiles) {}
  void add(std::span<const float> map);
  void store(Calibration& calibration) const;
  // With tiles; both stay as they are where no map was added.
  void store(double& mean, double& spread) const;

 private:
  bool tiles_;
  std::vector<double> sum_, square_;
  std::size_t count_ = 0;  // maps, with tiles pixels
};

// (residual - mean) / spread of each pixel, smoothed; in standard deviations of the held-out normals. [rows, columns]
std::vector<float> calibrated_map(const Calibration& calibration, std::span<const float> residual_map, int rows,
                                  int columns, double sigma);

// With tiles: how many of an image's tiles, the largest, its score is the mean of. [tiles, kSearchTerms] of each
// held-out image; neighbouring tiles overlap by `overlap` of their side. With abnormals, the number that tells them
// best from the normals; without, the one by which a defect in a single place would stand out most.
int choose_top_tiles(const std::vector<std::vector<double>>& normals, const std::vector<std::vector<double>>& abnormals,
                     double overlap);

}  // namespace pgad
