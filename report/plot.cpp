#include "report/plot.h"

#include <gd.h>
#include <gdfontg.h>
#include <gdfontl.h>
#include <gdfontmb.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string_view>

#include "engine/check.h"
#include "images/atomic_file.h"
#include "images/pictures.h"
#include "images/preprocess.h"

namespace pgad {
namespace {

struct Color {
  int r, g, b;
};
constexpr Color kWhite = {255, 255, 255}, kBlack = {0, 0, 0}, kGrey = {110, 110, 110}, kLightGrey = {222, 222, 222};
// Okabe and Ito's palette, its yellow left out (too pale on white).
constexpr Color kPalette[] = {{0, 114, 178},   {213, 94, 0},  {0, 158, 115},
                              {204, 121, 167}, {230, 159, 0}, {86, 180, 233}};
constexpr Color kNormalColor = kPalette[0], kAnomalousColor = kPalette[1];

struct Point {
  double x, y;
};

// The canvas draws shapes `kScale` times as large and shrinks them, which smooths every edge, then writes
// text at its final size with gd's built-in fonts (Latin-2: other characters appear as they may).
constexpr int kScale = 3;

struct DestroyImage {
  void operator()(gdImagePtr image) const { gdImageDestroy(image); }
};
using GdImage = std::unique_ptr<gdImage, DestroyImage>;

GdImage make_image(int width, int height) {
  GdImage image(gdImageCreateTrueColor(width, height));
  if (!image) throw Error(str("plot: cannot allocate a picture of ", width, "x", height, " pixels"));
  return image;
}

enum class Align { kLeft, kCenter, kRight };

class Canvas {
 public:
  Canvas(int width, int height) : width_(width), height_(height), large_(make_image(width * kScale, height * kScale)) {
    gdImageFilledRectangle(large_.get(), 0, 0, width * kScale, height * kScale, pack(kWhite));
  }

  void fill(double x0, double y0, double x1, double y1, Color color, double opacity = 1) {
    gdImageFilledRectangle(large_.get(), scaled(std::min(x0, x1)), scaled(std::min(y0, y1)),
                           scaled(std::max(x0, x1)) - 1, scaled(std::max(y0, y1)) - 1, pack(color, opacity));
  }

  // dash: length of strokes and gaps in pixels, 0 for a solid line.
  void polyline(std::span<const Point> points, Color color, double thickness, double dash = 0) {
    double along = 0;  // from the first point
    for (size_t i = 1; i < points.size(); ++i) {
      const auto [x0, y0] = points[i - 1];
      const auto [x1, y1] = points[i];
      const double length = std::hypot(x1 - x0, y1 - y0);
      if (length == 0) continue;
      const auto at = [&](double s) { return Point{x0 + (x1 - x0) * s / length, y0 + (y1 - y0) * s / length}; };
      for (double s = 0; s < length;) {
        // Strokes and gaps alternate along the whole polyline, corners included.
        const double next =
            dash == 0 ? length : std::min(length, (std::floor((along + s) / dash + 1e-9) + 1) * dash - along);
        const bool stroke = dash == 0 || std::fmod(std::floor((along + s) / dash + 1e-9), 2) == 0;
        if (stroke) segment(at(s), at(next), color, thickness);
        s = std::max(next, s + 1e-6);
      }
      along += length;
    }
  }

  void line(double x0, double y0, double x1, double y1, Color color, double thickness = 1, double dash = 0) {
    const Point points[] = {{x0, y0}, {x1, y1}};
    polyline(points, color, thickness, dash);
  }

  void text(double x, double y, const std::string& text, gdFontPtr font, Color color = kBlack,
            Align align = Align::kLeft, bool upward = false) {
    texts_.push_back({x, y, text, font, color, align, upward});
  }

  // The image's top left corner at (x, y), one pixel for each of its own.
  void paste(int x, int y, const Image& image) { pasted_.push_back({x, y, &image}); }

