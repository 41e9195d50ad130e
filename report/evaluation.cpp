#include "report/evaluation.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "images/pictures.h"
#include "images/printable.h"
#include "inspection/anomaly_map.h"
#include "report/plot.h"

namespace pgad {
namespace {

constexpr std::size_t kNormalExamples = 4, kAnomalousExamples = 10;

std::vector<std::uint8_t> mask_of(const ScoredImage& image, const Preprocessing& p, const MaskOptions& options,
                                  std::vector<std::string>& notes) {
  const std::string& path = image.sample.mask_path;
  const Image mask = read_image(path, nullptr, options.decode);
  const bool fits = mask.height == image.height && mask.width == image.width;
  if (!fits && !options.resize)
    throw Error(str(path, ": the mask is ", mask.width, "x", mask.height, ", expected its image's ", image.width, "x",
                    image.height, "; --resize-masks brings it to that size"));
  std::vector<std::uint8_t> pixels = mask_pixels(mask, options.threshold, path, &notes);
  if (!fits) pixels = resize_nearest(pixels, mask.height, mask.width, image.height, image.width);
  return preprocess_mask(pixels, image.height, image.width, p);
}

}  // namespace

Evaluation::Evaluation(const Model& model, const ScoringConfig& scoring, bool has_masks, double threshold,
                       const MaskOptions& masks)
    : model_(model), scoring_(scoring), has_masks_(has_masks), mask_options_(masks), threshold_(threshold) {}

double Evaluation::threshold(ScoreIndex score) const {
  if (score == kCombined && !std::isnan(threshold_)) return threshold_;
  const Threshold t = threshold_of(*model_.calibration, score, scoring_.false_reject_rate);
  return t.decides() ? t.value : std::nan("");
}

void Evaluation::add(const ScoredImage& image) {
  for (int i = 0; i < kTermCount; ++i) values_[i].push_back(image.terms[i]);
  if (model_.calibration) values_[kCombined].push_back(combined_score(*model_.calibration, image.terms));
  anomalous_.push_back(image.sample.anomalous);
  add_example(image);
  masks_missing_ += image.sample.anomalous && image.sample.mask_path.empty();
  if (image.residual_map.empty() || !counts_pixels(image.sample)) return;
  // Pixels are judged at the networks' size, with the mask brought to it.
  const int side = model_.side();
  Preprocessing p = model_.preprocessing;
  p.resolution = side;
  std::vector<std::uint8_t> mask;
  if (image.sample.anomalous) {
    try {
      mask = mask_of(image, p, mask_options_, mask_notes_);
      ++masks_used_;
    } catch (const std::exception& e) {
      mask_errors_.push_back(e.what());
      return;
    }
  }
  ++pixel_images_;
  residual_pixels_.add(image.residual_map, mask, side, side);
  if (model_.calibration)
    calibrated_pixels_.add(calibrated_map(*model_.calibration, image.residual_map, side, scoring_.map_sigma), mask,
                           side, side);
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

nlohmann::ordered_json Evaluation::metrics() const {
  nlohmann::ordered_json json;
  std::int64_t anomalies = 0;
  for (const auto a : anomalous_) anomalies += a;
  json["images"] = {{"normal", static_cast<std::int64_t>(anomalous_.size()) - anomalies}, {"anomalous", anomalies}};
  json["positive_class"] = "anomalous";
  for (int i = 0; i < scores(); ++i) {
    const Ranking<double> ranking(values_[i], anomalous_);
    const BestF1 best = ranking.best_f1(), best_inlier = ranking.best_f1(PositiveClass::kInlier);
    nlohmann::ordered_json score = {{"auroc", ranking.auroc()},
                                    {"average_precision", ranking.average_precision()},
                                    {"best_f1", best.f1},
                                    {"best_f1_threshold", best.threshold},
                                    {"best_f1_inlier_positive", best_inlier.f1}};
    if (model_.calibration) {
      const Threshold t = threshold_of(*model_.calibration, static_cast<ScoreIndex>(i), scoring_.false_reject_rate);
      const auto finite = [](double v) {
        return std::isfinite(v) ? nlohmann::ordered_json(v) : nlohmann::ordered_json(nullptr);
      };
      score["threshold"] = {{"value", t.value},
                            {"low", finite(t.low)},
                            {"high", finite(t.high)},
                            {"wanted_false_reject_rate", scoring_.false_reject_rate},
                            {"held_out_normals", t.count}};
      const double used = threshold(static_cast<ScoreIndex>(i));
      score["threshold_used"] = finite(used);
      if (std::isfinite(used)) {
        score["f1"] = ranking.f1_at(used);
        score["f1_inlier_positive"] = ranking.f1_at(used, PositiveClass::kInlier);
        score["false_reject_rate"] = false_reject_rate(values_[i], anomalous_, used);
        score["miss_rate"] = miss_rate(values_[i], anomalous_, used);
      }
    }
    json["scores"][kScoreNames[i]] = score;
  }
  json["masks"] = {{"used", masks_used_},
                   {"missing", masks_missing_},
                   {"not_usable", static_cast<std::int64_t>(mask_errors_.size())}};
  for (const std::string& note : mask_notes_) json["masks"]["notes"].push_back(printable(note));
  if (residual_pixels_.any_anomalous()) {  // else nothing to find: no mask, or all black
    const auto pixel = [](const PixelHistogram& pixels) {
      const Ranking<float> ranking = pixels.ranking();
      return nlohmann::ordered_json{{"auroc", ranking.auroc()},
                                    {"average_precision", ranking.average_precision()},
                                    {"aupro_fpr_0.3", pixels.aupro()}};
    };
    json["pixels"] = {{"images", pixel_images_}, {"size", model_.side()}, {"residual_map", pixel(residual_pixels_)}};
    if (model_.calibration) json["pixels"]["calibrated_map"] = pixel(calibrated_pixels_);
  }
  return json;
}

std::string Evaluation::mask_summary() const {
  const std::int64_t refused = static_cast<std::int64_t>(mask_errors_.size());
  std::string line = str("masks: ", masks_used_, " of ", masks_used_ + masks_missing_ + refused, " anomalous images");
  if (masks_missing_ > 0) line += str(", ", masks_missing_, " have none");
  if (refused > 0) line += str(", ", refused, " could not be used");
  if (!residual_pixels_.any_anomalous())
    line +=
        str("; no figures on pixels, because ", masks_used_ > 0 ? "no mask has an anomalous pixel" : "no mask is used");
  return line;
}

std::string Evaluation::table() const {
  std::string out = "score           AUROC     AP     F1\n";
  for (int i = 0; i < scores(); ++i) {
    const Ranking<double> ranking(values_[i], anomalous_);
    char line[96], f1[16] = "-";
    const double used = model_.calibration ? threshold(static_cast<ScoreIndex>(i)) : ranking.best_f1().threshold;
    if (!std::isnan(used)) std::snprintf(f1, sizeof f1, "%.3f", ranking.f1_at(used));
    std::snprintf(line, sizeof line, "%-14s  %.3f  %.3f  %s\n", kScoreNames[i], ranking.auroc(),
                  ranking.average_precision(), f1);
    out += line;
  }
  return out;
}

void Evaluation::plot(const std::string& roc_path, const std::string& histogram_path, const std::string& title) const {
  std::vector<RocSeries> curves;
  std::vector<ScoreHistogram> histograms;
  for (int i = 0; i < scores(); ++i) {
    const Ranking<double> ranking(values_[i], anomalous_);
    curves.push_back({kScoreNames[i], ranking.roc_curve(), ranking.auroc()});
    ScoreHistogram h;
    h.name = kScoreNames[i];
    for (std::size_t k = 0; k < anomalous_.size(); ++k)
      (anomalous_[k] ? h.anomalous : h.normal).push_back(values_[i][k]);
    if (model_.calibration) h.threshold = threshold(static_cast<ScoreIndex>(i));
    histograms.push_back(std::move(h));
  }
  plot_roc(roc_path, title, curves);
  plot_histograms(histogram_path, title, histograms);
}

}  // namespace pgad
