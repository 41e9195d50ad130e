#pragma once
// Result plots as PNG files, written atomically. Colours are told apart by the colour-blind too, lines also
// by their dashes. Throws Error if there is nothing to plot, on NaN, or if the file cannot be written.

#include <limits>
#include <span>
#include <string>
#include <vector>

#include "inspection/metrics.h"

namespace pgad {

struct RocSeries {
  std::string name;
  std::vector<RocPoint> curve;  // of roc_curve()
  double auroc;
};

// All curves in one square, the legend with the AUROC of each beside it. width, height: pixels, at least 640
// x 480.
void plot_roc(const std::string& path, const std::string& title, std::span<const RocSeries> series, int width = 1000,
              int height = 760);

struct LineSeries {
  std::string name;
  struct Point {
    double x, y;
  };
  std::vector<Point> points;  // in the order of x
};

// All lines over one another, y from 0, the legend beside them.
void plot_lines(const std::string& path, const std::string& title, const std::string& x_title,
                const std::string& y_title, std::span<const LineSeries> series);

struct ScoreHistogram {
  std::string name;
  std::vector<double> normal, anomalous;  // scores; infinite ones are left out and counted below the panel
  double threshold = std::numeric_limits<double>::quiet_NaN();  // NaN: no line
};

// One panel per score, two to a row: share of each class per bin, so that unequal class sizes compare. Bins
// span the central 99 % of all scores and the threshold where outliers would squeeze everything else; the
// number of scores beyond is written on the panel.
void plot_histograms(const std::string& path, const std::string& title, std::span<const ScoreHistogram> scores);

}  // namespace pgad
