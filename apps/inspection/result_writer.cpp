#include "apps/inspection/result_writer.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "apps/data/npy.h"
#include "apps/inspection/anomaly_map.h"
#include "apps/inspection/heatmap.h"
#include "apps/inspection/samples.h"

namespace pgad {
namespace {

namespace fs = std::filesystem;

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

// A path below out/maps, which '..' cannot leave.
fs::path map_path(const std::string& out, const std::string& name) {
  fs::path path = fs::path(out) / "maps";
  for (const fs::path& part : fs::path(name).relative_path()) path /= part == ".." ? fs::path("__") : part;
  return path;
}

}  // namespace

ResultWriter::ResultWriter(const Model& model, const ResultOptions& options, const nlohmann::ordered_json& header)
    : model_(model), options_(options) {
  ensure_directory(options.out);
  remove_stale_temporaries(options.out);
  csv_.emplace((fs::path(options.out) / "scores.csv").string());
  json_.emplace((fs::path(options.out) / "scores.json").string());
  std::string columns = "path";
  for (const char* name : kScoreNames) columns += str(",", name);
  columns += ",decision";
  if (options.labels) columns += ",label,group";
  columns += ",error\n";
  std::string head = header.dump(2);
  head.erase(head.find_last_of('}'));
  while (!head.empty() && (head.back() == '\n' || head.back() == ' ')) head.pop_back();
  put(columns, head + (head == "{" ? "" : ",") + "\n  \"images\": [");
}

// Flushed, so that a full disk shows at the image that filled it and not hours later.
void ResultWriter::put(const std::string& csv, const std::string& json) {
  csv_->writer().write(csv);
  csv_->writer().flush();
  json_->writer().write(json);
  json_->writer().flush();
}

void ResultWriter::add(const ScoredImage& image, const ImageSource& source) {
  std::string csv = csv_field(image.sample.name);
  nlohmann::ordered_json json = {{"path", image.sample.name}};
  if (image.error.empty()) {
    ++scored_;
    double scores[kScoreCount];
    std::copy(std::begin(image.terms), std::end(image.terms), scores);
    const bool calibrated = model_.calibration.has_value();
    if (calibrated) scores[kCombined] = combined_score(*model_.calibration, image.terms);
    for (int i = 0; i < kScoreCount; ++i) {
      const bool known = i != kCombined || calibrated;
      csv += known ? str(",", exact(scores[i])) : ",";
      json[kScoreNames[i]] = known ? nlohmann::ordered_json(scores[i]) : nlohmann::ordered_json(nullptr);
    }
    if (calibrated && !std::isnan(options_.threshold)) {
      const bool anomalous = scores[kCombined] > options_.threshold;
      anomalous_ += anomalous;
      csv += anomalous ? ",anomalous" : ",normal";
      json["decision"] = anomalous ? "anomalous" : "normal";
    } else if (calibrated) {
      csv += ",undecided";
      json["decision"] = "undecided";
    } else {
      csv += ",";
      json["decision"] = nullptr;
    }
    json["steps"] = image.steps;
    if (!image.notes.empty()) json["notes"] = image.notes;
    if (options_.maps) write_maps(image, source);
  } else {
    ++failed_;
    csv += std::string(kScoreCount + 1, ',');
  }
  if (options_.labels) {
    csv += str(",", image.sample.anomalous ? "anomalous" : "normal", ",", csv_field(image.sample.group));
    json["label"] = image.sample.anomalous ? "anomalous" : "normal";
    json["group"] = image.sample.group;
  }
  csv += "," + csv_field(image.error) + "\n";
  if (!image.error.empty()) json["error"] = image.error;
  put(csv, (first_ ? "\n    " : ",\n    ") + json.dump());
  first_ = false;
}

void ResultWriter::write_maps(const ScoredImage& image, const ImageSource& source) {
  const int side = model_.side();
  fs::path path = map_path(options_.out, image.sample.name);
  // Two names may become one path ("../a.png" and "__/a.png"): the later one gets a number.
  for (int number = 2; !map_paths_.insert(path.string()).second; ++number)
    path = map_path(options_.out, image.sample.name).string() + str("~", number);
  ensure_directory(path.parent_path().string());
  const auto named = [&](const char* suffix) { return path.string() + suffix; };

  AnomalyMap map = anomaly_map(model_, image.residual_map, options_.map_sigma);
  Preprocessing p = model_.preprocessing;
  p.resolution = side;
  const Image original = source.load(image.sample);
  write_png(named(".reconstruction.png"), picture(image.reconstruction, side, model_.config.network.channels));
  write_png(named(".panel.png"), grid(panel(model_, image, options_.map_sigma), 4, 4));
  const std::int64_t shape[] = {side, side};
  write_npy(named(".residual.npy"), shape, image.residual_map);
  if (model_.calibration) write_npy(named(".calibrated.npy"), shape, map.values);
  map.values = map_to_image(map.values, original.height, original.width, p);
  write_png(named(".heatmap.png"), heat_over(original, map));
}

void ResultWriter::finish(bool complete) {
  put("", str("\n  ],\n  \"complete\": ", complete ? "true" : "false", "\n}\n"));
  csv_->commit();
  json_->commit();
}

}  // namespace pgad
