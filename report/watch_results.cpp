#include "report/watch_results.h"

#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>

#include "engine/check.h"
#include "images/atomic_file.h"
#include "images/printable.h"

namespace pgad {
namespace {

using OrderedJson = nlohmann::ordered_json;

std::string path_in(const ResultOptions& options, const char* name) {
  return (std::filesystem::path(options.out) / name).string();
}

OrderedJson parse_line(const std::string& path, std::int64_t line, std::string_view text, const char* key) {
  OrderedJson value = OrderedJson::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!value.is_object() || !value.contains(key))
    throw Error(str(path, ":", line, ": not a line of pgad_infer watch; give another --out, or move the file away"));
  return value;
}

}  // namespace

std::string utc_now() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[40];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  std::snprintf(text + length, sizeof text - length, ".%03dZ", static_cast<int>(milliseconds));
  return text;
}

std::pair<std::string, FileVersion> watched_image(const OrderedJson& row) {
  return {from_printable(row.at("path").get<std::string>()),
          {row.at("size").get<std::uint64_t>(), row.at("modified").get<std::int64_t>()}};
}

WatchResults::WatchResults(const Model& model, const ResultOptions& options, const OrderedJson& header,
                           const std::function<void(const OrderedJson&)>& see)
    : options_(options), model_(model), maps_(model, options) {
  remove_stale_temporaries(options.out);
  const std::string rows = path_in(options, "scores.jsonl"), runs = path_in(options, "runs.jsonl"),
                    table = path_in(options, "scores.csv");
  std::string last_columns;
  json_ = std::make_unique<LineFile>(rows, [&](std::string_view line) {
    const OrderedJson row = parse_line(rows, ++rows_, line, "modified");
    if (row.contains("map")) maps_.take(row["map"].get<std::string>());
    see(row);
  });
  LineFile run_file(runs, [&](std::string_view line) {
    last_columns = parse_line(runs, ++run_, line, "first_row").value("columns", "");
  });
  const std::string columns = csv_columns(options);
  OrderedJson run = {{"first_row", rows_}, {"started", utc_now()}, {"columns", columns}};
  run.update(header);

  // A table that lacks a row, or has other columns, is written anew.
  std::int64_t lines = 0;
  csv_ = std::make_unique<LineFile>(table, [&](std::string_view line) {
    // An end of a line within quotes is none of a row.
    static_cast<void>(line);
    ++lines;
  });
  csv_rows_ = lines - 1;
  if (csv_rows_ != rows_ || last_columns != columns) {
    csv_.reset();
    write_file_atomically(table, [&](FileWriter& writer) {
      writer.write(columns);
      std::int64_t line = 0;
      const LineFile again(rows, [&](std::string_view text) {
        writer.write(csv_row(parse_line(rows, ++line, text, "modified"), options_));
      });
    });
    csv_ = std::make_unique<LineFile>(table, [](std::string_view) {});
    csv_rows_ = rows_;
  }
  // Last: until then the table may have the columns of the run before.
  run_file.append(run.dump());
}

OrderedJson WatchResults::add(const ScoredImage& image, const FileVersion& version, const ImageSource& source) {
  if (csv_rows_ == rows_) {
    if (mapped_ != image.sample.name && options_.maps && image.error.empty()) {
      map_ = maps_.name_for(image.sample.name);
      map_error_.clear();
      try {
        maps_.write(map_, image, source);
      } catch (const std::exception& e) {
        map_error_ = str(image.sample.name, ": its maps could not be written: ", e.what());
        map_.clear();
      }
      mapped_ = image.sample.name;
    }
    if (!options_.maps || !image.error.empty()) {
      map_.clear();
      map_error_.clear();
    }
    OrderedJson row = result_row(model_, options_, image, map_, image.error.empty() ? map_error_ : image.error);
    row["size"] = version.size;
    row["modified"] = version.modified;
    row["time"] = utc_now();
    row["run"] = run_;
    json_->append(row.dump());
    ++rows_;
    mapped_.clear();
    pending_ = std::move(row);
  }
  std::string line = csv_row(pending_, options_);
  line.pop_back();
  csv_->append(line);
  ++csv_rows_;
  return pending_;
}

}  // namespace pgad
