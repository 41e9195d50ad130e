#include "report/training_report.h"

#include <cmath>
#include <filesystem>
#include <fstream>

#include "engine/check.h"
#include "images/atomic_file.h"
#include "images/image.h"
#include "images/listing.h"
#include "images/printable.h"
#include "inspection/calibration.h"
#include "report/html.h"
#include "report/pages.h"

namespace pgad {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t kMostLines = 2000, kMostSheets = 24;  // on the page, spread evenly, the last among them
constexpr int kSheetSide = 768, kSheetQuality = 85;

// Of `count` things, which are shown.
std::vector<std::size_t> spread(std::size_t count, std::size_t most) {
  std::vector<std::size_t> places;
  const std::size_t shown = std::min(count, most);
  for (std::size_t i = 0; i < shown; ++i) places.push_back(shown == 1 ? count - 1 : i * (count - 1) / (shown - 1));
  return places;
}

Json log_of(const std::string& path) {
  std::vector<Json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    Json entry = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (entry.is_object()) lines.push_back(std::move(entry));
  }
  Json shown = Json::array();
  std::size_t place = 0;
  for (const std::size_t i : spread(lines.size(), kMostLines)) {
    // A distance is rare, and not left out with the lines between.
    for (; place < i; ++place)
      if (lines[place].contains("swd")) shown.push_back(lines[place]);
    shown.push_back(lines[i]);
    place = i + 1;
  }
  return shown;
}

// [kimg, JPEG in base64] of the sheets of samples.
Json sheets_of(const std::string& folder) {
  std::vector<std::string> names;
  if (is_directory(folder)) {
    LeftOut ignored;
    for (const std::string& name : list_files(folder, &ignored))
      if (name.starts_with("images-") && name.ends_with(".png")) names.push_back(name);
  }
  Json sheets = Json::array();
  for (const std::size_t i : spread(names.size(), kMostSheets)) {
    try {
      const std::string path = join_path(folder, names[i]);
      sheets.push_back({std::stod(names[i].substr(7)) / 1000,
                        base64(encode_jpeg(shrunk(read_image(path), kSheetSide), kSheetQuality, path))});
    } catch (const std::exception&) {  // it is just being written, or was not to its end
    }
  }
  return sheets;
}

Json calibration_of(const Calibration& c, double rate) {
  const auto combined = [&](std::size_t begin, std::size_t end) {
    Json values = Json::array();
    for (std::size_t i = begin; i < end; ++i) values.push_back(combined_score(c, &c.abnormal_terms[i * kTermCount]));
    return values;
  };
  const Threshold t = threshold_of(c, kCombined, rate);
  const std::size_t known = c.abnormals() - c.drawn;
  Json json = {{"normal", c.normal_combined},
               {"abnormal", combined(0, known)},
               {"drawn", combined(known, c.abnormals())},
               {"threshold", t.decides() ? Json(t.value) : Json()},
               {"text", str("The threshold of combined that rejects ", 100 * rate, " % of normal images, by ", t.count,
                            " of them that were held out from training: ", t.value, " (95 % interval ", t.low, " to ",
                            t.high, ").")},
               {"scores", Json::array()}};
  if (const std::string note = threshold_note(t, rate); !note.empty())
    json["text"] = json["text"].get<std::string>() + " " + note;
  for (int i = 0; i < kTermCount; ++i)
    if (c.has(static_cast<ScoreIndex>(i)))
      json["scores"].push_back({kScoreNames[i], c.weight[i], c.mean[i], c.spread[i]});
  return json;
}

}  // namespace

void write_training_report(const TrainingReport& report) {
  const fs::path out = report.out;
  Json data = {{"title", "Training in " + printable(report.out)},
               {"subtitle", printable(report.subtitle)},
               {"state", printable(report.state)},
               {"running", report.running},
               {"options", report.options},
               {"warnings", Json::array()},
               {"log", log_of((out / "log.jsonl").string())},
               {"sheets", sheets_of((out / "samples").string())},
               {"calibration", Json()}};
  for (const std::string& warning : report.warnings) data["warnings"].push_back(printable(warning));
  if (report.calibration) data["calibration"] = calibration_of(*report.calibration, report.false_reject_rate);
  write_file_atomically((out / "report.html").string(), with_data(kTrainingPage, script_text(data.dump())));
}

}  // namespace pgad
