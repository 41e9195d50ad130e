#pragma once
// One image's row in the tables, and its files of maps.

#include <cstddef>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "inspection/calibration.h"
#include "inspection/scorer.h"

namespace pgad {

struct ResultOptions {
  std::string out;       // directory; the caller holds its FolderLock
  bool maps = false;     // pictures and raw maps of each image, under out/maps/
  bool labels = false;   // a column with the true label
  double threshold = 0;  // of combined; NaN: no decision
  double map_sigma = 1;  // pixels
  bool lines = false;    // each row, as in scores.json, also as a line of standard output
};

// A name as a field of a CSV file: printable, in quotes where a comma, a quote or the end of a line is in it.
std::string csv_field(const std::string& bytes);

// As scores.json has it (docs/formats.md). map: where its maps are, below out; error: why it has none or no scores.
nlohmann::ordered_json result_row(const Model& model, const ResultOptions& options, const ScoredImage& image,
                                  const std::string& map, const std::string& error);
// The same as a line of scores.csv, and that file's first line.
std::string csv_row(const nlohmann::ordered_json& row, const ResultOptions& options);
std::string csv_columns(const ResultOptions& options);

// The image of a row as result_row() makes it. Throws Error naming the key if the row is not one.
ScoredImage image_of_row(const Sample& sample, const nlohmann::ordered_json& row);

// Prints a row as a line of standard output; throws Error if it cannot be written.
void print_row(const nlohmann::ordered_json& row);

// The files below out/maps/: a name for each image, and what is written under it.
class MapFiles {
 public:
  MapFiles(const Model& model, const ResultOptions& options);

  // Below out/, without the endings: the image's name as in the tables, which '..' cannot lead out of maps/; free.
  std::string name_for(const std::string& image);
  void take(const std::string& name) { taken_.insert(name); }  // of an earlier image
  // source: to draw the map over the image at its own size. Throws Error if a file cannot be written.
  void write(const std::string& name, const ScoredImage& image, const ImageSource& source) const;

 private:
  const Model& model_;
  const ResultOptions options_;
  std::size_t name_limit_;  // bytes of a file name in out
  std::set<std::string> taken_;
};

}  // namespace pgad
