#pragma once
// Figures of merit over a labelled test set, as numbers (Evaluation computes them) and as what a person or a program
// reads: JSON, a table, plots.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "inspection/metrics.h"
#include "inspection/regions.h"

namespace pgad {

// At the threshold that decides.
struct DecisionFigures {
  double threshold, f1, f1_inlier_positive, false_reject_rate, miss_rate;
};

struct ScoreFigures {
  std::string name;
  std::vector<double> normal, anomalous;  // the images' scores
  std::vector<RocPoint> roc;
  double auroc, average_precision;
  BestF1 best_f1, best_f1_inlier_positive;   // over all thresholds of this test set
  std::optional<Threshold> calibrated;       // the calibration's; empty without one
  std::optional<DecisionFigures> decisions;  // empty without a calibration, or with too few held-out normals
};

struct PixelFigures {
  double auroc, average_precision, aupro;
};

// Regions against those of the masks (regions.h, match_regions()). A region of a normal image has no partner.
struct RegionFigures {
  std::int64_t truths = 0, found = 0, regions = 0;
  void add(const RegionMatches& matches);
  // Empty where there is nothing to be found, or nothing was.
  std::optional<double> recall() const, precision() const;
};
inline constexpr double kRegionIou = 0.3;  // that partners have at least

// Of one kind of anomaly, against all normal images.
struct KindFigures {
  std::string name;
  std::int64_t images = 0;
  std::vector<double> auroc;          // of each score, in their order
  std::optional<double> pixel_auroc;  // of the calibrated map, pixels of these and the normal images
  RegionFigures regions;              // on these images
};

struct Figures {
  std::vector<ScoreFigures> scores;
  std::vector<KindFigures> kinds;                                      // by name; empty where there is only one
  std::int64_t normals = 0, anomalies = 0;                             // images
  double wanted_false_reject_rate = 0;                                 // of the calibrated thresholds
  std::int64_t masks_used = 0, masks_missing = 0, masks_unusable = 0;  // of anomalous images
  std::vector<std::string> mask_notes;
  std::int64_t pixel_images = 0;                             // whose pixels were counted
  int pixel_side = 0;                                        // of their maps; 0: the images' own
  std::optional<PixelFigures> residual_map, calibrated_map;  // empty where no mask has an anomalous pixel
  std::optional<RegionFigures> regions;                      // of all these images; empty: regions were not looked for
  std::int64_t region_normals = 0, region_rejects = 0;       // of them the normal ones, and those that have a region
};

nlohmann::ordered_json to_json(const Figures& figures);
// "score  AUROC  AP  F1", a row for each score; F1 where decisions are made, without calibration the best one.
std::string table_of(const Figures& figures);
// A row for each kind, with the AUROC of `combined` (of the last score there is) and that of pixels.
std::string kind_table(const Figures& figures);
// One line on regions; empty where there are no figures on them.
std::string region_summary(const Figures& figures);
// One line: how many masks were used, and why there are no figures on pixels if there are none.
std::string mask_summary(const Figures& figures);
void plot_figures(const Figures& figures, const std::string& roc_path, const std::string& histogram_path,
                  const std::string& title);

}  // namespace pgad
