#include "report/html_report.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "engine/hash.h"
#include "images/atomic_file.h"
#include "images/pictures.h"
#include "images/preprocess.h"
#include "images/printable.h"
#include "inspection/anomaly_map.h"
#include "report/html.h"
#include "report/pages.h"

namespace pgad {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kReportQuality = 82;
// A page of very many images stays small enough for a browser.
int side_for(std::size_t images, ReportImages where) {
  if (where == ReportImages::kLink) return 512;
  return images <= 200 ? 512 : images <= 1000 ? 320 : images <= 3000 ? 224 : 144;
}
constexpr std::size_t kMostRegions = 50,
                      kMostPoints = 800;  // of an image; of a contour, else the region's box is drawn
constexpr const char* kParts[] = {"image", "map", "reconstruction"};

// Six digits are more than a page shows.
Json rounded(const Json& value) {
  if (!value.is_number()) return nullptr;
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value.get<double>());
  return std::strtod(text, nullptr);
}

Json compact(const std::vector<Region>& regions) {
  Json all = Json::array();
  for (const Region& region : regions) {
    if (all.size() == kMostRegions) break;
    std::size_t points = 0;
    for (const auto& contour : region.contours) points += contour.size() / 2;
    Json contours = Json::array();
    if (points <= kMostPoints) contours = region.contours;
    all.push_back({region.left, region.top, region.width, region.height, region.area,
                   Json::array({rounded(region.peak), rounded(region.mean)}), contours});
  }
  return all;
}

std::string folder_of(const ResultOptions& options) { return (fs::path(options.out) / "report").string(); }
std::string picture_path(const ResultOptions& options, const std::string& key, const char* part) {
  return (fs::path(folder_of(options)) / (key + "." + part + ".jpg")).string();
}

}  // namespace

HtmlReport::HtmlReport(const Model& model, const ResultOptions& options, ReportImages images, std::size_t count)
    : model_(model), options_(options), images_(images), side_(side_for(count, images)) {
  fs::remove(fs::path(options.out) / "report.html");  // of an earlier run
  ensure_directory(folder_of(options));
  remove_stale_temporaries(folder_of(options));
}

// Known again by a later run by the image's name.
std::string HtmlReport::add_pictures(const ScoredImage& image, const ImageSource& source) {
  const std::string key = hex(fnv1a(image.sample.name));
  if (image.query.empty()) return fs::exists(picture_path(options_, key, kParts[0])) ? key : "";
  const auto put = [&](const char* part, const Image& picture) {
    const std::string path = picture_path(options_, key, part), bytes = encode_jpeg(picture, kReportQuality, path);
    // Not durable: after a crash it is drawn anew.
    std::ofstream file(path + ".part", std::ios::binary | std::ios::trunc);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) throw Error(str("'", path, "' cannot be written: is the disk full?"));
    fs::rename(path + ".part", path);
  };
  const Image original = shrunk(source.load(image.sample), side_);
  put("reconstruction",
      shrunk(picture(image.reconstruction, image.rows, image.columns, model_.config.network.channels), side_));
  const AnomalyMap map = anomaly_map(model_, image, options_.map_sigma);
  const std::vector<float> in_image = map_in_image(map.values, image, image.height, image.width, model_.preprocessing);
  put("map", colorize(resize(in_image, image.height, image.width, 1, original.height, original.width), original.height,
                      original.width, map.low, map.high));
  put("image", original);  // last: where it is the others are
  return key;
}

std::string HtmlReport::add(const ScoredImage& image, const ImageSource& source) {
  const Json row = result_row(model_, options_, image, "", image.error);
  std::string pictures, failure;
  try {
    if (image.error.empty()) pictures = add_pictures(image, source);
  } catch (const std::exception& e) {  // of this image only: its file has gone, the disk is full, ...
    failure = str(image.sample.name, ": the report has no pictures of it: ", e.what());
  }
  Json scores = nullptr, size = nullptr, regions = nullptr, kind = nullptr, label = nullptr;
  double order = std::numeric_limits<double>::infinity();
  if (image.error.empty()) {
    scores = Json::array();
    for (const char* name : kScoreNames) scores.push_back(rounded(row[name]));
    const Json& by = scores[kCombined].is_null() ? scores[kFeature] : scores[kCombined];
    order = by.is_null() ? -std::numeric_limits<double>::infinity() : by.get<double>();
    size = Json::array({image.width, image.height});
    if (image.regions) regions = compact(*image.regions);
  }
  if (options_.labels) {
    label = image.sample.anomalous ? 1 : 0;
    kind = printable(image.sample.group);
  }
  const Json compact_row = {row["path"],
                            kind,
                            label,
                            row.value("decision", Json()),
                            image.error.empty() ? Json() : Json(printable(image.error)),
                            scores,
                            size,
                            regions,
                            pictures};
  rows_.push_back({order, script_text(compact_row.dump()), pictures});
  return failure;
}

void HtmlReport::write(const ReportHeading& heading) {
  std::stable_sort(rows_.begin(), rows_.end(), [](const Row& a, const Row& b) { return a.order > b.order; });
  Json data = {{"title", printable(heading.title)},
               {"subtitle", printable(heading.subtitle)},
               {"meaning", heading.meaning},
               {"threshold", std::isnan(options_.threshold) ? Json() : Json(options_.threshold)},
               {"labelled", options_.labels},
               {"pictures", images_ == ReportImages::kEmbed ? "embed" : "link"},
               {"scores", kScoreNames},
               {"notes", Json::array()},
               {"figures", Json::array()}};
  for (const std::string& note : heading.notes) data["notes"].push_back(printable(note));
  for (const auto& [name, value] : heading.figures) data["figures"].push_back({name, value});
  std::string head = script_text(data.dump());
  head.pop_back();

  const std::string_view page = kReportPage, data_mark = "/*DATA*/null/*END*/", pictures_mark = "/*PICTURES*/";
  const std::size_t data_at = page.find(data_mark), pictures_at = page.find(pictures_mark);
  PGAD_CHECK(data_at < pictures_at && pictures_at != page.npos, "the page has no places for its data");
  write_file_atomically((fs::path(options_.out) / "report.html").string(), [&](FileWriter& writer) {
    writer.write(page.substr(0, data_at));
    writer.write(head);
    writer.write(",\"rows\":[\n");
    for (const Row& row : rows_) writer.write((&row == &rows_.front() ? "" : ",\n") + row.json);
    writer.write("]}");
    writer.write(page.substr(data_at + data_mark.size(), pictures_at - data_at - data_mark.size()));
    // Behind the script, which works while they are still read, in the order in which it shows them.
    if (images_ == ReportImages::kEmbed) {
      for (const Row& row : rows_) {
        if (row.pictures.empty()) continue;
        writer.write("<script type=\"text/plain\" id=\"p" + row.pictures + "\">");
        for (const char* part : kParts) {
          writer.write(base64(read_file(picture_path(options_, row.pictures, part))));
          writer.write(part == kParts[2] ? "</script>\n" : "\n");
        }
      }
    }
    writer.write(page.substr(pictures_at + pictures_mark.size()));
  });
  if (images_ == ReportImages::kEmbed) {
    std::error_code ignored;
    for (const Row& row : rows_)
      for (const char* part : kParts) fs::remove(picture_path(options_, row.pictures, part), ignored);
    fs::remove(folder_of(options_), ignored);
  }
}

}  // namespace pgad
