#include "report/generator_figures.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>

#include "engine/check.h"
#include "images/atomic_file.h"
#include "report/plot.h"

namespace pgad {
namespace {

constexpr double kCollapsed = 0.2;  // diversity
constexpr double kNearer = 0.9;     // of the first sheet's distance
constexpr std::size_t kSheets = 3;  // at the full size, before a stall is spoken of
constexpr double kCertain = 10;     // D's raw scores apart: e^10 to 1

double mean_of(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(std::max<std::size_t>(1, values.size()));
}

}  // namespace

std::vector<GeneratorFigures> read_generator_figures(const std::string& log_path) {
  std::istringstream lines(read_file(log_path));
  std::vector<GeneratorFigures> all;
  std::vector<double> gaps;
  int number = 0;
  for (std::string text; std::getline(lines, text);) {
    ++number;
    try {
      const nlohmann::json line = nlohmann::json::parse(text);
      if (line.at("d_real").is_number() && line.at("d_fake").is_number())
        gaps.push_back(line["d_real"].get<double>() - line["d_fake"].get<double>());
      if (!line.contains("swd")) continue;
      all.push_back({line.at("kimg"), line.at("resolution"), line["swd"], line.value("diversity", 1.0), mean_of(gaps)});
      gaps.clear();
    } catch (const nlohmann::json::exception&) {
      throw DataError(str("'", log_path, "', line ", number, ": not a line of a training's log"));
    }
  }
  return all;
}

std::vector<std::string> generator_warnings(const std::vector<GeneratorFigures>& figures, int full_side) {
  std::vector<GeneratorFigures> full;
  std::ranges::copy_if(figures, std::back_inserter(full), [&](const auto& f) { return f.side == full_side; });
  if (full.empty()) return {};
  const GeneratorFigures& last = full.back();
  const auto rounded = [](double v) { return std::round(v * 100) / 100; };
  std::vector<std::string> warnings;
  if (last.diversity < kCollapsed)
    warnings.push_back(str("generated images hardly differ from each other (", rounded(last.diversity),
                           " of what real ones do): the generator has collapsed. A lower --lr or a larger --r1-weight "
                           "may keep it from that"));
  if (full.size() >= kSheets) {
    double best = mean_of(full[1].swd);
    for (std::size_t i = 2; i < full.size(); ++i) best = std::min(best, mean_of(full[i].swd));
    const double first = mean_of(full[0].swd);
    if (best > kNearer * first)
      warnings.push_back(str("since ", full_side, "x", full_side,
                             " began the generator has come no nearer to real images (sliced Wasserstein distance ",
                             std::lround(first), ", then ", std::lround(best),
                             " at best): scores that compare images with it will say little. A longer --total-kimg or "
                             "another --lr may help"));
  }
  if (last.gap > kCertain)
    warnings.push_back(str("the discriminator tells generated from real images without effort (mean scores ",
                           rounded(last.gap),
                           " apart): the generator learns nothing from it any more. A larger "
                           "--r1-weight or a lower --lr may help"));
  return warnings;
}

void plot_distances(const std::string& path, const std::vector<GeneratorFigures>& figures) {
  PGAD_CHECK(figures.size() >= 2, figures.size(), " sheets");
  std::map<int, LineSeries, std::greater<>> series;  // by size of the pyramid
  for (const GeneratorFigures& f : figures)
    for (std::size_t i = 0; i < f.swd.size(); ++i) {
      const int size = f.side >> i;
      LineSeries& s = series[size];
      s.name = str(size, "x", size);
      s.points.push_back({f.kimg, f.swd[i]});
    }
  std::vector<LineSeries> all;
  for (auto& [size, s] : series) all.push_back(std::move(s));
  plot_lines(path, "Generated beside real images", "real images shown, thousands", "sliced Wasserstein distance x 1000",
             all);
}

}  // namespace pgad
