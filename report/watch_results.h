#pragma once
// What is known of the images of a folder that is watched: OUT/scores.jsonl, a row each in the order in which they
// came, and OUT/scores.csv, the same for tables. The row is the decision: an image whose row is there has been judged,
// whatever moment the program was killed at, and one whose row is not will be. OUT/runs.jsonl says what each start of
// the program judged by.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "images/folder_watch.h"
#include "images/line_file.h"
#include "report/result_row.h"

namespace pgad {

class WatchResults {
 public:
  // header: what this run judges by. `see` is given each row that is there. The folder's lock is the caller's. Throws
  // Error naming file and line for a table that is not one.
  WatchResults(const Model& model, const ResultOptions& options, const nlohmann::ordered_json& header,
               const std::function<void(const nlohmann::ordered_json& row)>& see);

  // Maps, if they are wanted, then the row, durably. Returns the row. Throws Error if it cannot be written; the same
  // call may be tried again.
  nlohmann::ordered_json add(const ScoredImage& image, const FileVersion& version, const ImageSource& source);

  std::int64_t rows() const { return rows_; }

 private:
  const ResultOptions options_;
  const Model& model_;
  MapFiles maps_;
  std::unique_ptr<LineFile> json_, csv_;
  std::int64_t rows_ = 0, run_ = 0;
  std::int64_t csv_rows_ = 0;       // one behind rows_ where only its writing has failed
  nlohmann::ordered_json pending_;  // the row that csv_ lacks
  std::string mapped_;              // the image whose maps are written and whose row is not
  std::string map_, map_error_;
};

// UTC, as ISO 8601 has it, to the millisecond.
std::string utc_now();

// A row's image: its name and version.
std::pair<std::string, FileVersion> watched_image(const nlohmann::ordered_json& row);

}  // namespace pgad
