#pragma once
// Figures of merit over a labelled test set.

#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/inspection/calibration.h"

namespace pgad {

struct MaskOptions {
  double threshold = std::numeric_limits<double>::quiet_NaN();  // of mask_pixels()
  bool resize = false;  // masks of another size than their image's are brought to it; else they are errors
  DecodeOptions decode;
};

// Collects scored images, then computes. Keeps a few numbers per image, and maps only of images with masks and of
// normals beside them.
class Evaluation {
 public:
  // has_masks: whether pixel metrics are wanted at all. threshold: of combined; NaN: the calibration's.
  Evaluation(const Model& model, const ScoringConfig& scoring, bool has_masks, double threshold,
             const MaskOptions& masks = {});

  void add(const ScoredImage& image);
  // What was wrong with masks: those images count for the scores, not for the pixel metrics.
  const std::vector<std::string>& mask_errors() const { return mask_errors_; }
  // What is odd about masks that are used.
  const std::vector<std::string>& mask_notes() const { return mask_notes_; }
  // One line: how many masks were used, and why there are no figures on pixels if there are none.
  std::string mask_summary() const;
  // Throws Error unless both kinds were added.
  nlohmann::ordered_json metrics() const;
  // "score  AUROC  AP  F1", a row for each score.
  std::string table() const;
  void plot(const std::string& roc_path, const std::string& histogram_path, const std::string& title) const;
  // Some normal and some anomalous images with their reconstructions and maps, one column each.
  void save_examples(const std::string& path) const;

 private:
  double threshold(ScoreIndex score) const;  // NaN where there are too few held-out normals for one
  void add_example(const ScoredImage& image);
  int scores() const { return model_.calibration ? kScoreCount : kTermCount; }

  const Model& model_;
  ScoringConfig scoring_;
  bool has_masks_;
  MaskOptions mask_options_;
  double threshold_;
  std::vector<double> values_[kScoreCount];
  std::vector<std::uint8_t> anomalous_;
  std::vector<float> raw_maps_, calibrated_maps_;  // [n][s][s]
  std::vector<std::uint8_t> masks_;
  std::int64_t masks_used_ = 0, masks_missing_ = 0;  // of anomalous images
  std::vector<std::string> mask_errors_, mask_notes_;
  std::vector<Image> normal_examples_, anomalous_examples_;  // columns of save_examples
  std::map<std::string, int> examples_of_group_;
};

}  // namespace pgad
