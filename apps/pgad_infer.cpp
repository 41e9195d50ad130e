// Uses a trained model: scores images, evaluates on labelled ones, draws new ones, tells what it is.

#include <unistd.h>

#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <tuple>

#include "apps/calibrate.h"
#include "apps/options.h"
#include "apps/output_folder.h"
#include "apps/profile.h"
#include "apps/program.h"
#include "apps/progress.h"
#include "apps/result_header.h"
#include "apps/show_model.h"
#include "apps/watch.h"
#include "engine/rng.h"
#include "images/atomic_file.h"
#include "images/dataset.h"
#include "images/image_stream.h"
#include "images/listing.h"
#include "images/pictures.h"
#include "images/printable.h"
#include "inspection/anomaly_map.h"
#include "inspection/session.h"
#include "model/config_io.h"
#include "model/tuning_file.h"
#include "report/comparison.h"
#include "report/evaluation.h"
#include "report/html_report.h"
#include "report/paper_figures.h"
#include "report/result_writer.h"

namespace pgad {
namespace {

constexpr int kProfileRounds = 20;
constexpr std::size_t kUnknownCount = 1000;  // images that standard input may give, for the size of a report's pictures

struct Options {
  std::string model, out, data;
  std::vector<std::string> inputs;
  GivenOptions given;
  bool fail_on_anomaly = false, json_lines = false;
  bool images_from_stdin = false, report = false, maps = false, strict = false, profile = false, resume = false,
       new_data = false, resize_masks = false;
  double threshold = std::nan(""), region_threshold = std::nan(""), mask_threshold = std::nan("");
  std::int64_t limit = 0;
  int figure_images = 100, columns = 5;
  double noise = 0.1;
  std::string kind, report_images = "embed";
};

std::string out_path(const Options& o, const char* name) { return (std::filesystem::path(o.out) / name).string(); }

// Throws UsageError if images of the two results may have got other scores or rows, naming what differs.
void check_same_run(const nlohmann::ordered_json& earlier, const nlohmann::ordered_json& now, const std::string& out) {
  const auto value = [](const nlohmann::ordered_json& header, const std::string& key) {
    const auto found = header.find(key);
    return found == header.end() ? nlohmann::ordered_json(nullptr) : *found;
  };
  const auto check = [&](const std::string& name, const nlohmann::ordered_json& a, const nlohmann::ordered_json& b) {
    if (a != b)
      throw UsageError(str(name, " is ", b.dump(), ", but the results in ", out, " were made with ", a.dump(),
                           ": it cannot change with --resume; another --out starts anew"));
  };
  check("the model's fingerprint", value(earlier, "model_fingerprint"), value(now, "model_fingerprint"));
  for (const Field& field : all_fields()) {
    // Scores do not depend on how many images are searched at once.
    if (field.group != Group::kScoring || field.name == "search-batch") continue;
    check("--" + field.short_name, value(value(earlier, "scoring"), field.name), value(now["scoring"], field.name));
  }
  check("--bits", value(earlier, "bits"), now["bits"]);
  for (const char* key : {"threshold", "region_threshold", "computed_by", "relative_to", "maps"})
    check(key, value(earlier, key), now[key]);
}

// Samples to be scored, and what becomes of them.
struct Inspection {
  const std::vector<Sample>& samples;
  const ImageSource& source;
  std::string relative_to;  // folder that names of samples begin at
  std::vector<std::string> notes;
  LeftOut left_out;
  bool labels = false;
  std::function<void(const ScoredImage&)> also;  // sees each image that could be scored, in order
  std::vector<char> needs_maps;                  // of `also`, by sample: not to be taken from an earlier run
  HtmlReport* report = nullptr;                  // if one is wanted
};

// Rows of an earlier run, by place in the samples; they leave as they are written again.
using KeptRows = std::map<std::size_t, nlohmann::ordered_json>;

ResultOptions result_options(const Session& s, const Options& o, bool labels) {
  return {o.out, o.maps, labels, s.threshold(o.threshold), s.config.scoring.map_sigma, o.json_lines};
}

std::optional<HtmlReport> make_report(const Session& s, const Options& o, bool labels, std::size_t images) {
  if (!o.report) return std::nullopt;
  return std::optional<HtmlReport>(std::in_place, s.model, result_options(s, o, labels),
                                   o.report_images == "link" ? ReportImages::kLink : ReportImages::kEmbed, images);
}

// What the threshold means, for a person.
std::string meaning_of(const Session& s, double given, double threshold) {
  if (std::isnan(threshold)) return "No image is judged: the model has no threshold of combined, and none was given.";
  const std::string above = str("An image is judged anomalous where combined is above ", threshold);
  if (!std::isnan(given)) return above + ", the threshold that was given with the call.";
  const double rate = s.config.scoring.false_reject_rate;
  const Threshold t = threshold_of(*s.model.calibration, kCombined, rate);
  std::string range = str("between ", t.low, " and ", t.high);
  if (!std::isfinite(t.high)) range = str("above ", t.low);
  if (!std::isfinite(t.low)) range = "anywhere: so few tell nothing";
  return str(above, ". It was set so that ", 100 * rate, " % of normal images are rejected, by ", t.count,
             " normal images that were held out from training; with 95 % confidence the threshold for this rate lies ",
             range, ". How many defects are missed only images with known defects can say.");
}

void write_report(HtmlReport& report, const Session& s, const Options& o, const std::string& of,
                  std::vector<std::string> notes, std::vector<std::pair<std::string, double>> figures,
                  Progress& progress) {
  if (stop_requested) notes.insert(notes.begin(), "the inspection was interrupted: images are missing");
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char date[64];
  std::strftime(date, sizeof date, "%Y-%m-%d %H:%M", &local);
  report.write({"Inspection of " + of,
                str(date, ", model ", o.model, ", pgad ", PGAD_VERSION, ", ", s.exec->description()),
                meaning_of(s, o.threshold, s.threshold(o.threshold)), std::move(notes), std::move(figures)});
  progress.say("report in " + out_path(o, "report.html"));
}

KeptRows rows_to_keep(const Options& o, const std::vector<Sample>& samples, const nlohmann::ordered_json& header) {
  KeptRows kept;
  if (auto earlier = read_earlier_result(o.out)) {
    check_same_run(earlier->header, header, o.out);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const auto row = earlier->rows.find(samples[i].name);
      if (row == earlier->rows.end()) continue;
      // An older program's rows may lack scores or regions: those images are searched again.
      const auto there = [&](const char* score) { return row->second.contains(score); };
      if (std::ranges::all_of(kScoreNames, there) && there("regions")) kept.emplace(i, std::move(row->second));
    }
  }
  return kept;
}

// The tables with what there is, after whatever ended the run. Where not even the kept rows can be written, those that
// are there already stay beside the part file, and --resume finds both.
void keep_results(ResultWriter& writer, const std::function<void()>& write_kept, const Options& o, Progress& progress) {
  try {
    write_kept();
  } catch (const std::exception&) {
    writer.suspend();
    progress.warn("what was scored is in " + out_path(o, "scores.json.part") + "; --resume goes on");
    return;
  }
  try {
    if (const std::string table = writer.finish(false); !table.empty())
      progress.say(str(writer.scored() + writer.failed(), " images are kept in ", table, "; --resume goes on"));
  } catch (const std::exception& e) {
    progress.warn(e.what());
  }
}

ScoredImage add_kept(ResultWriter& writer, const Sample& sample, const nlohmann::ordered_json& row) {
  ScoredImage image = image_of_row(sample, row);
  writer.add_kept(image, row.value("map", ""));
  return image;
}

nlohmann::ordered_json result_header(const Session& s, const Options& o, const Inspection& task, double threshold,
                                     const std::optional<RegionOptions>& regions) {
  nlohmann::ordered_json header = result_header(s, o.model, task.notes, task.left_out, threshold, regions);
  // With a slash at the end, however it was given.
  header["relative_to"] = printable((std::filesystem::absolute(task.relative_to) / "").lexically_normal().string());
  header["maps"] = o.maps;
  return header;
}

// Rows of --resume's earlier run. They are written to tables of their own first: from then on they are there under the
// final name, whatever happens to the part file that this run begins anew.
KeptRows take_over(const Session& s, const Options& o, const std::vector<Sample>& samples,
                   const nlohmann::ordered_json& header, const ResultOptions& options, Progress& progress) {
  KeptRows kept = rows_to_keep(o, samples, header);
  progress.say(str("going on with ", o.out, ": ", kept.size(), " of ", samples.size(), " images are there"));
  if (kept.empty()) return kept;
  ResultOptions quietly = options;
  quietly.lines = false;  // they are said when they are written again
  ResultWriter earlier(s.model, quietly, header);
  for (const auto& [place, row] : kept) add_kept(earlier, samples[place], row);
  earlier.finish(false);
  return kept;
}

// The samples that have to be searched.
struct Remaining {
  std::vector<Sample> samples;
  std::vector<std::size_t> places;  // of each in the task's
};

Remaining find_remaining(const Inspection& task, const KeptRows& kept, Progress& progress) {
  Remaining remaining;
  std::size_t again = 0;
  for (std::size_t i = 0; i < task.samples.size(); ++i) {
    const bool known = kept.contains(i), needed = !task.needs_maps.empty() && task.needs_maps[i];
    again += known && needed;
    if (known && !needed) continue;
    remaining.samples.push_back(task.samples[i]);
    remaining.places.push_back(i);
  }
  if (again > 0)
    progress.say(str("note: ", again, " of them are searched again: figures of their pixels, and examples, need maps"));
  return remaining;
}

// Writes what is searched now and the rows kept from an earlier run, all in the order of the samples.
class OrderedRows {
 public:
  OrderedRows(ResultWriter& writer, const Inspection& task, KeptRows kept, bool strict, Progress& progress)
      : writer_(writer), task_(task), kept_(std::move(kept)), strict_(strict), progress_(progress) {}

