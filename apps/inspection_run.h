#pragma once
// What `score` and `evaluate` have in common: images are scored into the tables of a folder, and what an earlier call
// left there is gone on with.

#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/progress.h"
#include "images/folder_lock.h"
#include "images/image_stream.h"
#include "images/listing.h"
#include "inspection/session.h"
#include "model/config_io.h"
#include "report/html_report.h"

namespace pgad {

// Of the command line; docs/options.md.
struct InspectionOptions {
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

// Samples to be scored, and what becomes of them.
struct Inspection {
  const std::vector<Sample>& samples;
  const ImageSource& source;
  std::string relative_to;  // folder that names of samples begin at
  std::vector<std::string> notes;
  LeftOut left_out;
  bool labels = false;
  std::function<void(const ScoredImage&)> also = {};  // sees each image that could be scored, in order
  std::vector<char> needs_maps = {};                  // of `also`, by sample: not to be taken from an earlier run
  HtmlReport* report = nullptr;                       // if one is wanted
  ImageStream* stream = nullptr;                      // gives the samples one by one, instead of the list
};

// A file of o.out.
std::string out_path(const InspectionOptions& o, const char* name);

// The lock of an output folder. One that `watch` writes to is its alone: UsageError.
FolderLock lock_results(const std::string& out, Progress& progress);

// Scores samples into the tables of o.out, whose lock the caller holds. Returns the exit code. Whatever ends it, the
// tables hold what was scored until then.
int score_into(Session& s, const InspectionOptions& o, const Inspection& task, Progress& progress);

// With --report, to be given as Inspection::report; images: how many there will be.
std::optional<HtmlReport> make_report(const Session& s, const InspectionOptions& o, bool labels, std::size_t images);
// of: what was inspected; figures: that the page does not derive from the scores.
void write_report(HtmlReport& report, const Session& s, const InspectionOptions& o, const std::string& of,
                  std::vector<std::string> notes, std::vector<std::pair<std::string, double>> figures,
                  Progress& progress);

}  // namespace pgad