  std::string png() {
    const GdImage small = make_image(width_, height_);
    gdImageCopyResampled(small.get(), large_.get(), 0, 0, 0, 0, width_, height_, width_ * kScale, height_ * kScale);
    for (const Pasted& p : pasted_)
      for (int y = 0; y < p.image->height; ++y)
        for (int x = 0; x < p.image->width; ++x) {
          const int c = p.image->channels;
          const float* v = p.image->pixels.data() + (static_cast<std::ptrdiff_t>(y) * p.image->width + x) * c;
          const auto byte = [](float unit) {
            return static_cast<int>(std::lround(255 * std::clamp(unit, 0.0f, 1.0f)));
          };
          gdImageSetPixel(small.get(), p.x + x, p.y + y, pack({byte(v[0]), byte(v[c / 2]), byte(v[c - 1])}));
        }
    for (Text& t : texts_) {
      const double length = static_cast<double>(t.text.size()) * t.font->w;
      const double back = t.align == Align::kLeft ? 0 : t.align == Align::kCenter ? length / 2 : length;
      auto* bytes = reinterpret_cast<unsigned char*>(t.text.data());
      if (t.upward)
        gdImageStringUp(small.get(), t.font, std::lround(t.x), std::lround(t.y + back), bytes, pack(t.color));
      else
        gdImageString(small.get(), t.font, std::lround(t.x - back), std::lround(t.y), bytes, pack(t.color));
    }
    int size = 0;
    const std::unique_ptr<void, void (*)(void*)> bytes(gdImagePngPtr(small.get(), &size), gdFree);
    if (!bytes) throw Error("plot: cannot encode the picture");
    return std::string(static_cast<const char*>(bytes.get()), static_cast<size_t>(size));
  }

 private:
  struct Text {
    double x, y;
    std::string text;
    gdFontPtr font;
    Color color;
    Align align;
    bool upward;
  };

  struct Pasted {
    int x, y;
    const Image* image;
  };

  static int scaled(double v) { return static_cast<int>(std::lround(v * kScale)); }
  static int pack(Color c, double opacity = 1) {
    return gdTrueColorAlpha(c.r, c.g, c.b, static_cast<int>(std::lround((1 - opacity) * gdAlphaTransparent)));
  }

  // A rectangle around the line, its ends extended by half the thickness so that corners close.
  void segment(Point a, Point b, Color color, double thickness) {
    const double length = std::hypot(b.x - a.x, b.y - a.y);
    if (length == 0) return;
    const double ux = (b.x - a.x) / length * thickness / 2, uy = (b.y - a.y) / length * thickness / 2;
    gdPoint corners[] = {{scaled(a.x - ux - uy), scaled(a.y - uy + ux)},
                         {scaled(b.x + ux - uy), scaled(b.y + uy + ux)},
                         {scaled(b.x + ux + uy), scaled(b.y + uy - ux)},
                         {scaled(a.x - ux + uy), scaled(a.y - uy - ux)}};
    gdImageFilledPolygon(large_.get(), corners, 4, pack(color));
  }

  int width_, height_;
  GdImage large_;
  std::vector<Text> texts_;
  std::vector<Pasted> pasted_;
};

std::string printed(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

// Multiples of 1, 2 or 5 times a power of ten inside [low, high], at most `most` of them.
std::vector<double> ticks(double low, double high, int most) {
  double step = std::pow(10, std::floor(std::log10((high - low) / most)));
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    if ((high - low) / (step * factor) <= most) {
      step *= factor;
      break;
    }
  }
  std::vector<double> result;
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + step * 1e-9; ++i)
    result.push_back(i == 0 ? 0.0 : i * step);
  return result;
}

// A rectangle of the canvas and the ranges of its axes.
struct Axes {
  double left, top, right, bottom;  // pixels
  double x_low, x_high, y_low, y_high;
  bool logarithmic = false;  // y values are logarithms to base 10