  void write_kept_before(std::size_t place) {
    while (!kept_.empty() && kept_.begin()->first < place) {
      const ScoredImage image = add_kept(writer_, task_.samples[kept_.begin()->first], kept_.begin()->second);
      kept_.erase(kept_.begin());
      if (task_.report) add_to_report(image);
      if (task_.also) task_.also(image);
    }
  }
  // In rising order of places. Throws Error for an image that could not be scored if that ends the run (--strict).
  void write(const ScoredImage& image, std::size_t place) {
    write_kept_before(place);
    for (const std::string& note : image.notes) progress_.say(str("note: ", image.sample.name, ": ", note));
    if (!image.error.empty()) {
      if (strict_) throw Error(image.error);
      progress_.warn("not scored: " + image.error);
      if (kept_.contains(place)) return write_kept_before(place + 1);  // its earlier scores are better than none
    }
    const std::string error = writer_.add(image, task_.source);
    if (!error.empty()) progress_.warn(error);
    kept_.erase(place);
    if (task_.report) add_to_report(image);
    if (task_.also && image.error.empty()) task_.also(image);
  }

 private:
  void add_to_report(const ScoredImage& image) {
    if (const std::string error = task_.report->add(image, task_.source); !error.empty()) progress_.warn(error);
  }

  ResultWriter& writer_;
  const Inspection& task_;
  KeptRows kept_;
  bool strict_;
  Progress& progress_;
};

void search(const Session& s, Scorer& scorer, double threshold, const std::optional<RegionOptions>& regions,
            const Inspection& task, const Remaining& remaining, OrderedRows& rows, Progress& progress) {
  const std::size_t all = task.samples.size(), kept = all - remaining.samples.size();
  std::size_t received = 0;
  scorer.score(
      remaining.samples, task.source,
      [&](ScoredImage image) {
        if (image.error.empty()) s.judge(image, threshold, regions);
        while (remaining.samples[received].name != image.sample.name) ++received;  // after a stop some are missing
        rows.write(image, remaining.places[received++]);
      },
      [&](const ScoringProgress& p) {
        progress.update(str("scoring: ", static_cast<long>(p.done) + static_cast<long>(kept), " of ", all, " images",
                            time_left_text(p.seconds_left)));
      },
      &stop_requested);
  rows.write_kept_before(all);
}

std::string summary_of(const ResultWriter& writer, const Session& s, const LeftOut& left_out, double threshold) {
  std::string summary = str(writer.scored(), " images scored");
  if (!std::isnan(threshold))
    summary += str(", ", writer.anomalous(), " judged anomalous (combined > ", threshold, ")");
  else if (s.model.calibration)
    summary += ", none judged: too few held-out normal images for a threshold";
  if (writer.failed() > 0) summary += str(", ", writer.failed(), " could not be read");
  if (writer.maps_failed() > 0) summary += str(", the maps of ", writer.maps_failed(), " could not be written");
  if (!left_out.files.empty()) summary += "; not read: " + left_out.files_text();
  if (!left_out.folders.empty()) summary += str("; ", left_out.folders.size(), " folder(s) could not be read");
  return summary;
}

// A folder that `watch` writes to is its alone: its tables are not ours.
FolderLock lock_results(const std::string& out, Progress& progress) {
  if (path_exists(join_path(out, "scores.jsonl")))
    throw UsageError(str("'", out, "' holds results of watch (scores.jsonl); give another --out"));
  return lock_output(out, progress);
}

// Scores samples into the tables of o.out, whose lock the caller holds. Returns the exit code. Whatever ends it, the
// tables hold what was scored until then.
int score_into(Session& s, const Options& o, const Inspection& task, Progress& progress) {
  const std::size_t all = task.samples.size();
  for (const std::string& note : task.notes) progress.say("note: " + note);
  const double threshold = s.threshold(o.threshold);
  const std::optional<RegionOptions> regions = s.regions(o.region_threshold);
  const nlohmann::ordered_json header = result_header(s, o, task, threshold, regions);
  const ResultOptions options = result_options(s, o, task.labels);
  KeptRows kept;
  if (o.resume) kept = take_over(s, o, task.samples, header, options, progress);
  const Remaining remaining = find_remaining(task, kept, progress);

  progress.say("on " + s.exec->description());
  stop_on_signals();
  ResultWriter writer(s.model, options, header);
  OrderedRows rows(writer, task, std::move(kept), o.strict, progress);
  Scorer scorer(*s.exec, s.model, s.config.scoring);
  try {
    search(s, scorer, threshold, regions, task, remaining, rows, progress);
  } catch (...) {
    keep_results(
        writer, [&] { rows.write_kept_before(all); }, o, progress);
    throw;
  }
  const auto written = static_cast<std::size_t>(writer.scored() + writer.failed());
  const std::string table = writer.finish(written == all);
  save_tuning(*s.exec, s.run.tuning);
  if (o.profile && scorer.graph() != nullptr)
    std::cout << profile_table(*scorer.graph(), *s.exec, kProfileRounds) << "\n";
  if (stop_requested) progress.warn(str("interrupted after ", written, " of ", all, " images; --resume goes on"));
  progress.say(summary_of(writer, s, task.left_out, threshold) + (table.empty() ? "" : "; see " + table));
  const bool complete = writer.failed() == 0 && writer.maps_failed() == 0 && task.left_out.folders.empty();
  if (!complete || stop_requested) return kExitFailure;
  return o.fail_on_anomaly && writer.anomalous() > 0 ? kExitAnomaly : 0;
}

int score(const Options& o) {
  if (o.inputs.empty()) throw UsageError("--input is required: images, folders or lists; or --images-from-stdin");
  Session s(o.model, o.given);
  Progress progress;
  const FolderLock lock = lock_results(o.out, progress);
  ImageSource source;
  source.options = decode_options(s.model.preprocessing, s.config.data);
  source.ignore = s.model.ignore;
  LeftOut left_out;
  const auto samples = list_inputs(o.inputs, &source, &left_out);
  std::vector<std::string> notes = s.notes(!std::isnan(o.threshold));
  for (std::string& note : left_out.notes()) notes.push_back(std::move(note));
  const bool one_folder = o.inputs.size() == 1 && is_directory(o.inputs[0]);
  std::vector<double> combined;
  const auto collect = [&](const ScoredImage& image) {
    if (s.model.calibration) combined.push_back(combined_score(*s.model.calibration, image.terms));
  };
  std::optional<HtmlReport> report = make_report(s, o, false, samples.size());
  const int code = score_into(s, o,
                              {samples,
                               source,
                               one_folder ? o.inputs[0] : ".",
                               notes,
                               left_out,
                               false,
                               collect,
                               {},
                               report ? &*report : nullptr},
                              progress);
  if (report)
    write_report(*report, s, o, o.inputs.size() == 1 ? o.inputs[0] : str(o.inputs.size(), " inputs"), notes, {},
                 progress);
  if (s.model.calibration)
    if (const auto drift = drift_text(*s.model.calibration, s.threshold(o.threshold), combined)) progress.warn(*drift);
  return code;
}

// The images that standard input gives, until its end; nobody knows how many will come.
int score_stream(const Options& o) {
  Session s(o.model, o.given);
  Progress progress;
  const FolderLock lock = lock_results(o.out, progress);
  ImageSource source;
  source.options = decode_options(s.model.preprocessing, s.config.data);
  source.ignore = s.model.ignore;
  const std::vector<Sample> none;
  std::vector<double> combined;
  std::optional<HtmlReport> report = make_report(s, o, false, kUnknownCount);
  Inspection task{none, source, ".", s.notes(!std::isnan(o.threshold)), {}, false, {}, {}, report ? &*report : nullptr};
  for (const std::string& note : task.notes) progress.say("note: " + note);
  const double threshold = s.threshold(o.threshold);
  const std::optional<RegionOptions> regions = s.regions(o.region_threshold);
  progress.say("on " + s.exec->description());
  stop_on_signals();
  ResultWriter writer(s.model, result_options(s, o, false), result_header(s, o, task, threshold, regions));
  OrderedRows rows(writer, task, {}, o.strict, progress);
  Scorer scorer(*s.exec, s.model, s.config.scoring);
  ImageStream stream(STDIN_FILENO, "stdin", "standard input");
  try {
    scorer.score(
        stream, source,
        [&](ScoredImage image) {
          const double value = image.error.empty() ? s.judge(image, threshold, regions) : std::nan("");
          if (!std::isnan(value)) combined.push_back(value);
          rows.write(image, 0);
        },
        [&](const ScoringProgress& p) {
          progress.update(str("scoring: ", static_cast<long>(p.done), " images of standard input"));
        },
        &stop_requested);
  } catch (...) {
    if (const std::string table = writer.finish(false); !table.empty())
      progress.say(str(writer.scored() + writer.failed(), " images are kept in ", table));
    throw;
  }
  if (!stop_requested && stream.error().empty() && writer.scored() + writer.failed() == 0)
    throw DataError("standard input: no image came; expected image files one behind another");
  const std::string table = writer.finish(!stop_requested && stream.error().empty());
  save_tuning(*s.exec, s.run.tuning);
  progress.say(summary_of(writer, s, {}, threshold) + (table.empty() ? "" : "; see " + table));
  if (s.model.calibration)
    if (const auto drift = drift_text(*s.model.calibration, threshold, combined)) progress.warn(*drift);
  if (report) write_report(*report, s, o, "images from standard input", task.notes, {}, progress);
  if (!stream.error().empty()) throw DataError(stream.error());
  if (stop_requested) progress.warn("interrupted");
  if (stop_requested || writer.failed() > 0 || writer.maps_failed() > 0) return kExitFailure;
  return o.fail_on_anomaly && writer.anomalous() > 0 ? kExitAnomaly : 0;
}

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
Dataset open_test_set(const Session& s, const Options& o, Progress& progress) {
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
  data.source.options = decode_options(s.model.preprocessing, s.config.data);
  data.source.ignore = s.model.ignore;
  if (s.model.split.empty() && data.layout == Layout::kClasses && !o.new_data)
    data.notes.push_back(
        "the model file, of an older version, does not say which images it was trained on: if the "
        "folder has gained or lost images since, some of them are in the test");
  return data;
}

MaskOptions mask_options(const Options& o, const DecodeOptions& of_images) {
  MaskOptions masks{o.mask_threshold, o.resize_masks, of_images};
  masks.decode.bits = masks.decode.expected_bits = 0;  // masks need not be as deep as the images
  masks.decode.keep_alpha = true;
  return masks;
}

// metrics.json, the pictures, and the table on standard output.
void write_evaluation(const Evaluation& evaluation, const Session& s, const Options& o, const Dataset& data,
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

int evaluate(const Options& o) {
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

int compare_results(const std::vector<std::string>& folders, const std::string& out) {
  std::vector<EarlierResult> results;
  for (const std::string& folder : folders) {
    auto result = read_earlier_result(folder);
    if (!result) throw Error(str("'", folder, "' holds no scores.json; expected the --out of score or evaluate"));
    results.push_back(std::move(*result));
  }
  const Comparison comparison = compare(results[0], results[1], folders[0], folders[1]);
  Progress progress;
  const FolderLock lock = lock_output(out, progress);
  const std::filesystem::path folder = out;
  write_file_atomically((folder / "comparison.csv").string(), csv_of(comparison));
  plot_comparison((folder / "comparison.png").string(), comparison);
  std::cout << table_of(comparison);
  return 0;
}

int paper_figures(const Options& o) {
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

}  // namespace
}  // namespace pgad

int main(int argc, char** argv) {
  using pgad::Group;
  CLI::App app("Finds anomalies in images with a model that pgad_train made.", "pgad_infer");
  app.require_subcommand(1);
  pgad::Options o;
  std::function<int()> body;
  const auto command = [&](const char* name, const char* help, const pgad::FieldList& fields,
                           std::function<int()> call) {
    CLI::App* sub = app.add_subcommand(name, help);
    sub->add_option("--model", o.model, "model.safetensors of pgad_train")->required();
    pgad::add_options(*sub, o.given, fields, pgad::preset("tiny"), pgad::Naming::kShort);
    sub->callback([&body, call = std::move(call)] { body = call; });
    return sub;
  };
  const auto scoring =
      pgad::select_fields({Group::kScoring}, {"threads", "device", "precision", "tuning", "bits", "max-pixels"});
  const auto with_data =
      pgad::select_fields({Group::kScoring}, {"threads", "device", "precision", "tuning", "bits", "max-pixels",
                                              "normal-class", "normal-fraction", "abnormal-fraction", "split-seed"});
  const auto run_only = pgad::select_fields({}, {"threads", "device", "precision", "tuning"});

  CLI::App* score = command("score", "Scores images and judges them.", scoring,
                            [&] { return o.images_from_stdin ? pgad::score_stream(o) : pgad::score(o); });
  CLI::Option* input = score->add_option(
      "--input", o.inputs, "image files, folders, IDX files; @FILE or - (standard input): a list of them");
  CLI::Option* stream = score
                            ->add_flag("--images-from-stdin", o.images_from_stdin,
                                       "instead of --input: the images themselves come from standard input, one file "
                                       "behind another; PNG, JPEG, BMP, WebP, binary PGM and PPM")
                            ->excludes(input);
  CLI::Option* lines = score->add_flag("--json-lines", o.json_lines,
                                       "also print each image's row of scores.json to standard output, as it is known");
  score->add_flag("--fail-on-anomaly", o.fail_on_anomaly, "exit code 3 if an image is judged anomalous");
  CLI::App* evaluate = command("evaluate", "Scores a labelled test set and measures how well the scores separate it.",
                               with_data, [&] { return pgad::evaluate(o); });
  evaluate->add_option("--data", o.data, "IDX directory, inspection folder or class folders")->required();
  evaluate->add_flag("--new-data", o.new_data,
                     "test on all images, also where their names are those of images that trained the model");
  evaluate->add_option("--limit", o.limit, "at most this many images of each kind, drawn by the split seed; 0: all")
      ->check(CLI::NonNegativeNumber);
  evaluate->add_flag("--resize-masks", o.resize_masks, "bring masks of another size to their image's");
  evaluate
      ->add_option("--mask-threshold", o.mask_threshold,
                   "above which value, in [0, 1) of full brightness, a mask's pixel is anomalous; default: the larger "
                   "of two values, the upper half of many")
      ->check(CLI::Range(0.0, 1.0));
  for (CLI::App* sub : {score, evaluate}) {
    sub->add_option("--out", o.out, "directory for the results")->required();
    sub->add_flag("--maps", o.maps, "write heat maps, reconstructions and raw maps");
    CLI::Option* profile = sub->add_flag("--profile", o.profile, "then print where the time of a search step goes");
    if (sub == score) profile->excludes(lines);
    CLI::Option* report = sub->add_flag(
        "--report", o.report, "write report.html: summary, threshold, and each image with its map, for a browser");
    sub->add_option("--report-images", o.report_images,
                    "embed: the report is one file; link: its pictures lie in report/ beside it, in more detail")
        ->check(CLI::IsMember({"embed", "link"}))
        ->needs(report)
        ->capture_default_str();
    sub->add_flag("--strict", o.strict, "stop at the first image that cannot be read");
    CLI::Option* resume = sub->add_flag("--resume", o.resume,
                                        "go on with the results in --out: only images without a score are searched");
    if (sub == score) stream->excludes(resume)->excludes(profile);
  }
  pgad::WatchOptions watched;
  CLI::App* watch = command("watch", "Judges the images of a folder as they come, until it is ended.", scoring, [&] {
    watched.model = o.model;
    watched.given = o.given;
    watched.threshold = o.threshold;
    watched.region_threshold = o.region_threshold;
    return pgad::watch(watched);
  });
  watch->add_option("--input", watched.input, "the folder; those below it are watched too")->required();
  watch->add_option("--out", watched.out, "directory for the results; with those of an earlier call it goes on")
      ->required();
  watch->add_flag("--maps", watched.maps, "write heat maps, reconstructions and raw maps");
  watch->add_flag("--json-lines", watched.json_lines,
                  "also print each image's row of scores.jsonl to standard output, as it is known");
  CLI::Option* move =
      watch->add_option("--move-to", watched.move_to, "move judged images to normal, anomalous, ... in this folder");
  watch->add_option("--link-to", watched.link_to, "leave them, and link them from such folders")->excludes(move);
  watch
      ->add_option("--rescan", watched.rescan,
                   "seconds between looks at the whole folder, by which images on network drives are found")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str();
  for (CLI::App* sub : {score, evaluate, watch}) {
    for (const auto& [name, value, help] :
         {std::tuple("--threshold", &o.threshold, "of combined; default: the calibration's"),
          std::tuple("--region-threshold", &o.region_threshold,
                     "that a region's peak exceeds, standard deviations as in the map; default: the calibration's")})
      sub->add_option(name, *value, help)->check([](const std::string& text) {
        double number = 0;
        const bool good = CLI::detail::lexical_cast(text, number) && std::isfinite(number);
        return good ? std::string() : pgad::str("'", text, "', expected a number");
      });
  }
  pgad::CalibrateOptions calibration;
  CLI::App* calibrate = command("calibrate", "Calibrates a model on other images, without training.", scoring, [&] {
    calibration.model = o.model;
    calibration.given = o.given;
    return pgad::calibrate_model(calibration);
  });
  calibrate->add_option("--data", calibration.data, "normal images: files, folders, IDX files, @LIST")->required();
  calibrate->add_option("--abnormal", calibration.abnormal,
                        "known abnormal ones, to which the scores' weights are fitted anew; default: the weights stay");
  calibrate->add_option(
      "--ignore-mask", calibration.ignore_mask,
      "places of the images that never count, from now on: an image as large as they, white there, or "
      "JSON with polygons; none: all count again; default: the model's");
  calibrate->add_option("--out", calibration.out, "the model file to write; must not be there yet")->required();
  CLI::App* figures =
      command("paper-figures", "Draws figures 4 to 6 of Kimura & Yanagihara (2018) for this model and data.", with_data,
              [&] { return pgad::paper_figures(o); });
  figures->add_option("--data", o.data, "IDX directory, inspection folder or class folders")->required();
  figures->add_flag("--new-data", o.new_data, "as of evaluate");
  figures->add_option("--out", o.out, "directory for the figures")->required();
  figures->add_option("--count", o.figure_images, "normal images, and abnormal ones, at most")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  figures->add_option("--columns", o.columns, "images of each kind that are shown")
      ->check(CLI::Range(1, 20))
      ->capture_default_str();
  figures->add_option("--noise", o.noise, "deviation of the noise on normal images, share of full brightness")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  figures->add_option("--kind", o.kind, "class of the abnormal images; default: the one with the most");
  pgad::GenerateOptions drawn;
  CLI::App* generate = command("generate", "Draws images from the model.", run_only, [&] {
    drawn.model = o.model;
    drawn.given = o.given;
    return pgad::generate_images(drawn);
  });
  generate->add_option("--out", drawn.out, "directory for samples.png and samples.npy")->required();
  CLI::Option* count =
      generate->add_option("--count", drawn.count, "how many")->check(CLI::Range(1, 1000000))->capture_default_str();
  CLI::Option* seed = generate->add_option("--seed", drawn.seed, "of the latents")->capture_default_str();
  generate->add_option("--latents", drawn.latents, "NumPy file [count, latent size], instead of random ones")
      ->excludes(count)
      ->excludes(seed);
  std::vector<std::string> results;
  CLI::App* compare = app.add_subcommand("compare", "Compares two results of the same images: which decisions differ.");
  compare->add_option("results", results, "folders that score or evaluate wrote, of two models or two calibrations")
      ->required()
      ->expected(2);
  compare->add_option("--out", o.out, "directory for comparison.csv and comparison.png")->required();
  compare->callback([&] { body = [&] { return pgad::compare_results(results, o.out); }; });
  bool speed = false, pictures = false;
  CLI::App* info = command("info", "Prints what a model is.",
                           pgad::select_fields({}, {"threads", "device", "precision", "tuning", "false-reject-rate"}),
                           [&] { return pgad::print_model(o.model, o.given, speed, pictures); });
  info->add_flag("--speed", speed, "also how long the search of an image takes here");
  info->add_flag("--pictures", pictures, "also show images that it draws where the output is no terminal");
  return pgad::run_program(app, argc, argv, [&] { return body(); });
}
