#include "report/result_writer.h"

#include <algorithm>
#include <exception>
#include <filesystem>

#include "images/printable.h"

namespace pgad {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

// What stands behind the last row of scores.json. It is written with each row and overwritten by the next, so that the
// file is whole at any time, and a disk that fills up has room for it.
constexpr std::string_view kStopped = "\n  ],\n  \"complete\": false\n}\n",
                           kComplete = "\n  ],\n  \"complete\": true\n}\n";
constexpr std::string_view kRowsBegin = "\"images\": [";

}  // namespace

ResultWriter::ResultWriter(const Model& model, const ResultOptions& options, const OrderedJson& header)
    : model_(model), options_(options) {
  ensure_directory(options.out);
  remove_stale_temporaries(options.out);
  maps_.emplace(model, options);
  csv_.emplace((fs::path(options.out) / "scores.csv").string(), Temporary::kPart);
  json_.emplace((fs::path(options.out) / "scores.json").string(), Temporary::kPart);
  std::string head = header.dump(2);
  head.erase(head.find_last_of('}'));
  while (!head.empty() && (head.back() == '\n' || head.back() == ' ')) head.pop_back();
  put(csv_columns(options), str(head, head == "{" ? "" : ",", "\n  ", kRowsBegin));
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

std::string ResultWriter::add(const ScoredImage& image, const ImageSource& source) {
  std::string map, error;
  if (options_.maps && image.error.empty()) {
    map = maps_->name_for(image.sample.name);
    try {
      maps_->write(map, image, source);
    } catch (const std::exception& e) {  // of this image only: its file has gone, its picture is too large, ...
      error = str(image.sample.name, ": its maps could not be written: ", e.what());
      ++maps_failed_;
    }
  }
  add_row(image, error.empty() ? map : "", error.empty() ? image.error : error);
  return error;
}

void ResultWriter::add_kept(const ScoredImage& image, const std::string& map) {
  if (!map.empty()) maps_->take(map);
  add_row(image, map, "");
}

void ResultWriter::add_row(const ScoredImage& image, const std::string& map, const std::string& error) {
  const OrderedJson row = result_row(model_, options_, image, map, error);
  const bool scored = image.error.empty();
  if (scored && image.regions) {
    coco_.add(printable(image.sample.name), image.height, image.width, *image.regions);
    any_regions_known_ = true;
  }
  put(csv_row(row, options_), (first_ ? "\n    " : ",\n    ") + row.dump());
  if (options_.lines) print_row(row);
  first_ = false;
  anomalous_ += row.value("decision", OrderedJson()) == "anomalous";
  ++(scored ? scored_ : failed_);
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

}  // namespace pgad