  double x(double v) const { return left + (v - x_low) / (x_high - x_low) * (right - left); }
  double y(double v) const { return bottom - (v - y_low) / (y_high - y_low) * (bottom - top); }
};

constexpr const char* kTickFormat = "%.4g";  // of x values

// As many x ticks as leave space between their numbers.
std::vector<double> ticks_that_fit(const Axes& a, gdFontPtr font) {
  constexpr int kFewest = 2;
  for (int most = 10;; --most) {
    const std::vector<double> values = ticks(a.x_low, a.x_high, most);
    size_t longest = 0;
    for (const double v : values) longest = std::max(longest, printed(kTickFormat, v).size());
    const double apart = values.size() < 2 ? a.right - a.left : a.x(values[1]) - a.x(values[0]);
    if (most == kFewest || static_cast<double>(longest + 2) * font->w <= apart) return values;
  }
}

// Grid lines, ticks with numbers, frame and titles.
void draw_axes(Canvas& canvas, const Axes& a, const std::string& x_title, const std::string& y_title,
               const char* y_format) {
  gdFontPtr font = gdFontGetLarge();
  for (const double v : ticks_that_fit(a, font)) {
    canvas.line(a.x(v), a.top, a.x(v), a.bottom, kLightGrey);
    canvas.line(a.x(v), a.bottom, a.x(v), a.bottom + 5, kGrey);
    canvas.text(a.x(v), a.bottom + 7, printed(kTickFormat, v), font, kBlack, Align::kCenter);
  }
  for (const double v : ticks(a.y_low, a.y_high, std::max(2, static_cast<int>((a.bottom - a.top) / 40)))) {
    if (a.logarithmic && v != std::round(v)) continue;  // whole powers of ten alone
    canvas.line(a.left, a.y(v), a.right, a.y(v), kLightGrey);
    canvas.line(a.left - 5, a.y(v), a.left, a.y(v), kGrey);
    canvas.text(a.left - 9, a.y(v) - font->h / 2.0, printed(y_format, a.logarithmic ? std::pow(10, v) : v), font,
                kBlack, Align::kRight);
  }
  const Point frame[] = {{a.left, a.top}, {a.right, a.top}, {a.right, a.bottom}, {a.left, a.bottom}, {a.left, a.top}};
  canvas.polyline(frame, kGrey, 1);
  canvas.text((a.left + a.right) / 2, a.bottom + 26, x_title, font, kBlack, Align::kCenter);
  canvas.text(a.left - 74, (a.top + a.bottom) / 2, y_title, font, kBlack, Align::kCenter, true);
}

// Cut to fit, so that a long name cannot run over the plot.
std::string fitted(const std::string& text, double pixels, gdFontPtr font) {
  const auto most = static_cast<size_t>(std::max(0.0, pixels) / font->w);
  if (text.size() <= most) return text;
  return most < 3 ? text.substr(0, most) : text.substr(0, most - 2) + "..";
}

void check_no_nan(const std::string& name, std::span<const double> values) {
  if (std::ranges::any_of(values, [](double v) { return std::isnan(v); }))
    throw Error(str("plot: score \"", name, "\" has a NaN"));
}

// ---- histograms
// ---------------------------------------------------------------------------------------------------

struct Bins {
  double low, high;
  int count;
  std::int64_t outside = 0;

