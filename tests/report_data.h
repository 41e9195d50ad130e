#pragma once
// A report of images that do not exist, for tests of its page.

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

#include "report/html_report.h"

namespace pgad::test {

inline constexpr const char* kNastyName =
    "a \"quoted\" & <script>document.title='broken'</script>/<img src=x onerror=alert(1)>.png";

// Some normal images, and anomalous ones of two kinds with higher scores; the 7th could not be read, the 5th has
// kNastyName. Every tenth has two regions.
inline void write_report_of(const std::string& out, int count, ReportImages images) {
  Model model;
  model.config.network.channels = model.preprocessing.channels = 1;
  model.config.network.resolution = model.preprocessing.resolution = 16;
  ResultOptions options;
  options.out = out;
  options.labels = true;
  options.threshold = 1.5;
  Calibration calibration;
  for (int i = 0; i < kTermCount; ++i) {
    const bool there = i < kSearchTerms;
    calibration.mean[i] = there ? 0 : std::nan("");
    calibration.spread[i] = there ? 1 : std::nan("");
    calibration.weight[i] = there ? i == 0 : std::nan("");
  }
  calibration.map_mean = {0};
  calibration.map_spread = {1};
  calibration.map_weights.assign(kMapParts, 0);
  calibration.map_weights[0] = 1;
  model.calibration = calibration;
  model.preprocessing.tiles = true;
  HtmlReport report(model, options, images, static_cast<std::size_t>(count));
  std::minstd_rand random(1);
  std::normal_distribution<double> noise;
  for (int i = 0; i < count; ++i) {
    ScoredImage image;
    const bool anomalous = i % 4 == 3;
    image.sample = {str("part-", i % 5, "/image-", i, ".png"),
                    "",
                    -1,
                    anomalous ? (i % 8 == 3 ? "scratch" : "stain") : "good",
                    anomalous,
                    ""};
    if (i == 4) image.sample.name = kNastyName;
    Image picture{16, 16, 1, {}};
    for (int k = 0; k < 256; ++k) picture.pixels.push_back(static_cast<float>((k * (i + 3)) % 256) / 255);
    image.sample.bytes = std::make_shared<const std::string>(encode_png(picture, "image"));
    image.height = image.width = image.rows = image.columns = 16;
    if (i == 6) {
      image.error = "<b>cut off</b>";
      report.add(image, ImageSource());
      continue;
    }
    std::ranges::fill(image.terms, std::nan(""));
    for (int k = 0; k < kSearchTerms; ++k) image.terms[k] = noise(random) + (anomalous ? 2 : 0);
    for (const float v : picture.pixels) image.query.push_back(2 * v - 1);
    image.reconstruction = image.query;
    image.residual_map.assign(256, 0.5f);
    if (i % 10 == 3) {
      Region first;
      first.left = 2, first.top = 3, first.width = 4, first.height = 2, first.area = 8, first.peak = 5, first.mean = 4;
      first.contours = {{2, 3, 6, 3, 6, 5, 2, 5}};
      image.regions = {first, first};
    } else {
      image.regions.emplace();
    }
    report.add(image, ImageSource());
  }
  report.write({"Inspection of <i>nothing</i>",
                "a test",
                "A threshold of 1.5.",
                {"a note with <b>tags</b>"},
                {{"pixel AUROC", 0.5}}});
}

}  // namespace pgad::test
