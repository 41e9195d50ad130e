#include "apps/inspection_run.h"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <map>

#include "apps/output_folder.h"
#include "apps/profile.h"
#include "apps/result_header.h"
#include "apps/signals.h"
#include "images/printable.h"
#include "model/fields.h"
#include "model/tuning_file.h"
#include "report/result_writer.h"

namespace pgad {
namespace {

constexpr int kProfileRounds = 20;

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

// Rows of an earlier run, by place in the samples; they leave as they are written again.
using KeptRows = std::map<std::size_t, nlohmann::ordered_json>;

ResultOptions result_options(const Session& s, const InspectionOptions& o, bool labels) {
  return {o.out, o.maps, labels, s.threshold(o.threshold), s.config.scoring.map_sigma, o.json_lines};
}

KeptRows rows_to_keep(const InspectionOptions& o, const std::vector<Sample>& samples,
                      const nlohmann::ordered_json& header) {
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
void keep_results(ResultWriter& writer, const std::function<void()>& write_kept, const InspectionOptions& o,
                  Progress& progress) {
  try {
    write_kept();
  } catch (const std::exception&) {
    writer.suspend();
    progress.warn("what was scored is in " + out_path(o, "scores.json.part") + "; --resume goes on");
    return;
  }
  try {
    if (const std::string table = writer.finish(false); !table.empty())
      progress.say(str(writer.scored() + writer.failed(), " images are kept in ", table,
                       o.images_from_stdin ? "" : "; --resume goes on"));
  } catch (const std::exception& e) {
    progress.warn(e.what());
  }
}

ScoredImage add_kept(ResultWriter& writer, const Sample& sample, const nlohmann::ordered_json& row) {
  ScoredImage image = image_of_row(sample, row);
  writer.add_kept(image, row.value("map", ""));
  return image;
}

nlohmann::ordered_json result_header(const Session& s, const InspectionOptions& o, const Inspection& task,
                                     double threshold, const std::optional<RegionOptions>& regions) {
  nlohmann::ordered_json header = result_header(s, o.model, task.notes, task.left_out, threshold, regions);
  // With a slash at the end, however it was given.
  header["relative_to"] = printable((std::filesystem::absolute(task.relative_to) / "").lexically_normal().string());
  header["maps"] = o.maps;
  return header;
}

// Rows of --resume's earlier run. They are written to tables of their own first: from then on they are there under the
// final name, whatever happens to the part file that this run begins anew.
KeptRows take_over(const Session& s, const InspectionOptions& o, const std::vector<Sample>& samples,
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
  const auto take = [&](ScoredImage image) {
    if (image.error.empty()) s.judge(image, threshold, regions);
    if (task.stream) return rows.write(image, received++);
    while (remaining.samples[received].name != image.sample.name) ++received;  // after a stop some are missing
    rows.write(image, remaining.places[received++]);
  };
  const auto tell = [&](const ScoringProgress& p) {
    const auto done = static_cast<std::size_t>(p.done) + kept;
    progress.update(
        str("scoring: ", done, task.stream ? "" : str(" of ", all), " images", time_left_text(p.seconds_left)));
  };
  if (task.stream)
    scorer.score(*task.stream, task.source, take, tell, &stop_requested);
  else
    scorer.score(remaining.samples, task.source, take, tell, &stop_requested);
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

}  // namespace

std::string out_path(const InspectionOptions& o, const char* name) {
  return (std::filesystem::path(o.out) / name).string();
}

FolderLock lock_results(const std::string& out, Progress& progress) {
  if (path_exists(join_path(out, "scores.jsonl")))
    throw UsageError(str("'", out, "' holds results of watch (scores.jsonl); give another --out"));
  return lock_output(out, progress);
}

int score_into(Session& s, const InspectionOptions& o, const Inspection& task, Progress& progress) {
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
  const bool to_the_end = task.stream ? !stop_requested && task.stream->error().empty() : written == all;
  if (task.stream && to_the_end && written == 0)
    throw DataError("standard input: no image came; expected image files one behind another");
  const std::string table = writer.finish(to_the_end);
  save_tuning(*s.exec, s.run.tuning);
  if (o.profile && scorer.graph() != nullptr)
    std::cout << profile_table(*scorer.graph(), *s.exec, kProfileRounds) << "\n";
  if (stop_requested)
    progress.warn(task.stream ? str("interrupted after ", written, " images")
                              : str("interrupted after ", written, " of ", all, " images; --resume goes on"));
  progress.say(summary_of(writer, s, task.left_out, threshold) + (table.empty() ? "" : "; see " + table));
  const bool complete = writer.failed() == 0 && writer.maps_failed() == 0 && task.left_out.folders.empty();
  if (!complete || stop_requested) return kExitFailure;
  return o.fail_on_anomaly && writer.anomalous() > 0 ? kExitAnomaly : 0;
}

std::optional<HtmlReport> make_report(const Session& s, const InspectionOptions& o, bool labels, std::size_t images) {
  if (!o.report) return std::nullopt;
  return std::optional<HtmlReport>(std::in_place, s.model, result_options(s, o, labels),
                                   o.report_images == "link" ? ReportImages::kLink : ReportImages::kEmbed, images);
}

void write_report(HtmlReport& report, const Session& s, const InspectionOptions& o, const std::string& of,
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

}  // namespace pgad