  // Share of all scores per bin.
  std::vector<double> shares(std::span<const double> scores) {
    std::vector<double> result(count, 0.0);
    for (const double s : scores) {
      if (!(s >= low && s <= high)) {
        ++outside;
        continue;
      }
      const int bin = static_cast<int>((s - low) / (high - low) * count);
      result[std::min(bin, count - 1)] += 1.0 / static_cast<double>(scores.size());
    }
    return result;
  }
};

Bins choose_bins(const ScoreHistogram& h) {
  std::vector<double> all;
  for (const auto* scores : {&h.normal, &h.anomalous})
    std::ranges::copy_if(*scores, std::back_inserter(all), [](double v) { return std::isfinite(v); });
  if (all.empty()) throw Error(str("plot: score \"", h.name, "\" has no finite values"));
  std::ranges::sort(all);
  const auto quantile = [&](double q) { return all[std::lround(q * static_cast<double>(all.size() - 1))]; };
  Bins bins{all.front(), all.back(), 40, 0};
  const double low = quantile(0.005), high = quantile(0.995);
  if (high > low && bins.high - bins.low > 3 * (high - low)) {
    bins.low = low;
    bins.high = high;
  }
  if (std::isfinite(h.threshold)) {
    bins.low = std::min(bins.low, h.threshold);
    bins.high = std::max(bins.high, h.threshold);
  }
  // Some width also where all scores are equal, and room for the marks at the ends.
  const double margin = bins.high > bins.low ? 0.02 * (bins.high - bins.low) : std::max(1e-3, 0.1 * std::abs(bins.low));
  bins.low -= margin;
  bins.high += margin;
  return bins;
}

void draw_bars(Canvas& canvas, const Axes& axes, const Bins& bins, const std::vector<double>& shares, Color color) {
  std::vector<Point> outline = {{axes.left, axes.bottom}};
  const double width = (axes.right - axes.left) / bins.count;
  for (int i = 0; i < bins.count; ++i) {
    const double x = axes.left + i * width, y = axes.y(shares[i]);
    if (shares[i] > 0) canvas.fill(x, y, x + width, axes.bottom, color, 0.35);
    outline.push_back({x, y});
    outline.push_back({x + width, y});
  }
  outline.push_back({axes.right, axes.bottom});
  canvas.polyline(outline, color, 1.7);
}

void draw_histogram(Canvas& canvas, const ScoreHistogram& h, double left, double top, double width, double height) {
  Bins bins = choose_bins(h);
  const std::vector<double> normal = bins.shares(h.normal), anomalous = bins.shares(h.anomalous);
  const double highest = std::max(std::ranges::max(normal), std::ranges::max(anomalous));
  const Axes axes{left + 78,
                  top + 30,
                  left + width - 22,
                  top + height - 62,
                  bins.low,
                  bins.high,
                  0,
                  std::max(highest * 1.08, 1e-6)};
  gdFontPtr font = gdFontGetLarge();
  draw_axes(canvas, axes, "score", "share of its class", "%.3g");
  draw_bars(canvas, axes, bins, normal, kNormalColor);
  draw_bars(canvas, axes, bins, anomalous, kAnomalousColor);
  if (std::isfinite(h.threshold))
    canvas.line(axes.x(h.threshold), axes.top, axes.x(h.threshold), axes.bottom, kBlack, 1.7, 6);
  const std::string outside = bins.outside > 0 ? str(bins.outside, " outside") : "";
  const double room = axes.right - axes.left - static_cast<double>(outside.size() + 2) * font->w;
  canvas.text(axes.left, top + 9, fitted(h.name, room, font), font);
  canvas.text(axes.right, top + 9, outside, font, kGrey, Align::kRight);
}

}  // namespace

