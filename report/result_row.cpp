#include "report/result_row.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "engine/hash.h"
#include "images/atomic_file.h"
#include "images/npy.h"
#include "images/pictures.h"
#include "images/printable.h"
#include "inspection/anomaly_map.h"
#include "report/region_files.h"

namespace pgad {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kLongestEnding = std::string_view(".reconstruction.png").size();
constexpr std::size_t kNumberRoom = 8;  // for the ~2 of a name that is taken

std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

// A file's name in UTF-8, cut to `limit` bytes; a name that is cut ends in a hash of the whole, so that two stay two.
std::string fitting(const std::string& name, std::size_t limit) {
  if (name.size() <= limit) return name;
  const std::string ending = "~" + hex(fnv1a(name));
  std::size_t length = 0;
  while (true) {
    const std::size_t next = length + detail::utf8_length(name, length);
    if (next > limit - ending.size()) break;
    length = next;
  }
  return name.substr(0, length) + ending;
}

}  // namespace

std::string csv_field(const std::string& bytes) { return csv_text(printable(bytes)); }

OrderedJson result_row(const Model& model, const ResultOptions& options, const ScoredImage& image,
                       const std::string& map, const std::string& error) {
  OrderedJson row = {{"path", printable(image.sample.name)}};
  if (image.error.empty()) {
    double scores[kScoreCount];
    std::copy(std::begin(image.terms), std::end(image.terms), scores);
    scores[kCombined] = model.calibration ? combined_score(*model.calibration, image.terms) : std::nan("");
    for (int i = 0; i < kScoreCount; ++i)
      row[kScoreNames[i]] = std::isnan(scores[i]) ? OrderedJson(nullptr) : OrderedJson(scores[i]);
    row["decision"] = nullptr;
    if (model.calibration && std::isnan(options.threshold))
      row["decision"] = "undecided";
    else if (model.calibration)
      row["decision"] = scores[kCombined] > options.threshold ? "anomalous" : "normal";
    row["width"] = image.width;
    row["height"] = image.height;
    row["regions"] = nullptr;
    if (image.regions) {
      row["regions"] = OrderedJson::array();
      for (const Region& region : *image.regions) row["regions"].push_back(to_json(region));
    }
    row["steps"] = image.steps;
    for (const std::string& note : image.notes) row["notes"].push_back(printable(note));
  }
  if (options.labels) {
    row["label"] = image.sample.anomalous ? "anomalous" : "normal";
    row["group"] = printable(image.sample.group);
  }
  if (!map.empty()) row["map"] = map;
  if (!error.empty()) row["error"] = printable(error);
  return row;
}

std::string csv_columns(const ResultOptions& options) {
  std::string columns = "path";
  for (const char* name : kScoreNames) columns += str(",", name);
  columns += ",decision,regions";
  if (options.labels) columns += ",label,group";
  if (options.maps) columns += ",map";
  return columns + ",error\n";
}

std::string csv_row(const OrderedJson& row, const ResultOptions& options) {
  std::string csv;
  const auto add = [&](const char* key) {
    if (!csv.empty()) csv += ',';
    const auto value = row.find(key);
    if (value == row.end() || value->is_null()) return;
    csv += value->is_number()  ? exact(value->get<double>())
           : value->is_array() ? str(value->size())
                               : csv_text(value->get<std::string>());
  };
  add("path");
  for (const char* name : kScoreNames) add(name);
  add("decision");
  add("regions");
  if (options.labels) {
    add("label");
    add("group");
  }
  if (options.maps) add("map");
  add("error");
  return csv + "\n";
}

void print_row(const OrderedJson& row) {
  const std::string line = row.dump() + "\n";
  if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size() || std::fflush(stdout) != 0)
    throw Error("standard output cannot be written: has its reader ended?");
}

ScoredImage image_of_row(const Sample& sample, const OrderedJson& row) {
  ScoredImage image;
  image.sample = sample;
  try {
    for (int i = 0; i < kTermCount; ++i) {
      const OrderedJson value = i < kSearchTerms ? row.at(kScoreNames[i]) : row.value(kScoreNames[i], OrderedJson());
      image.terms[i] = value.is_null() ? std::nan("") : value.get<double>();
    }
    image.steps = row.at("steps").get<int>();
    image.width = row.value("width", 0);
    image.height = row.value("height", 0);
    if (const OrderedJson regions = row.value("regions", OrderedJson()); !regions.is_null()) {
      image.regions.emplace();
      for (const OrderedJson& region : regions) image.regions->push_back(region_from_json(region));
    }
    for (const OrderedJson& note : row.value("notes", OrderedJson::array()))
      image.notes.push_back(from_printable(note.get<std::string>()));
  } catch (const nlohmann::json::exception& e) {
    throw Error(str("scores.json: image '", sample.name, "': ", e.what()));
  }
  return image;
}

MapFiles::MapFiles(const Model& model, const ResultOptions& options) : model_(model), options_(options) {
  const long limit = ::pathconf(options.out.c_str(), _PC_NAME_MAX);
  name_limit_ = static_cast<std::size_t>(std::max(limit, 128L));
}

std::string MapFiles::name_for(const std::string& image) {
  fs::path path = "maps";
  const fs::path name = fs::path(printable(image)).relative_path();
  for (const fs::path& part : name.parent_path())
    path /= part == ".." ? std::string("__") : fitting(part.string(), name_limit_);
  path /= fitting(name.filename().string(), name_limit_ - kLongestEnding - kNumberRoom);
  // Two names may become one path ("../a.png" and "__/a.png"): the later one gets a number.
  std::string free = path.string();
  for (int number = 2; !taken_.insert(free).second; ++number) free = str(path.string(), "~", number);
  return free;
}

void MapFiles::write(const std::string& name, const ScoredImage& image, const ImageSource& source) const {
  const fs::path path = fs::path(options_.out) / name;
  ensure_directory(path.parent_path().string());
  const auto named = [&](const char* suffix) { return path.string() + suffix; };

  AnomalyMap map = anomaly_map(model_, image, options_.map_sigma);
  const Image original = source.load(image.sample);
  write_png(named(".reconstruction.png"),
            picture(image.reconstruction, image.rows, image.columns, model_.config.network.channels));
  write_png(named(".panel.png"), grid(panel(model_, image, options_.map_sigma), 4, 4));
  const std::int64_t shape[] = {image.rows, image.columns};
  write_npy(named(".residual.npy"), shape, image.residual_map);
  if (model_.calibration) write_npy(named(".calibrated.npy"), shape, map.values);
  map.values = map_in_image(map.values, image, original.height, original.width, model_.preprocessing);
  Image heat = heat_over(original, map);
  if (image.regions) {
    const std::vector<std::uint8_t> labels = label_mask(*image.regions, original.height, original.width);
    outline(heat, labels);
    Image mask{original.height, original.width, 1, {}};
    for (const std::uint8_t label : labels) mask.pixels.push_back(static_cast<float>(label) / 255);
    write_png(named(".regions.png"), mask);
  }
  write_png(named(".heatmap.png"), heat);
}

}  // namespace pgad
