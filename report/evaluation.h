#pragma once

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "inspection/calibration.h"
#include "report/figures.h"

namespace pgad {

struct MaskOptions {
  double threshold = std::numeric_limits<double>::quiet_NaN();  // of mask_pixels()
  bool resize = false;  // masks of another size than their image's are brought to it; else they are errors
  DecodeOptions decode;
};

// Collects the scored images of a labelled test set, then computes figures of merit. Keeps a few numbers per image; the
// pixels of those with masks, and of normals beside them, are counted in histograms.
class Evaluation {
 public:
  // has_masks: whether pixel metrics are wanted at all. threshold: of combined; NaN: the calibration's.
  Evaluation(const Model& model, const ScoringConfig& scoring, bool has_masks, double threshold,
             const MaskOptions& masks = {});

  // An image of an earlier run comes without its query, reconstruction and map.
  void add(const ScoredImage& image);
  // Which of these images, added in this order, must not come like that: their pixels count, or they are examples.
  std::vector<char> needs_maps(const std::vector<Sample>& samples) const;
  // What was wrong with masks: those images count for the scores, not for the pixel metrics.
  const std::vector<std::string>& mask_errors() const { return mask_errors_; }
  // What is odd about masks that are used.
  const std::vector<std::string>& mask_notes() const { return mask_notes_; }
  // Throws Error unless both kinds were added.
  Figures figures() const;
  // Some normal and some anomalous images with their reconstructions and maps, one column each.
  void save_examples(const std::string& path) const;

 private:
  // Some images of each kind, the first ones.
  struct ExampleChoice {
    std::map<std::string, int> of_group;
    std::size_t normal = 0, anomalous = 0;
    bool takes(const Sample& sample);
  };

  bool counts_pixels(const Sample& sample) const;
  ScoreFigures score_figures(ScoreIndex score) const;
  std::vector<KindFigures> kind_figures() const;
  // That `calibrated` or the user's decide with; NaN where there are too few held-out normals for one.
  double threshold(ScoreIndex score, const Threshold& calibrated) const;
  void add_example(const ScoredImage& image);

  const Model& model_;
  ScoringConfig scoring_;
  bool has_masks_;
  MaskOptions mask_options_;
  double threshold_;
  std::vector<double> values_[kScoreCount];
  std::vector<std::uint8_t> anomalous_;
  std::vector<std::string> groups_;
  std::map<std::string, PixelHistogram> kind_pixels_;  // of the calibrated map; "" for all normal images
  PixelHistogram residual_pixels_, calibrated_pixels_;
  std::map<std::string, RegionFigures> kind_regions_;  // "" for all normal images
  std::int64_t region_normals_ = 0, region_rejects_ = 0;
  std::int64_t pixel_images_ = 0;
  std::int64_t masks_used_ = 0, masks_missing_ = 0;  // of anomalous images
  std::vector<std::string> mask_errors_, mask_notes_;
  std::vector<Image> normal_examples_, anomalous_examples_;  // columns of save_examples
  ExampleChoice examples_;
};

}  // namespace pgad
