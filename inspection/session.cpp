#include "inspection/session.h"

#include <cmath>
#include <new>

#include "inspection/calibration.h"
#include "model/make_exec.h"
#include "model/tuning_file.h"

namespace pgad {
namespace {

// Fields that scores depend on and that differ from those the calibration was made with.
std::string changed_scoring(const Config& now, const Config& before) {
  std::string names;
  for (const Field& field : all_fields()) {
    if (field.group != Group::kScoring || field.name == "false-reject-rate" || field.name == "map-sigma" ||
        field.name == "search-batch" || field.name == "region-min-area")
      continue;
    if (field.get(now) != field.get(before)) names += (names.empty() ? "--" : ", --") + field.short_name;
  }
  return names;
}

}  // namespace

Session::Session(const std::string& model_file, const GivenOptions& given) {
  GivenOptions early;  // threads and device decide how to load
  for (const auto& g : given)
    if (g.first->group == Group::kRun) early.push_back(g);
  run = resolve_config(preset("tiny"), early, Naming::kShort).run;
  exec.reset(new Exec(make_exec(run)));
  load_tuning(*exec, run.tuning);
  model = load_model(*exec, model_file);
  if (model.calibration && model.calibration->normal_combined.empty()) cross_fit(*model.calibration);
  config = resolve_config(model.config, given, Naming::kShort);
}

std::vector<std::string> Session::notes(bool threshold_given) const {
  if (!model.calibration)
    return {"the model is not calibrated (training was interrupted): no combined score, no decision"};
  std::vector<std::string> notes = model.calibration->notes;
  const double rate = config.scoring.false_reject_rate;
  const std::string note = threshold_note(threshold_of(*model.calibration, kCombined, rate), rate);
  if (!note.empty() && !threshold_given) notes.push_back(note);
  if (const std::string changed = changed_scoring(config, model.config); !changed.empty())
    notes.push_back(changed +
                    " differ from the calibration's: combined scores and decisions are off by what that changes");
  if (config.scoring.map_sigma != model.config.scoring.map_sigma && !model.calibration->normal_map_peaks.empty())
    notes.push_back(str("the threshold of regions is that of maps with --map-sigma ", model.config.scoring.map_sigma,
                        ", not ", config.scoring.map_sigma, ": pgad_infer calibrate measures another"));
  return notes;
}

double Session::threshold(double given) const {
  if (!model.calibration) return std::nan("");
  if (!std::isnan(given)) return given;
  const Threshold t = threshold_of(*model.calibration, kCombined, config.scoring.false_reject_rate);
  return t.decides() ? t.value : std::nan("");
}

std::optional<RegionOptions> Session::regions(double given) const {
  if (!model.calibration) return std::nullopt;
  double threshold = given;
  if (std::isnan(given)) {
    const auto t = region_threshold_of(*model.calibration, config.scoring.false_reject_rate);
    if (!t || !t->decides()) return std::nullopt;
    threshold = t->value;
  }
  return region_options(threshold, config.scoring.region_min_area);
}

void Session::set_up(ImageSource& source) const {
  source.options = decode_options(model.preprocessing, config.data);
  source.ignore = model.ignore;
}

double Session::judge(ScoredImage& image, double threshold, std::optional<RegionOptions> regions) const {
  const double combined = model.calibration ? combined_score(*model.calibration, image.terms) : std::nan("");
  if (regions) {
    regions->always_one = combined > threshold;
    try {
      image.regions = regions_of(model, image, config.scoring.map_sigma, *regions);
    } catch (const std::bad_alloc&) {  // this image's alone, as large as it is
      image.error = image.sample.name + ": not enough memory for its map";
      return std::nan("");
    }
  }
  return combined;
}

}  // namespace pgad
