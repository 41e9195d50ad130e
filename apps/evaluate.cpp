#include "apps/evaluate.h"

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "apps/output_folder.h"
#include "apps/result_header.h"
#include "apps/signals.h"
#include "engine/rng.h"
#include "images/atomic_file.h"
#include "images/dataset.h"
#include "images/pictures.h"
#include "images/printable.h"
#include "inspection/anomaly_map.h"
#include "model/fields.h"
#include "report/evaluation.h"
#include "report/paper_figures.h"

namespace pgad {
namespace {

// At most `limit` images of each kind, the same for the same seed, in their old order.
std::vector<Sample> limited(const std::vector<Sample>& samples, std::int64_t limit, std::uint64_t seed) {
  if (limit <= 0) return samples;
  std::vector<char> keep(samples.size(), 0);
  for (const bool kind : {false, true}) {
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < samples.size(); ++i)
      if (samples[i].anomalous == kind) places.push_back(i);
    Rng rng(seed, 77 + kind);
    shuffle(places, rng);
    for (std::size_t i = 0; i < places.size() && static_cast<std::int64_t>(i) < limit; ++i) keep[places[i]] = 1;
  }
  std::vector<Sample> result;
  for (std::size_t i = 0; i < samples.size(); ++i)
    if (keep[i]) result.push_back(samples[i]);
  return result;
}

// Which images of the folder the model knows. A file of an older version does not say: then the split is repeated with
// the model's options; empty where they do not fit this data, so that it is not what the model was made from.
RememberedSplit split_of_model(const Session& s, const std::string& path) {
  if (!s.model.split.empty()) return s.model.split;
  DataConfig own = s.model.config.data;
  own.path = path;
  try {
    return Dataset::open(own).split;
  } catch (const Error&) {
    return {};
  }
}

// The test set of --data. What the model knows is kept out of it, by name. Fractions other than the training's are
// obeyed first.
Dataset open_test_set(const Session& s, const InspectionOptions& o, Progress& progress) {
  DataConfig config = s.config.data;
  config.path = o.data;
  const auto given = [&](const char* name) {
    return std::ranges::any_of(o.given, [&](const auto& g) { return g.first->name == name; });
  };
  const bool split_anew = given("normal-fraction") || given("abnormal-fraction");
  // The model's normal class names classes of its own data; an inspection folder says by itself what is good.
  if (!given("normal-class") && is_directory(join_path(config.path, "test"))) config.normal_class.clear();
  if (o.new_data && split_anew)
    throw UsageError("--new-data tests on all images: --normal-fraction and --abnormal-fraction do not go with it");
  const RememberedSplit known = o.new_data ? RememberedSplit() : split_of_model(s, config.path);
  const bool recall = o.new_data || (!split_anew && !known.empty());
  Dataset data = Dataset::open(config, Purpose::kEvaluate, recall ? &known : nullptr);
  if (!recall) {
    data.known = data.leave_out_of_test(known);
    data.require_both_kinds_in_test();
  }
  if (data.known > 0)
    progress.say(str(data.known,
                     " images trained or calibrated the model, by their names, and are left out of the test"
                     " (--new-data: these are other images)"));
  s.set_up(data.source);
  if (s.model.split.empty() && data.layout == Layout::kClasses && !o.new_data)
    data.notes.push_back(
        "the model file, of an older version, does not say which images it was trained on: if the "
        "folder has gained or lost images since, some of them are in the test");
  return data;
}

MaskOptions mask_options(const InspectionOptions& o, const DecodeOptions& of_images) {
  MaskOptions masks{o.mask_threshold, o.resize_masks, of_images};
  masks.decode.bits = masks.decode.expected_bits = 0;  // masks need not be as deep as the images
  masks.decode.keep_alpha = true;
  return masks;
}

// metrics.json, the pictures, and the table on standard output.
void write_evaluation(const Evaluation& evaluation, const Session& s, const InspectionOptions& o, const Dataset& data,
                      const std::vector<std::string>& notes) {
  const Figures figures = evaluation.figures();
  nlohmann::ordered_json metrics = header_of(s, o.model, notes, data.left_out);
  metrics["data"] = printable(o.data);
  if (data.known > 0) metrics["known_images_left_out"] = data.known;
  metrics.update(to_json(figures));
  for (const std::string& error : evaluation.mask_errors()) metrics["mask_errors"].push_back(printable(error));
  write_file_atomically(out_path(o, "metrics.json"), metrics.dump(2) + "\n");
  plot_figures(figures, out_path(o, "roc.png"), out_path(o, "histogram.png"),
               printable(std::filesystem::canonical(o.data).filename().string()));
  evaluation.save_examples(out_path(o, "examples.png"));
  std::cout << table_of(figures);
  if (data.layout == Layout::kInspection) std::cout << kind_table(figures) << mask_summary(figures) << "\n";
  if (const std::string regions = region_summary(figures); !regions.empty()) std::cout << regions << "\n";
}

// Figures that the page does not derive from the scores.
std::vector<std::pair<std::string, double>> report_figures(const Figures& figures) {
  std::vector<std::pair<std::string, double>> all;
  if (figures.calibrated_map) all.emplace_back("pixel AUROC of the map", figures.calibrated_map->auroc);
  if (!figures.regions) return all;
  if (const auto recall = figures.regions->recall()) all.emplace_back("share of defects found as regions", *recall);
  if (const auto precision = figures.regions->precision())
    all.emplace_back("share of regions that are defects", *precision);
  return all;
}

}  // namespace

