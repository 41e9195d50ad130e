#include "report/evaluation.h"

#include <cmath>

#include "images/pictures.h"
#include "inspection/anomaly_map.h"

namespace pgad {
namespace {

constexpr std::size_t kNormalExamples = 4, kAnomalousExamples = 10;

// At the image's own size.
std::vector<std::uint8_t> mask_of(const ScoredImage& image, const MaskOptions& options,
                                  std::vector<std::string>& notes) {
  const std::string& path = image.sample.mask_path;
  const Image mask = read_image(path, nullptr, options.decode);
  const bool fits = mask.height == image.height && mask.width == image.width;
  if (!fits && !options.resize)
    throw Error(str(path, ": the mask is ", mask.width, "x", mask.height, ", expected its image's ", image.width, "x",
                    image.height, "; --resize-masks brings it to that size"));
  std::vector<std::uint8_t> pixels = mask_pixels(mask, options.threshold, path, &notes);
  if (!fits) pixels = resize_nearest(pixels, mask.height, mask.width, image.height, image.width);
  return pixels;
}

PixelFigures pixel_figures(const PixelHistogram& pixels) {
  const Ranking<float> ranking = pixels.ranking();
  return {ranking.auroc(), ranking.average_precision(), pixels.aupro()};
}

}  // namespace

Evaluation::Evaluation(const Model& model, const ScoringConfig& scoring, bool has_masks, double threshold,
                       const MaskOptions& masks)
    : model_(model), scoring_(scoring), has_masks_(has_masks), mask_options_(masks), threshold_(threshold) {}

void Evaluation::add(const ScoredImage& image) {
  for (int i = 0; i < kTermCount; ++i) values_[i].push_back(image.terms[i]);
  if (model_.calibration) values_[kCombined].push_back(combined_score(*model_.calibration, image.terms));
  anomalous_.push_back(image.sample.anomalous);
  groups_.push_back(image.sample.group);
  add_example(image);
  masks_missing_ += image.sample.anomalous && image.sample.mask_path.empty();
  if (image.residual_map.empty() || !counts_pixels(image.sample)) return;
  // Pixels are judged at the networks' size, with the mask brought to it; with tiles at the image's own.
  Preprocessing p = model_.preprocessing;
  p.resolution = model_.side();
  const int rows = p.tiles ? image.height : image.rows, columns = p.tiles ? image.width : image.columns;
  std::vector<std::uint8_t> mask;
  if (image.sample.anomalous) {
    try {
      mask = mask_of(image, mask_options_, mask_notes_);
      ++masks_used_;
    } catch (const std::exception& e) {
      mask_errors_.push_back(e.what());
      return;
    }
  }
  ++pixel_images_;
  if (image.regions) {
    kind_regions_[image.sample.anomalous ? image.sample.group : ""].add(
        match_regions(*image.regions, mask, image.height, image.width, kRegionIou));
    region_normals_ += !image.sample.anomalous;
    region_rejects_ += !image.sample.anomalous && !image.regions->empty();
  }
  if (!mask.empty() && !p.tiles) mask = preprocess_mask(mask, image.height, image.width, p);
  const auto placed = [&](std::vector<float> map) {
    return p.tiles ? map_in_image(map, image, rows, columns, p) : std::move(map);
  };
  residual_pixels_.add(placed(image.residual_map), mask, rows, columns);
  if (!model_.calibration) return;
  const std::vector<float> calibrated = placed(anomaly_map(model_, image, scoring_.map_sigma).values);
  calibrated_pixels_.add(calibrated, mask, rows, columns);
  kind_pixels_[image.sample.anomalous ? image.sample.group : ""].add(calibrated, mask, rows, columns);
}

bool Evaluation::counts_pixels(const Sample& sample) const {
  return has_masks_ && !(sample.anomalous && sample.mask_path.empty());
}

std::vector<char> Evaluation::needs_maps(const std::vector<Sample>& samples) const {
  ExampleChoice choice;
  std::vector<char> needs;
  for (const Sample& sample : samples) {
    const bool example = choice.takes(sample);
    needs.push_back(example || counts_pixels(sample));
  }
  return needs;
}

bool Evaluation::ExampleChoice::takes(const Sample& sample) {
  std::size_t& count = sample.anomalous ? anomalous : normal;
  if (count >= (sample.anomalous ? kAnomalousExamples : kNormalExamples)) return false;
  if (sample.anomalous && of_group[sample.group] >= 2) return false;  // variety
  ++of_group[sample.group];
  ++count;
  return true;
}

void Evaluation::add_example(const ScoredImage& image) {
  if (image.query.empty() || !examples_.takes(image.sample)) return;
  auto& examples = image.sample.anomalous ? anomalous_examples_ : normal_examples_;
  examples.push_back(grid(panel(model_, image, scoring_.map_sigma), 1, 2));
}

void Evaluation::save_examples(const std::string& path) const {
  std::vector<Image> columns = normal_examples_;
  columns.insert(columns.end(), anomalous_examples_.begin(), anomalous_examples_.end());
  write_png(path, grid(columns, static_cast<int>(columns.size()), 2));
}

double Evaluation::threshold(ScoreIndex score, const Threshold& calibrated) const {
  if (score == kCombined && !std::isnan(threshold_)) return threshold_;
  return calibrated.decides() ? calibrated.value : std::nan("");
}

ScoreFigures Evaluation::score_figures(ScoreIndex index) const {
  const std::vector<double>& values = values_[index];
  const Ranking<double> ranking(values, anomalous_);
  ScoreFigures score;
  score.name = kScoreNames[index];
  for (std::size_t i = 0; i < values.size(); ++i) (anomalous_[i] ? score.anomalous : score.normal).push_back(values[i]);
  score.roc = ranking.roc_curve();
  score.auroc = ranking.auroc();
  score.average_precision = ranking.average_precision();
  score.best_f1 = ranking.best_f1();
  score.best_f1_inlier_positive = ranking.best_f1(PositiveClass::kInlier);
  // A model that is older than a score has no calibration of it.
  if (!model_.calibration || !model_.calibration->has(index)) return score;
  score.calibrated = threshold_of(*model_.calibration, index, scoring_.false_reject_rate);
  if (const double t = threshold(index, *score.calibrated); std::isfinite(t))
    score.decisions = {t, ranking.f1_at(t), ranking.f1_at(t, PositiveClass::kInlier),
                       false_reject_rate(values, anomalous_, t), miss_rate(values, anomalous_, t)};
  return score;
}

std::vector<KindFigures> Evaluation::kind_figures() const {
  std::map<std::string, KindFigures> kinds;
  for (std::size_t i = 0; i < groups_.size(); ++i)
    if (anomalous_[i]) ++kinds[groups_[i]].images;
  if (kinds.size() < 2) return {};
  std::vector<KindFigures> all;
  for (auto& [name, kind] : kinds) {
    kind.name = name;
    for (int s = 0; s < (model_.calibration ? kScoreCount : kTermCount); ++s) {
      if (std::isnan(values_[s].front())) continue;
      std::vector<double> values;
      std::vector<std::uint8_t> labels;
      for (std::size_t i = 0; i < groups_.size(); ++i) {
        if (anomalous_[i] && groups_[i] != name) continue;
        values.push_back(values_[s][i]);
        labels.push_back(anomalous_[i]);
      }
      kind.auroc.push_back(auroc(values, labels));
    }
    const auto own = kind_pixels_.find(name), normal = kind_pixels_.find("");
    if (own != kind_pixels_.end() && own->second.any_anomalous()) {
      PixelHistogram pixels = own->second;
      if (normal != kind_pixels_.end()) pixels.add(normal->second);
      kind.pixel_auroc = pixels.ranking().auroc();
    }
    if (const auto regions = kind_regions_.find(name); regions != kind_regions_.end()) kind.regions = regions->second;
    all.push_back(std::move(kind));
  }
  return all;
}

Figures Evaluation::figures() const {
  Figures f;
  f.kinds = kind_figures();
  for (int i = 0; i < (model_.calibration ? kScoreCount : kTermCount); ++i)
    if (!std::isnan(values_[i].front())) f.scores.push_back(score_figures(static_cast<ScoreIndex>(i)));
  for (const auto a : anomalous_) ++(a ? f.anomalies : f.normals);
  f.wanted_false_reject_rate = scoring_.false_reject_rate;
  f.masks_used = masks_used_;
  f.masks_missing = masks_missing_;
  f.masks_unusable = static_cast<std::int64_t>(mask_errors_.size());
  f.mask_notes = mask_notes_;
  f.pixel_images = pixel_images_;
  f.pixel_side = model_.preprocessing.tiles ? 0 : model_.side();
  f.region_normals = region_normals_;
  f.region_rejects = region_rejects_;
  for (const auto& [kind, regions] : kind_regions_) {
    if (!f.regions) f.regions.emplace();
    f.regions->truths += regions.truths;
    f.regions->found += regions.found;
    f.regions->regions += regions.regions;
  }
  if (residual_pixels_.any_anomalous()) {
    f.residual_map = pixel_figures(residual_pixels_);
    if (model_.calibration) f.calibrated_map = pixel_figures(calibrated_pixels_);
  }
  return f;
}

}  // namespace pgad
