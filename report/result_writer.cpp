#include "report/result_writer.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>

#include "engine/hash.h"
#include "images/npy.h"
#include "images/pictures.h"
#include "images/printable.h"
#include "inspection/anomaly_map.h"

namespace pgad {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kLongestEnding = std::string_view(".reconstruction.png").size();
constexpr std::size_t kNumberRoom = 8;  // for the ~2 of a name that is taken
// What stands behind the last row of scores.json. It is written with each row and overwritten by the next, so that the
// file is whole at any time, and a disk that fills up has room for it.
constexpr std::string_view kStopped = "\n  ],\n  \"complete\": false\n}\n",
                           kComplete = "\n  ],\n  \"complete\": true\n}\n";
constexpr std::string_view kRowsBegin = "\"images\": [";

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

ResultWriter::ResultWriter(const Model& model, const ResultOptions& options, const OrderedJson& header)
    : model_(model), options_(options) {
  ensure_directory(options.out);
  remove_stale_temporaries(options.out);
  const long limit = ::pathconf(options.out.c_str(), _PC_NAME_MAX);
  name_limit_ = static_cast<std::size_t>(std::max(limit, 128L));
  csv_.emplace((fs::path(options.out) / "scores.csv").string(), Temporary::kPart);
  json_.emplace((fs::path(options.out) / "scores.json").string(), Temporary::kPart);
  std::string columns = "path";
  for (const char* name : kScoreNames) columns += str(",", name);
  columns += ",decision,regions";
  if (options.labels) columns += ",label,group";
  if (options.maps) columns += ",map";
  columns += ",error\n";
  std::string head = header.dump(2);
  head.erase(head.find_last_of('}'));
  while (!head.empty() && (head.back() == '\n' || head.back() == ' ')) head.pop_back();
  put(columns, str(head, head == "{" ? "" : ",", "\n  ", kRowsBegin));
}

// Flushed, so that a full disk shows at the image that filled it and not hours later. A row that does not fit is taken
// back from both tables.
void ResultWriter::put(const std::string& csv, const std::string& json) {
  const std::string_view tail = json_->in_place() ? "" : kStopped;
  try {
    csv_->writer().write(csv);
    csv_->writer().flush();
    if (!json_->in_place()) json_->writer().seek(json_end_);
    json_->writer().write(json);
    json_->writer().write(tail);
    json_->writer().flush();
  } catch (const Error&) {
    if (csv_->in_place() || json_->in_place()) throw;
    csv_->writer().seek(csv_end_);
    csv_->writer().truncate();
    if (json_end_ > 0) {  // first written, then cut: what is cut may be gone for good
      json_->writer().seek(json_end_);
      json_->writer().write(tail);
      json_->writer().truncate();
    }
    throw;
  }
  csv_end_ += csv.size();
  json_end_ += json.size();
}

// Below out/, without the endings: the image's name as in the tables, which '..' cannot lead out of maps/.
std::string ResultWriter::map_name(const std::string& image) {
  fs::path path = "maps";
  const fs::path name = fs::path(printable(image)).relative_path();
  for (const fs::path& part : name.parent_path())
    path /= part == ".." ? std::string("__") : fitting(part.string(), name_limit_);
  path /= fitting(name.filename().string(), name_limit_ - kLongestEnding - kNumberRoom);
  // Two names may become one path ("../a.png" and "__/a.png"): the later one gets a number.
  std::string free = path.string();
  for (int number = 2; !map_names_.insert(free).second; ++number) free = str(path.string(), "~", number);
  return free;
}

std::string ResultWriter::add(const ScoredImage& image, const ImageSource& source) {
  std::string map, error;
  if (options_.maps && image.error.empty()) {
    map = map_name(image.sample.name);
    try {
      write_maps(map, image, source);
    } catch (const std::exception& e) {  // of this image only: its file has gone, its picture is too large, ...
      error = str(image.sample.name, ": its maps could not be written: ", e.what());
      ++maps_failed_;
    }
  }
  add_row(image, error.empty() ? map : "", error.empty() ? image.error : error);
  return error;
}

void ResultWriter::add_kept(const ScoredImage& image, const std::string& map) {
  if (!map.empty()) map_names_.insert(map);
  add_row(image, map, "");
}

void ResultWriter::add_row(const ScoredImage& image, const std::string& map, const std::string& error) {
  std::string csv = csv_field(image.sample.name);
  OrderedJson json = {{"path", printable(image.sample.name)}};
  const bool scored = image.error.empty(), calibrated = model_.calibration.has_value();
  bool anomalous = false;
  if (scored) {
    double scores[kScoreCount];
    std::copy(std::begin(image.terms), std::end(image.terms), scores);
    scores[kCombined] = std::nan("");
    if (calibrated) scores[kCombined] = combined_score(*model_.calibration, image.terms);
    for (int i = 0; i < kScoreCount; ++i) {
      const bool known = !std::isnan(scores[i]);
      csv += known ? str(",", exact(scores[i])) : ",";
      json[kScoreNames[i]] = known ? OrderedJson(scores[i]) : OrderedJson(nullptr);
    }
    if (calibrated && !std::isnan(options_.threshold)) {
      anomalous = scores[kCombined] > options_.threshold;
      csv += anomalous ? ",anomalous" : ",normal";
      json["decision"] = anomalous ? "anomalous" : "normal";
    } else if (calibrated) {
      csv += ",undecided";
      json["decision"] = "undecided";
    } else {
      csv += ",";
      json["decision"] = nullptr;
    }
    csv += image.regions ? str(",", image.regions->size()) : ",";
    json["width"] = image.width;
    json["height"] = image.height;
    json["regions"] = nullptr;
    if (image.regions) {
      json["regions"] = OrderedJson::array();
      for (const Region& region : *image.regions) json["regions"].push_back(to_json(region));
      coco_.add(printable(image.sample.name), image.height, image.width, *image.regions);
      any_regions_known_ = true;
    }
    json["steps"] = image.steps;
    for (const std::string& note : image.notes) json["notes"].push_back(printable(note));
  } else {
    csv += std::string(kScoreCount + 2, ',');
  }
  if (options_.labels) {
    csv += str(",", image.sample.anomalous ? "anomalous" : "normal", ",", csv_field(image.sample.group));
    json["label"] = image.sample.anomalous ? "anomalous" : "normal";
    json["group"] = printable(image.sample.group);
  }
  if (options_.maps) {
    csv += "," + csv_text(map);
    if (!map.empty()) json["map"] = map;
  }
  csv += "," + csv_field(error) + "\n";
  if (!error.empty()) json["error"] = printable(error);
  const std::string row = json.dump();
  put(csv, (first_ ? "\n    " : ",\n    ") + row);
  if (options_.lines &&
      (std::fwrite((row + "\n").data(), 1, row.size() + 1, stdout) != row.size() + 1 || std::fflush(stdout) != 0))
    throw Error("standard output cannot be written: has its reader ended?");
  first_ = false;
  anomalous_ += anomalous;
  ++(scored ? scored_ : failed_);
}

void ResultWriter::write_maps(const std::string& name, const ScoredImage& image, const ImageSource& source) {
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

std::string ResultWriter::finish(bool complete) {
  const std::string csv = (fs::path(options_.out) / "scores.csv").string();
  if (!complete && first_) {
    csv_.reset();
    json_.reset();
    return "";
  }
  const std::string json = (fs::path(options_.out) / "scores.json").string();
  if (!complete && fs::is_regular_file(json) && read_file(json).ends_with(kComplete)) {
    suspend();
    return csv + ".part";
  }
  std::exception_ptr failed;
  const auto attempt = [&](const auto& step) {
    try {
      step();
    } catch (const Error&) {
      if (!failed) failed = std::current_exception();
    }
  };
  attempt([&] { csv_->commit(); });
  attempt([&] {
    const std::string_view tail = complete ? kComplete : kStopped;
    if (json_->in_place()) {
      json_->writer().write(tail);
    } else if (complete) {
      json_->writer().seek(json_end_);
      json_->writer().write(tail);
      json_->writer().truncate();
    }
    json_->commit();
  });
  const std::string regions = (fs::path(options_.out) / "regions.json").string();
  attempt([&] {
    // Of a part it says nothing that scores.json does not say, and a disk that is full has no room for it.
    if (complete && any_regions_known_)
      write_file_atomically(regions, coco_.json());
    else
      fs::remove(regions);  // an earlier result's
  });
  if (failed) std::rethrow_exception(failed);
  return csv;
}

void ResultWriter::suspend() {
  csv_->keep_part();
  json_->keep_part();
}

// ---- reading --------------------------------------------------------------------------------------------------------

namespace {

// The lines of one file, as ResultWriter writes them: the header, then a row each. False if it is something else.
bool read_rows(const std::string& text, EarlierResult& result) {
  const auto begin = text.find(kRowsBegin);
  if (begin == std::string::npos) return false;
  std::string head = text.substr(0, begin);
  while (!head.empty() && (head.back() == ' ' || head.back() == '\n' || head.back() == ',')) head.pop_back();
  const OrderedJson header = OrderedJson::parse(head + "}", nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) return false;
  result.header = header;
  for (std::size_t at = text.find('\n', begin); at != std::string::npos;) {
    const std::size_t end = text.find('\n', at + 1);
    std::string line = text.substr(at + 1, end == std::string::npos ? end : end - at - 1);
    at = end;
    if (line.ends_with(',')) line.pop_back();
    OrderedJson row = OrderedJson::parse(line, nullptr, false);
    if (!row.is_object() || !row.contains("path") || !row["path"].is_string()) break;  // the end, or where it was cut
    const std::string name = from_printable(row["path"].get<std::string>());
    if (row.contains("error"))
      result.rows.erase(name);
    else
      result.rows.insert_or_assign(name, std::move(row));
  }
  return true;
}

}  // namespace

std::optional<EarlierResult> read_earlier_result(const std::string& out) {
  const std::string path = (fs::path(out) / "scores.json").string();
  EarlierResult result;
  bool any = false;
  if (fs::exists(path)) {
    if (!read_rows(read_file(path), result))
      throw Error(str(path, ": not a result of pgad_infer that could be gone on with; give another --out"));
    any = true;
  }
  if (fs::exists(path + ".part")) {
    EarlierResult killed;
    if (read_rows(read_file(path + ".part"), killed) && !killed.rows.empty()) {
      // A run of its own with other options, begun in a folder with older results: those are not gone on with.
      if (!any || killed.header != result.header) result = {};
      result.header = killed.header;
      for (auto& [name, row] : killed.rows) result.rows.insert_or_assign(name, std::move(row));
      any = true;
    }
  }
  return any ? std::optional(std::move(result)) : std::nullopt;
}

ScoredImage EarlierResult::image(const Sample& sample, const OrderedJson& row) {
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

}  // namespace pgad