void plot_roc(const std::string& path, const std::string& title, std::span<const RocSeries> series, int width,
              int height) {
  if (series.empty()) throw Error("plot: no ROC curves");
  PGAD_CHECK(width >= 640 && height >= 480, width, "x", height, " pixels");
  Canvas canvas(width, height);
  gdFontPtr font = gdFontGetLarge();
  const double top = 48, bottom = height - 58, left = 82;
  const double side = std::min(bottom - top, width - left - 250);  // the rest is the legend's
  const Axes axes{left, top, left + side, top + side, 0, 1, 0, 1};
  canvas.text(left, 16, fitted(title, width - left, gdFontGetGiant()), gdFontGetGiant());
  draw_axes(canvas, axes, "share of normals rejected (false-positive rate)",
            "share of anomalous found (true-positive rate)", "%.1f");
  canvas.line(axes.x(0), axes.y(0), axes.x(1), axes.y(1), kGrey, 1, 4);

  const double legend = axes.right + 24;
  canvas.text(legend, top, "AUROC", font, kGrey);
  for (size_t i = 0; i < series.size(); ++i) {
    const Color color = kPalette[i % std::size(kPalette)];
    const double dash = i % 3 == 0 ? 0 : i % 3 == 1 ? 9 : 4;
    std::vector<Point> points;
    for (const RocPoint& p : series[i].curve) {
      check_no_nan(series[i].name, std::array{p.false_positive_rate, p.true_positive_rate});
      points.push_back({axes.x(p.false_positive_rate), axes.y(p.true_positive_rate)});
    }
    canvas.polyline(points, color, 2.4, dash);
    const double y = top + 28 + 22.0 * static_cast<double>(i);
    canvas.line(legend, y + font->h / 2.0, legend + 40, y + font->h / 2.0, color, 2.4, dash);
    canvas.text(legend + 50, y, printed("%.4f", series[i].auroc), font);
    canvas.text(legend + 108, y, fitted(series[i].name, width - legend - 112, font), font);
  }
  write_file_atomically(path, canvas.png());
}

void plot_lines(const std::string& path, const std::string& title, const std::string& x_title,
                const std::string& y_title, std::span<const LineSeries> series, bool logarithmic) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  Axes axes{92, 48, 780, 480, kInfinity, -kInfinity, 0, 0};
  for (const LineSeries& s : series)
    for (const LineSeries::Point& p : s.points) {
      check_no_nan(s.name, std::array{p.x, p.y});
      axes.x_low = std::min(axes.x_low, p.x);
      axes.x_high = std::max(axes.x_high, p.x);
      axes.y_high = std::max(axes.y_high, 1.05 * p.y);
    }
  if (!(axes.x_high > axes.x_low)) throw Error("plot: fewer than two places on the x axis");
  if (!(axes.y_high > 0)) axes.y_high = 1;
  axes.logarithmic = logarithmic;
  if (logarithmic) {
    double lowest = axes.y_high;
    for (const LineSeries& s : series)
      for (const LineSeries::Point& p : s.points)
        if (p.y > 0) lowest = std::min(lowest, p.y);
    axes.y_high = std::ceil(std::log10(axes.y_high));
    axes.y_low = std::clamp(std::floor(std::log10(lowest)), axes.y_high - 4, axes.y_high - 1);
  }
  const auto y_of = [&](double value) {
    if (!logarithmic) return axes.y(value);
    return axes.y(value > 0 ? std::max(axes.y_low, std::log10(value)) : axes.y_low);
  };
  const int width = 1000, height = 560;
  Canvas canvas(width, height);
  gdFontPtr font = gdFontGetLarge();
  canvas.text(axes.left, 16, fitted(title, width - axes.left, gdFontGetGiant()), gdFontGetGiant());
  draw_axes(canvas, axes, x_title, y_title, "%.4g");
  for (size_t i = 0; i < series.size(); ++i) {
    const Color color = kPalette[i % std::size(kPalette)];
    const double dash = i % 3 == 0 ? 0 : i % 3 == 1 ? 9 : 4, legend = axes.right + 24;
    std::vector<Point> points;
    for (const LineSeries::Point& p : series[i].points) points.push_back({axes.x(p.x), y_of(p.y)});
    canvas.polyline(points, color, 2.4, dash);
    const double y = axes.top + 28 + 22.0 * static_cast<double>(i);
    canvas.line(legend, y + font->h / 2.0, legend + 40, y + font->h / 2.0, color, 2.4, dash);
    canvas.text(legend + 50, y, fitted(series[i].name, width - legend - 54, font), font);
  }
  write_file_atomically(path, canvas.png());
}

