#include "report/figures.h"

#include <cmath>
#include <cstdio>

#include "engine/check.h"
#include "images/printable.h"
#include "report/plot.h"

namespace pgad {
namespace {

nlohmann::ordered_json null_unless_finite(double v) {
  return std::isfinite(v) ? nlohmann::ordered_json(v) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json score_to_json(const ScoreFigures& score, double wanted_false_reject_rate) {
  nlohmann::ordered_json json = {{"auroc", score.auroc},
                                 {"average_precision", score.average_precision},
                                 {"best_f1", score.best_f1.f1},
                                 {"best_f1_threshold", score.best_f1.threshold},
                                 {"best_f1_inlier_positive", score.best_f1_inlier_positive.f1}};
  if (!score.calibrated) return json;
  const Threshold& t = *score.calibrated;
  json["threshold"] = {{"value", t.value},
                       {"low", null_unless_finite(t.low)},
                       {"high", null_unless_finite(t.high)},
                       {"wanted_false_reject_rate", wanted_false_reject_rate},
                       {"held_out_normals", t.count}};
  json["threshold_used"] = nullptr;
  if (const auto& d = score.decisions) {
    json["threshold_used"] = d->threshold;
    json["f1"] = d->f1;
    json["f1_inlier_positive"] = d->f1_inlier_positive;
    json["false_reject_rate"] = d->false_reject_rate;
    json["miss_rate"] = d->miss_rate;
  }
  return json;
}

nlohmann::ordered_json pixels_to_json(const PixelFigures& pixels) {
  return {{"auroc", pixels.auroc}, {"average_precision", pixels.average_precision}, {"aupro_fpr_0.3", pixels.aupro}};
}

nlohmann::ordered_json regions_to_json(const RegionFigures& r) {
  const auto or_null = [](std::optional<double> v) {
    return v ? nlohmann::ordered_json(*v) : nlohmann::ordered_json(nullptr);
  };
  return {{"in_masks", r.truths},
          {"found", r.found},
          {"recall", or_null(r.recall())},
          {"regions", r.regions},
          {"precision", or_null(r.precision())}};
}

std::string percent(std::optional<double> share) {
  if (!share) return "-";
  char text[16];
  std::snprintf(text, sizeof text, "%.1f %%", 100 * *share);
  return text;
}

}  // namespace

void RegionFigures::add(const RegionMatches& m) {
  truths += m.truths;
  found += m.found;
  regions += m.regions;
}
std::optional<double> RegionFigures::recall() const {
  if (truths == 0) return std::nullopt;
  return static_cast<double>(found) / static_cast<double>(truths);
}
std::optional<double> RegionFigures::precision() const {
  if (regions == 0) return std::nullopt;
  return static_cast<double>(found) / static_cast<double>(regions);
}

nlohmann::ordered_json to_json(const Figures& figures) {
  nlohmann::ordered_json json;
  json["images"] = {{"normal", figures.normals}, {"anomalous", figures.anomalies}};
  json["positive_class"] = "anomalous";
  for (const ScoreFigures& score : figures.scores)
    json["scores"][score.name] = score_to_json(score, figures.wanted_false_reject_rate);
  for (const KindFigures& kind : figures.kinds) {
    nlohmann::ordered_json& entry = json["kinds"][printable(kind.name)];
    entry["images"] = kind.images;
    for (std::size_t i = 0; i < kind.auroc.size(); ++i) entry["auroc"][figures.scores[i].name] = kind.auroc[i];
    if (kind.pixel_auroc) entry["pixel_auroc"] = *kind.pixel_auroc;
    if (figures.regions) entry["regions"] = regions_to_json(kind.regions);
  }
  json["masks"] = {
      {"used", figures.masks_used}, {"missing", figures.masks_missing}, {"not_usable", figures.masks_unusable}};
  for (const std::string& note : figures.mask_notes) json["masks"]["notes"].push_back(printable(note));
  if (figures.residual_map)
    json["pixels"] = {
        {"images", figures.pixel_images},
        {"size", figures.pixel_side > 0 ? nlohmann::ordered_json(figures.pixel_side) : nlohmann::ordered_json("image")},
        {"residual_map", pixels_to_json(*figures.residual_map)}};
  if (figures.calibrated_map) json["pixels"]["calibrated_map"] = pixels_to_json(*figures.calibrated_map);
  if (figures.regions) {
    json["regions"] = regions_to_json(*figures.regions);
    json["regions"]["least_iou"] = kRegionIou;
    json["regions"]["normal_images"] = figures.region_normals;
    json["regions"]["normal_images_with_regions"] = figures.region_rejects;
  }
  return json;
}

std::string table_of(const Figures& figures) {
  std::string out = "score              AUROC     AP     F1\n";
  for (const ScoreFigures& score : figures.scores) {
    char line[96], f1[16] = "-";
    if (score.decisions || !score.calibrated)
      std::snprintf(f1, sizeof f1, "%.3f", score.decisions ? score.decisions->f1 : score.best_f1.f1);
    std::snprintf(line, sizeof line, "%-17s  %.3f  %.3f  %s\n", score.name.c_str(), score.auroc,
                  score.average_precision, f1);
    out += line;
  }
  return out;
}

std::string kind_table(const Figures& figures) {
  if (figures.kinds.empty()) return "";
  std::string out = str("kind                 images  ", figures.scores.back().name, " AUROC  pixel AUROC",
                        figures.regions ? "  regions found  precision\n" : "\n");
  for (const KindFigures& kind : figures.kinds) {
    char line[200], pixels[16] = "-";
    if (kind.pixel_auroc) std::snprintf(pixels, sizeof pixels, "%.3f", *kind.pixel_auroc);
    std::snprintf(line, sizeof line, "%-20s %6lld  %14.3f  %11s", printable(kind.name).substr(0, 60).c_str(),
                  static_cast<long long>(kind.images), kind.auroc.back(), pixels);
    out += line;
    if (figures.regions) {
      const std::string found = str(kind.regions.found, " of ", kind.regions.truths);
      std::snprintf(line, sizeof line, "  %13s  %9s", found.c_str(), percent(kind.regions.precision()).c_str());
      out += line;
    }
    out += "\n";
  }
  return out;
}

std::string region_summary(const Figures& figures) {
  if (!figures.regions) return "";
  const RegionFigures& r = *figures.regions;
  return str("regions (IoU >= ", kRegionIou, "): ", r.found, " of the masks' ", r.truths, " found (",
             percent(r.recall()), "); of ", r.regions, " regions ", percent(r.precision()), " are in a mask; ",
             figures.region_rejects, " of ", figures.region_normals, " normal images have one");
}

std::string mask_summary(const Figures& figures) {
  const std::int64_t all = figures.masks_used + figures.masks_missing + figures.masks_unusable;
  std::string line = str("masks: ", figures.masks_used, " of ", all, " anomalous images");
  if (figures.masks_missing > 0) line += str(", ", figures.masks_missing, " have none");
  if (figures.masks_unusable > 0) line += str(", ", figures.masks_unusable, " could not be used");
  if (!figures.residual_map)
    line += str("; no figures on pixels, because ",
                figures.masks_used > 0 ? "no mask has an anomalous pixel" : "no mask is used");
  return line;
}

void plot_figures(const Figures& figures, const std::string& roc_path, const std::string& histogram_path,
                  const std::string& title) {
  std::vector<RocSeries> curves;
  std::vector<ScoreHistogram> histograms;
  for (const ScoreFigures& score : figures.scores) {
    curves.push_back({score.name, score.roc, score.auroc});
    ScoreHistogram histogram{score.name, score.normal, score.anomalous};
    if (score.decisions) histogram.threshold = score.decisions->threshold;
    histograms.push_back(std::move(histogram));
  }
  plot_roc(roc_path, title, curves);
  plot_histograms(histogram_path, title, histograms);
}

}  // namespace pgad
