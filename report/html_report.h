#pragma once
// report.html: what an inspection found, for a person, in one file that a browser shows without a network.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "inspection/scorer.h"
#include "report/result_row.h"

namespace pgad {

// Where the pictures are: within report.html, or in files below OUT/report/, which must stay beside it.
enum class ReportImages { kEmbed, kLink };

struct ReportHeading {
  std::string title, subtitle;
  std::string meaning;  // of the threshold
  std::vector<std::string> notes;
  std::vector<std::pair<std::string, double>> figures;  // beside the counts, e.g. AUROC
};

class HtmlReport {
 public:
  // options: as of the tables; images: how many will be added, by which the pictures' size is chosen.
  HtmlReport(const Model& model, const ResultOptions& options, ReportImages images, std::size_t count);

  // An image that was scored, with `error` if it could not be. Its pictures go to OUT/report/ at once; memory holds its
  // row alone. Where it comes without query and map, from an earlier run, its pictures are those that lie there.
  // Returns why it has no pictures, if they could not be made or written; empty otherwise.
  std::string add(const ScoredImage& image, const ImageSource& source);
  // Writes report.html. Throws Error if it cannot be; the pictures stay then.
  void write(const ReportHeading& heading);

 private:
  struct Row {
    double order;  // the higher the further up
    std::string json, pictures;
  };
  std::string add_pictures(const ScoredImage& image, const ImageSource& source);

  const Model& model_;
  const ResultOptions options_;
  const ReportImages images_;
  const int side_;  // of the pictures at most, pixels
  std::vector<Row> rows_;
};

}  // namespace pgad