void plot_scatter(const std::string& path, const std::string& title, const std::string& x_title,
                  const std::string& y_title, std::span<const ScatterSeries> series, double x_mark, double y_mark) {
  const int width = 1000, height = 720;
  Axes axes{96, 56, 740, height - 84.0, x_mark, x_mark, y_mark, y_mark};
  const auto finite = [](const LineSeries::Point& p) { return std::isfinite(p.x) && std::isfinite(p.y); };
  // fmin and fmax pass over NaN, where there is no mark.
  for (const ScatterSeries& s : series)
    for (const LineSeries::Point& p : s.points) {
      if (!finite(p)) continue;
      axes.x_low = std::fmin(axes.x_low, p.x), axes.x_high = std::fmax(axes.x_high, p.x);
      axes.y_low = std::fmin(axes.y_low, p.y), axes.y_high = std::fmax(axes.y_high, p.y);
    }
  if (!std::isfinite(axes.x_low + axes.x_high + axes.y_low + axes.y_high))
    throw Error(str("plot: \"", title, "\" has no finite point"));
  const auto widen = [](double& low, double& high) {
    const double margin = high > low ? 0.03 * (high - low) : std::max(1e-3, 0.1 * std::abs(low));
    low -= margin;
    high += margin;
  };
  widen(axes.x_low, axes.x_high);
  widen(axes.y_low, axes.y_high);
  Canvas canvas(width, height);
  gdFontPtr font = gdFontGetLarge();
  canvas.text(axes.left, 16, fitted(title, width - axes.left, gdFontGetGiant()), gdFontGetGiant());
  draw_axes(canvas, axes, fitted(x_title, axes.right - axes.left, font), fitted(y_title, axes.bottom - axes.top, font),
            "%.4g");
  const double legend = axes.right + 20;
  double y = axes.top + 20;
  for (size_t i = 0; i < series.size(); ++i) {
    const Color color = kPalette[i % std::size(kPalette)];
    const double radius = i == 0 ? 2.5 : 3.5;
    std::size_t outside = 0;
    for (const LineSeries::Point& p : series[i].points) {
      outside += !finite(p);
      if (finite(p))
        canvas.fill(axes.x(p.x) - radius, axes.y(p.y) - radius, axes.x(p.x) + radius, axes.y(p.y) + radius, color, 0.6);
    }
    canvas.fill(legend, y + 3, legend + 2 * radius + 4, y + 7 + 2 * radius, color);
    const std::string name =
        str(series[i].name, ": ", series[i].points.size(), outside > 0 ? str(", ", outside, " infinite") : "");
    canvas.text(legend + 20, y, fitted(name, width - legend - 24, font), font);
    y += 22;
  }
  if (std::isfinite(x_mark)) canvas.line(axes.x(x_mark), axes.top, axes.x(x_mark), axes.bottom, kBlack, 1.5, 6);
  if (std::isfinite(y_mark)) canvas.line(axes.left, axes.y(y_mark), axes.right, axes.y(y_mark), kBlack, 1.5, 6);
  if (std::isfinite(x_mark) || std::isfinite(y_mark)) {
    canvas.line(legend, y + font->h / 2.0, legend + 14, y + font->h / 2.0, kBlack, 1.5, 6);
    canvas.text(legend + 20, y, "thresholds", font);
  }
  write_file_atomically(path, canvas.png());
}

