#include "report/comparison.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numeric>

#include "images/printable.h"
#include "inspection/metrics.h"
#include "report/plot.h"

namespace pgad {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kNamed = 20;
constexpr const char* kDecisions[] = {"normal", "anomalous", "undecided"};

double number(const OrderedJson& row, const char* key) {
  const auto at = row.find(key);
  return at != row.end() && at->is_number() ? at->get<double>() : std::nan("");
}

std::string text(const OrderedJson& row, const char* key) {
  const auto at = row.find(key);
  return at != row.end() && at->is_string() ? at->get<std::string>() : "";
}

// 1 for the smallest; equal ones share the mean of their ranks.
std::vector<double> ranks_of(std::span<const double> values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return values[i]; });
  std::vector<double> ranks(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i + 1;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (std::size_t k = i; k < end; ++k) ranks[order[k]] = (static_cast<double>(i + end) + 1) / 2;
    i = end;
  }
  return ranks;
}

std::string rounded_text(const char* format, double value) {
  if (std::isnan(value)) return "-";
  char digits[32];
  std::snprintf(digits, sizeof digits, format, value);
  return digits;
}

}  // namespace

std::size_t Comparison::changed() const {
  return static_cast<std::size_t>(std::ranges::count_if(images, &Image::changed));
}

double rank_correlation(std::span<const double> x, std::span<const double> y) {
  PGAD_CHECK(x.size() == y.size(), x.size(), " and ", y.size(), " values");
  const std::vector<double> a = ranks_of(x), b = ranks_of(y);
  const double mean = (static_cast<double>(x.size()) + 1) / 2;
  double both = 0, of_a = 0, of_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    both += (a[i] - mean) * (b[i] - mean);
    of_a += (a[i] - mean) * (a[i] - mean);
    of_b += (b[i] - mean) * (b[i] - mean);
  }
  return of_a > 0 && of_b > 0 ? both / std::sqrt(of_a * of_b) : std::nan("");
}

Comparison compare(const EarlierResult& first, const EarlierResult& second, const std::string& first_folder,
                   const std::string& second_folder) {
  Comparison c;
  const EarlierResult* const results[] = {&first, &second};
  const std::string* const folders[] = {&first_folder, &second_folder};
  for (int k = 0; k < 2; ++k) {
    c.threshold[k] = number(results[k]->header, "threshold");
    c.model[k] = text(results[k]->header, "model");
    c.auroc[k] = std::nan("");
  }
  std::vector<std::array<double, kScoreCount>> scores[2];
  std::vector<double> labelled[2];
  std::vector<std::uint8_t> labels;
  for (const auto& [name, row] : first.rows) {
    const auto other = second.rows.find(name);
    if (other == second.rows.end()) {
      ++c.only[0];
      continue;
    }
    const OrderedJson* const rows[] = {&row, &other->second};
    Comparison::Image image;
    image.name = name;
    for (int k = 0; k < 2; ++k) {
      image.combined[k] = number(*rows[k], kScoreNames[kCombined]);
      image.decision[k] = text(*rows[k], "decision");
      if (std::isnan(image.combined[k]) || image.decision[k].empty())
        throw Error(
            str("'", *folders[k], "': no combined score of '", name, "'; expected the result of a calibrated model"));
      std::array<double, kScoreCount> all{};
      for (int i = 0; i < kScoreCount; ++i) all[i] = number(*rows[k], kScoreNames[i]);
      scores[k].push_back(all);
    }
    if (const std::string label = text(row, "label"); !label.empty()) {
      labels.push_back(label == "anomalous");
      for (int k = 0; k < 2; ++k) labelled[k].push_back(image.combined[k]);
    }
    c.images.push_back(std::move(image));
  }
  c.only[1] = second.rows.size() - c.images.size();
  if (c.images.empty())
    throw Error(str("'", first_folder, "' and '", second_folder,
                    "' have no image in common; expected results of the same images, by the same names"));
  for (int i = 0; i < kScoreCount; ++i) {
    std::vector<double> values[2];
    for (int k = 0; k < 2; ++k)
      for (const auto& all : scores[k]) values[k].push_back(all[i]);
    const auto lacks = [](const std::vector<double>& v) {
      return std::ranges::any_of(v, [](double x) { return std::isnan(x); });
    };
    c.correlation[i] = lacks(values[0]) || lacks(values[1]) ? std::nan("") : rank_correlation(values[0], values[1]);
  }
  const auto anomalous = static_cast<std::size_t>(std::ranges::count(labels, 1));
  if (anomalous > 0 && anomalous < labels.size())
    for (int k = 0; k < 2; ++k) c.auroc[k] = auroc(labelled[k], labels);
  return c;
}