int evaluate(const InspectionOptions& o) {
  Session s(o.model, o.given);
  Progress progress;
  Dataset data = open_test_set(s, o, progress);
  const auto samples = limited(data.test, o.limit, s.config.data.split_seed);
  const bool has_masks =
      std::any_of(samples.begin(), samples.end(), [](const Sample& x) { return !x.mask_path.empty(); });
  std::vector<std::string> notes = s.notes(!std::isnan(o.threshold));
  notes.insert(notes.end(), data.notes.begin(), data.notes.end());
  Evaluation evaluation(s.model, s.config.scoring, has_masks, o.threshold, mask_options(o, data.source.options));

  const FolderLock lock = lock_results(o.out, progress);
  for (const char* name : {"metrics.json", "roc.png", "histogram.png", "examples.png"})  // of an earlier call
    std::filesystem::remove(out_path(o, name));
  std::optional<HtmlReport> report = make_report(s, o, true, samples.size());
  const int code = score_into(s, o,
                              {samples, data.source, o.data, notes, data.left_out, true,
                               [&](const ScoredImage& image) { evaluation.add(image); }, evaluation.needs_maps(samples),
                               report ? &*report : nullptr},
                              progress);
  if (stop_requested) {
    if (report) write_report(*report, s, o, o.data, notes, {}, progress);
    return code;
  }
  for (const std::string& error : evaluation.mask_errors()) {
    if (o.strict) throw Error(error);
    progress.warn("mask not used: " + error);
  }
  for (const std::string& note : evaluation.mask_notes()) progress.say("note: " + note);
  write_evaluation(evaluation, s, o, data, notes);
  if (report) write_report(*report, s, o, o.data, notes, report_figures(evaluation.figures()), progress);
  return evaluation.mask_errors().empty() ? code : kExitFailure;
}

int paper_figures(const InspectionOptions& o) {
  Session s(o.model, o.given);
  Progress progress;
  const Dataset data = open_test_set(s, o, progress);
  std::vector<Sample> normal;
  for (const Sample& sample : data.test)
    if (!sample.anomalous && std::ssize(normal) < o.figure_images) normal.push_back(sample);
  const std::vector<Sample> abnormal = of_one_kind(data.test, o.kind, static_cast<std::size_t>(o.figure_images));
  const FolderLock lock = lock_output(o.out, progress);
  std::vector<Sample> noisy;
  for (int i = 0; i < std::min<int>(o.columns, static_cast<int>(normal.size())); ++i) {
    const std::string path = out_path(o, str("noisy-", i, ".png").c_str());
    write_png(path, with_noise(data.load(normal[static_cast<std::size_t>(i)]), o.noise, s.config.scoring.seed,
                               static_cast<std::uint64_t>(i)));
    noisy.push_back({path, path, -1, "", false, ""});
  }

  stop_on_signals();
  PaperFigures figures(o.columns);
  Scorer scorer(*s.exec, s.model, s.config.scoring);
  const std::pair<PaperFigures::Kind, const std::vector<Sample>*> parts[] = {
      {PaperFigures::kNormal, &normal}, {PaperFigures::kNoisy, &noisy}, {PaperFigures::kAbnormal, &abnormal}};
  for (const auto& [kind, samples] : parts)
    scorer.score(
        *samples, data.source,
        [&](const ScoredImage& image) {
          if (!image.error.empty()) throw Error(image.error);
          Image map;
          if (s.model.calibration && figures.shows_another(kind))
            map = heat_over(picture(image.query, image.rows, image.columns, s.model.config.network.channels),
                            anomaly_map(s.model, image, s.config.scoring.map_sigma));
          figures.add(kind, image, std::move(map));
        },
        [&](const ScoringProgress& p) {
          progress.update(str("figures: ", static_cast<int>(p.done), " of ", samples->size(), " images",
                              time_left_text(p.seconds_left)));
        },
        &stop_requested);
  if (stop_requested) throw Error("interrupted: there are no figures");
  figures.write(o.out, "normal", abnormal[0].group);
  progress.say("figure4.png, figure5.png and figure6.png in " + o.out);
  return 0;
}

}  // namespace pgad
