#pragma once
// scores.csv, scores.json and the pictures of an inspection, written as the results come in. The tables grow beside
// their final names and take them when complete (or stopped), so a reader never sees half of one.

#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "apps/data/atomic_file.h"
#include "apps/inspection/calibration.h"

namespace pgad {

struct ResultOptions {
  std::string out;       // directory
  bool maps = false;     // pictures and raw maps of each image, under out/maps/
  bool labels = false;   // a column with the true label
  double threshold = 0;  // of combined; NaN: no decision
  double map_sigma = 1;  // pixels
};

class ResultWriter {
 public:
  // header: what scores.json says beside the images.
  ResultWriter(const Model& model, const ResultOptions& options, const nlohmann::ordered_json& header);
  ResultWriter(const ResultWriter&) = delete;
  ResultWriter& operator=(const ResultWriter&) = delete;

  // source: to draw the map over the image at its own size. Throws Error if writing fails.
  void add(const ScoredImage& image, const ImageSource& source);
  // complete: all images have been added.
  void finish(bool complete);

  std::int64_t failed() const { return failed_; }
  std::int64_t anomalous() const { return anomalous_; }
  std::int64_t scored() const { return scored_; }

 private:
  void write_maps(const ScoredImage& image, const ImageSource& source);
  void put(const std::string& csv, const std::string& json);

  const Model& model_;
  ResultOptions options_;
  std::optional<AtomicFile> csv_, json_;
  std::set<std::string> map_paths_;  // taken by earlier images
  std::int64_t failed_ = 0, anomalous_ = 0, scored_ = 0;
  bool first_ = true;
};

}  // namespace pgad
