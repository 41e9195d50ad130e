#pragma once
// Result plots as PNG files, written atomically. Colours are told apart by the colour-blind too, lines also
// by their dashes. Throws Error if there is nothing to plot, on NaN, or if the file cannot be written.

#include <limits>
#include <span>
#include <string>
#include <vector>

#include "images/image.h"
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

// All lines over one another, the legend beside them. y from 0, or on a logarithmic axis: there, four decades down from
// the highest value at most; what is lower lies on the axis.
void plot_lines(const std::string& path, const std::string& title, const std::string& x_title,
                const std::string& y_title, std::span<const LineSeries> series, bool logarithmic = false);

struct ScatterSeries {
  std::string name;
  std::vector<LineSeries::Point> points;
};

// A dot for each point, the legend beside them, and lines at x_mark and y_mark where these are finite. Points that are
// not finite are left out and counted in the legend. Axes span all points; with no finite one Error is thrown.
void plot_scatter(const std::string& path, const std::string& title, const std::string& x_title,
                  const std::string& y_title, std::span<const ScatterSeries> series, double x_mark, double y_mark);

struct ScoreHistogram {
  std::string name;
  std::vector<double> normal, anomalous;  // scores; infinite ones are left out and counted below the panel
  double threshold = std::numeric_limits<double>::quiet_NaN();  // NaN: no line
};

// One panel per score, two to a row: share of each class per bin, so that unequal class sizes compare. Bins
// span the central 99 % of all scores and the threshold where outliers would squeeze everything else; the
// number of scores beyond is written on the panel.
void plot_histograms(const std::string& path, const std::string& title, std::span<const ScoreHistogram> scores);

struct PictureGroup {
  std::string name;                         // over its columns
  std::vector<std::vector<Image>> columns;  // each with an image for each row
};

// Images in rows with names on their left, in groups of columns with names above, each brought to `cell` pixels on its
// longer side (small ones in whole multiples).
void plot_pictures(const std::string& path, const std::string& title, std::span<const std::string> rows,
                   std::span<const PictureGroup> groups, int cell = 96);

}  // namespace pgad
