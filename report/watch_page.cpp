#include "report/watch_page.h"

#include <cmath>
#include <filesystem>

#include "images/atomic_file.h"
#include "images/pictures.h"
#include "images/preprocess.h"
#include "images/printable.h"
#include "inspection/anomaly_map.h"
#include "report/html.h"
#include "report/watch_results.h"

namespace pgad {
namespace {

namespace fs = std::filesystem;
using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kShown = 60;  // images on the page
constexpr int kThumbnailSide = 240, kThumbnailQuality = 80;
constexpr double kChanged = 2, kAlive = 30;  // seconds between writings

constexpr const char* kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width,initial-scale=1">
<style>
:root{color-scheme:light dark;--ground:#fff;--text:#1b1f24;--quiet:#57606a;--line:#d0d7de;--card:#f6f8fa;--bad:#b3261e;--good:#1a6b33}
@media(prefers-color-scheme:dark){:root{--ground:#0d1117;--text:#e6edf3;--quiet:#9aa4af;--line:#30363d;--card:#161b22;--bad:#ff8a80;--good:#7ee2a0}}
body{margin:0;padding:1rem 1.5rem;background:var(--ground);color:var(--text);font:16px/1.4 system-ui,sans-serif}
h1{font-size:1.25rem;margin:0 0 .75rem;overflow-wrap:anywhere}
p{margin:.5rem 0;color:var(--quiet)}
dl{display:flex;flex-wrap:wrap;gap:.75rem 2rem;margin:0}
dt{color:var(--quiet);font-size:.85rem}
dd{margin:0;font-size:1.6rem;font-variant-numeric:tabular-nums}
ol{list-style:none;margin:1rem 0;padding:0;display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:.75rem}
li{background:var(--card);border:1px solid var(--line);border-left-width:.4rem;border-radius:.4rem;padding:.6rem;overflow-wrap:anywhere;font-size:.85rem}
li img{display:block;width:100%;height:12rem;object-fit:contain;image-rendering:auto}
li b{display:block;font-size:1rem}
.anomalous{border-left-color:var(--bad)}.anomalous b,.trouble,.unreadable b{color:var(--bad)}
.normal{border-left-color:var(--good)}.normal b{color:var(--good)}
.unreadable{border-left-color:var(--bad);border-left-style:dashed}
</style>
)";
// Says so where the page is older than the program writes it.
constexpr const char* kEnd = R"(<script>
const e=document.getElementById("written"),s=Math.round((Date.now()-Date.parse(e.dateTime))/1000);
if(s>90&&!document.body.dataset.ended){const p=document.getElementById("trouble");
p.textContent="This page was written "+Math.round(s/60)+" minutes ago: pgad_infer watch does not run, or its clock is wrong.";p.hidden=false}
</script></body></html>
)";

std::string number_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

std::string thumbnail(std::int64_t row) { return str("thumbnails/", row, ".jpg"); }

}  // namespace

std::string decision_of(const OrderedJson& row) {
  const auto decision = row.find("decision");
  if (decision == row.end()) return "unreadable";
  return decision->is_string() ? decision->get<std::string>() : "undecided";
}

WatchPage::WatchPage(const Model& model, std::string out, std::string input, double threshold, double map_sigma)
    : model_(model), out_(std::move(out)), input_(std::move(input)), threshold_(threshold), map_sigma_(map_sigma) {}

void WatchPage::add(const OrderedJson& row, const ScoredImage* image) {
  ++counts_[decision_of(row)];
  last_.emplace_front(rows_++, row);
  changed_ = true;
  std::error_code ignored;
  if (last_.size() > kShown) {
    fs::remove(fs::path(out_) / thumbnail(last_.back().first), ignored);
    last_.pop_back();
  }
  if (image == nullptr || !image->error.empty()) return;
  ensure_directory((fs::path(out_) / "thumbnails").string());
  const std::string path = (fs::path(out_) / thumbnail(rows_ - 1)).string();
  Image seen =
      shrunk(picture(image->query, image->rows, image->columns, model_.config.network.channels), kThumbnailSide);
  if (model_.calibration) {
    AnomalyMap map = anomaly_map(model_, *image, map_sigma_);
    map.values = resize(map.values, image->rows, image->columns, 1, seen.height, seen.width);
    seen = heat_over(seen, map);
  }
  write_file_atomically(path, encode_jpeg(seen, kThumbnailQuality, path));
}

void WatchPage::update(const State& state) {
  const auto now = Clock::now();
  const double since = written_ ? std::chrono::duration<double>(now - *written_).count() : kAlive;
  if (!state.ended && since < (changed_ ? kChanged : kAlive)) return;
  written_ = now;  // also where it fails: it is not tried all the time
  write_file_atomically((fs::path(out_) / "index.html").string(), html(state));
  changed_ = false;
}

std::string WatchPage::html(const State& state) const {
  const auto count = [&](const char* decision) {
    const auto at = counts_.find(decision);
    return at == counts_.end() ? std::int64_t{0} : at->second;
  };
  const std::string name = html_text(printable(input_)), now = utc_now();
  std::string page = kHead;
  page += str("<title>", count("anomalous"), " anomalous of ", rows_, " in ", name, "</title></head>\n<body",
              state.ended ? " data-ended=\"1\"" : "", ">\n<h1>", name, "</h1>\n<dl>");
  const auto item = [&](const char* what, const std::string& value) {
    page += str("<div><dt>", what, "</dt><dd>", value, "</dd></div>");
  };
  item("judged", str(rows_));
  item("anomalous", str(count("anomalous")));
  item("normal", str(count("normal")));
  if (count("undecided") > 0) item("not decided", str(count("undecided")));
  item("unreadable", str(count("unreadable")));
  item("waiting", str(state.waiting));
  if (state.images_per_second) item("images a second", number_text(*state.images_per_second));
  page += str("</dl>\n<p class=\"trouble\" id=\"trouble\" role=\"status\"", state.trouble.empty() ? " hidden" : "", ">",
              html_text(printable(state.trouble)), "</p>\n<p>Anomalous: <code>combined</code> above ",
              std::isnan(threshold_) ? "a threshold, which the model has not" : number_text(threshold_),
              state.ended ? ". Ended at " : ". Written at ", "<time id=\"written\" datetime=\"", now, "\">", now,
              "</time>. The last ", last_.size(), " images, the newest first; all in scores.csv.</p>\n<ol>\n");
  for (const auto& [number, row] : last_) {
    const std::string decision = decision_of(row), path = html_text(row.at("path").get<std::string>());
    page += str("<li class=\"", decision, "\">");
    std::error_code error;
    if (fs::exists(fs::path(out_) / thumbnail(number), error))
      page +=
          str("<img src=\"", thumbnail(number), "\" loading=\"lazy\" alt=\"", path, ", with the places that differ\">");
    page += str("<b>", decision, "</b>", path, "<br>");
    if (const auto combined = row.find("combined"); combined != row.end() && combined->is_number())
      page += str("combined ", number_text(combined->get<double>()));
    if (const auto regions = row.find("regions"); regions != row.end() && regions->is_array())
      page += str(", ", regions->size(), regions->size() == 1 ? " region" : " regions");
    if (row.contains("error")) page += html_text(row["error"].get<std::string>());
    page += str("<br>", html_text(row.value("time", "")), "</li>\n");
  }
  return page + "</ol>\n" + kEnd;
}

}  // namespace pgad
