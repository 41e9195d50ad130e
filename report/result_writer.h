#pragma once
// scores.csv, scores.json and the pictures of an inspection, written as the results come in. The tables grow beside
// their final names (NAME.part) and take them when complete (or stopped), so a reader never sees half of one. What a
// run that was cut short left can be read, and its images kept. Where regions are looked for, regions.json says those
// of a complete run as COCO does.

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "images/atomic_file.h"
#include "report/region_files.h"
#include "report/result_row.h"

namespace pgad {

class ResultWriter {
 public:
  // header: what scores.json says beside the images.
  ResultWriter(const Model& model, const ResultOptions& options, const nlohmann::ordered_json& header);
  ResultWriter(const ResultWriter&) = delete;
  ResultWriter& operator=(const ResultWriter&) = delete;

  // source: to draw the map over the image at its own size. Returns why the image's maps could not be written, which is
  // its error then; empty if they were, or are not wanted. Throws Error if the tables cannot be written; they hold the
  // images before this one then.
  std::string add(const ScoredImage& image, const ImageSource& source);
  // An image of an earlier run, whose maps are there. map: as in its row.
  void add_kept(const ScoredImage& image, const std::string& map);
  // Gives the tables their names. complete: all images have been added; if false, a complete result of an earlier run
  // is not replaced: the tables stay under their names with .part. Returns the file that holds the table of images,
  // empty if there is not one image. Both tables are tried before an Error is thrown. Without this call nothing is
  // left.
  std::string finish(bool complete);
  // Leaves the tables under their names with .part, for read_earlier_result().
  void suspend();

  std::int64_t failed() const { return failed_; }            // without scores
  std::int64_t maps_failed() const { return maps_failed_; }  // with scores, without maps
  std::int64_t anomalous() const { return anomalous_; }
  std::int64_t scored() const { return scored_; }

 private:
  void add_row(const ScoredImage& image, const std::string& map, const std::string& error);
  void put(const std::string& csv, const std::string& json);

  const Model& model_;
  ResultOptions options_;
  std::optional<AtomicFile> csv_, json_;
  std::uint64_t csv_end_ = 0, json_end_ = 0;  // of the rows
  std::optional<MapFiles> maps_;
  CocoRegions coco_;  // of the images whose regions are known
  bool any_regions_known_ = false;
  std::int64_t failed_ = 0, maps_failed_ = 0, anomalous_ = 0, scored_ = 0;
  bool first_ = true;
};

// What an earlier run wrote.
struct EarlierResult {
  nlohmann::ordered_json header;                       // scores.json without its images
  std::map<std::string, nlohmann::ordered_json> rows;  // by the image's name, those without an error
};

// Reads scores.json in `out`, and scores.json.part, which a run that was killed leaves there; it may end anywhere. Rows
// of the latter win where both hold an image. Empty if neither is there; throws Error if scores.json is something else.
std::optional<EarlierResult> read_earlier_result(const std::string& out);

}  // namespace pgad