std::string table_of(const Comparison& c) {
  std::string table = str(c.images.size(), " images in both");
  if (c.only[0] + c.only[1] > 0)
    table += str(" (", c.only[0], " only in the first, ", c.only[1], " only in the second)");
  table += str("\n\n                       second: normal   anomalous   undecided\n");
  for (const char* of_first : kDecisions) {
    char line[120];
    std::size_t counts[3] = {};
    for (const Comparison::Image& image : c.images)
      for (int k = 0; k < 3; ++k) counts[k] += image.decision[0] == of_first && image.decision[1] == kDecisions[k];
    std::snprintf(line, sizeof line, "first: %-14s  %14zu %11zu %11zu\n", of_first, counts[0], counts[1], counts[2]);
    table += line;
  }
  table += "\nscore              rank correlation\n";
  for (int i = 0; i < kScoreCount; ++i) {
    if (std::isnan(c.correlation[i])) continue;
    char line[80];
    std::snprintf(line, sizeof line, "%-17s  %.3f\n", kScoreNames[i], c.correlation[i]);
    table += line;
  }
  table += str("\nthreshold          first ", rounded_text("%.4g", c.threshold[0]), ", second ",
               rounded_text("%.4g", c.threshold[1]), "\n");
  if (!std::isnan(c.auroc[0]))
    table += str("AUROC, combined    first ", rounded_text("%.3f", c.auroc[0]), ", second ",
                 rounded_text("%.3f", c.auroc[1]), "\n");
  std::vector<const Comparison::Image*> changed;
  for (const Comparison::Image& image : c.images)
    if (image.changed()) changed.push_back(&image);
  // How far the score has moved against its own threshold.
  const auto moved = [&](const Comparison::Image* i) {
    const double m = (i->combined[1] - c.threshold[1]) - (i->combined[0] - c.threshold[0]);
    return std::isnan(m) ? 0 : std::abs(m);
  };
  std::ranges::stable_sort(changed, std::greater(), moved);
  table += str("\n", changed.size(), changed.size() == 1 ? " decision differs" : " decisions differ",
               changed.empty() ? "\n" : ":\n");
  for (std::size_t i = 0; i < std::min(changed.size(), kNamed); ++i) {
    const Comparison::Image& image = *changed[i];
    table += str("  ", printable(image.name), ": ", image.decision[0], " (", rounded_text("%.4g", image.combined[0]),
                 ") -> ", image.decision[1], " (", rounded_text("%.4g", image.combined[1]), ")\n");
  }
  if (changed.size() > kNamed) table += str("  and ", changed.size() - kNamed, " others\n");
  return table;
}

std::string csv_of(const Comparison& c) {
  std::string csv = "path,combined_first,decision_first,combined_second,decision_second,changed\n";
  for (const Comparison::Image& image : c.images)
    csv += str(csv_field(image.name), ",", exact(image.combined[0]), ",", image.decision[0], ",",
               exact(image.combined[1]), ",", image.decision[1], ",", image.changed() ? "yes" : "no", "\n");
  return csv;
}

void plot_comparison(const std::string& path, const Comparison& c) {
  ScatterSeries same{"same decision", {}}, changed{"decision differs", {}};
  for (const Comparison::Image& image : c.images)
    (image.changed() ? changed : same).points.push_back({image.combined[0], image.combined[1]});
  const ScatterSeries series[] = {std::move(same), std::move(changed)};
  plot_scatter(path, "combined of each image", "first: " + c.model[0], "second: " + c.model[1], series, c.threshold[0],
               c.threshold[1]);
}

}  // namespace pgad