void plot_histograms(const std::string& path, const std::string& title, std::span<const ScoreHistogram> scores) {
  if (scores.empty()) throw Error("plot: no scores");
  constexpr double kPanelWidth = 520, kPanelHeight = 330, kHeader = 66;
  const int columns = scores.size() == 1 ? 1 : 2;
  const int rows = (static_cast<int>(scores.size()) + columns - 1) / columns;
  const double scale = scores.size() == 1 ? 1.7 : 1;  // a single panel fills a picture of the usual size
  const int width = static_cast<int>(columns * kPanelWidth * scale);
  const int height = static_cast<int>(kHeader + rows * kPanelHeight * scale);
  Canvas canvas(width, height);
  gdFontPtr font = gdFontGetLarge();
  canvas.text(20, 12, fitted(title, width - 40, gdFontGetGiant()), gdFontGetGiant());

  double x = 20;
  const auto key = [&](const char* name, Color color) {
    canvas.fill(x, 40, x + 22, 53, color, 0.5);
    canvas.text(x + 30, 39, name, font);
    x += 50 + static_cast<double>(std::string_view(name).size()) * font->w;
  };
  key("normal", kNormalColor);
  key("anomalous", kAnomalousColor);
  canvas.line(x, 47, x + 22, 47, kBlack, 1.7, 6);
  canvas.text(x + 30, 39, "threshold", font);

  for (size_t i = 0; i < scores.size(); ++i) {
    check_no_nan(scores[i].name, scores[i].normal);
    check_no_nan(scores[i].name, scores[i].anomalous);
    draw_histogram(canvas, scores[i], static_cast<double>(i % columns) * kPanelWidth * scale,
                   kHeader + static_cast<double>(i / columns) * kPanelHeight * scale, kPanelWidth * scale,
                   kPanelHeight * scale);
  }
  write_file_atomically(path, canvas.png());
}

void plot_pictures(const std::string& path, const std::string& title, std::span<const std::string> rows,
                   std::span<const PictureGroup> groups, int cell) {
  constexpr int kGap = 4, kGroupGap = 24, kTop = 76, kMargin = 16;
  gdFontPtr font = gdFontGetLarge();
  std::size_t longest = 0;
  for (const std::string& row : rows) longest = std::max(longest, row.size());
  const int left = kMargin + static_cast<int>(longest) * font->w + kMargin;
  int width = left;
  for (const PictureGroup& g : groups) width += static_cast<int>(g.columns.size()) * (cell + kGap) + kGroupGap;
  const auto count = static_cast<int>(rows.size());
  Canvas canvas(width, kTop + count * (cell + kGap) + kMargin);
  canvas.text(kMargin, 14, fitted(title, width - 2 * kMargin, gdFontGetGiant()), gdFontGetGiant());
  std::vector<std::unique_ptr<Image>> drawn;  // until the canvas is encoded
  int x = left;
  for (const PictureGroup& g : groups) {
    const int group_width = static_cast<int>(g.columns.size()) * (cell + kGap);
    canvas.text(x, kTop - 24, fitted(g.name, group_width + kGroupGap, font), font);
    for (const std::vector<Image>& column : g.columns) {
      PGAD_CHECK(column.size() == rows.size(), column.size(), " images in a column of ", rows.size(), " rows");
      for (int r = 0; r < count; ++r) {
        const Image& image = column[static_cast<std::size_t>(r)];
        const int longer = std::max(image.height, image.width);
        auto shown = std::make_unique<Image>();
        if (longer <= cell) {
          *shown = upscale_nearest(image, cell / longer);
        } else {
          *shown = {
              std::max(1, image.height * cell / longer), std::max(1, image.width * cell / longer), image.channels, {}};
          shown->pixels = resize(image.pixels, image.height, image.width, image.channels, shown->height, shown->width);
        }
        canvas.paste(x, kTop + r * (cell + kGap), *shown);
        drawn.push_back(std::move(shown));
      }
      x += cell + kGap;
    }
    x += kGroupGap;
  }
  for (int r = 0; r < count; ++r)
    canvas.text(kMargin, kTop + r * (cell + kGap) + (cell - font->h) / 2.0, rows[static_cast<std::size_t>(r)], font);
  write_file_atomically(path, canvas.png());
}

}  // namespace pgad
