#pragma once
// How well scores separate anomalous from normal, per image or per pixel. Pure functions, O(n log n).
//
// Positive class: anomalous; a higher score means more anomalous; at a threshold t, score > t is rejected,
// score <= t accepted, everywhere. `anomalous` holds 0 or 1 (any non-zero) per score. All functions throw
// Error on a NaN score, on spans of different lengths, and when a class they need has no example, naming it.
// Infinite scores are allowed.

#include <cstdint>
#include <span>
#include <vector>

namespace pgad {

// Which class counts as found: anomalous, or the inlier (the convention of Caltech-256's published table).
enum class PositiveClass { kAnomalous, kInlier };

struct RocPoint {
  double false_positive_rate;  // share of normals rejected
  double true_positive_rate;   // share of anomalous rejected
  double threshold;            // these rates hold for score > threshold
};

struct BestF1 {
  double f1;
  double threshold;  // halfway to the next lower score, so that new scores have room
};

// Scores sorted once, for several figures of the same data. Holds one entry per distinct score; T is float or
// double.
template <class T>
class Ranking {
 public:
  struct Level {
    T score;
    std::int64_t normals, anomalies;  // with a score >= this one
  };

  Ranking(std::span<const T> scores, std::span<const std::uint8_t> anomalous);
  // levels: descending scores, growing counts.
  explicit Ranking(std::vector<Level> levels);

  // Probability that an anomalous score lies above a normal one, ties counting one half.
  double auroc() const;
  // Sum over distinct thresholds of precision * (increase of recall): no interpolation.
  double average_precision() const;
  double f1_at(double threshold, PositiveClass positive = PositiveClass::kAnomalous) const;
  BestF1 best_f1(PositiveClass positive = PositiveClass::kAnomalous) const;
  // From (0,0) to (1,1); points inside a straight piece are left out.
  std::vector<RocPoint> roc_curve() const;

  std::int64_t normals() const { return normals_; }
  std::int64_t anomalies() const { return anomalies_; }

 private:
  // What lies between level i - 1 and level i (from the top), as a threshold that rejects the first i levels.
  double threshold_above(size_t i) const;

  std::vector<Level> levels_;  // descending score
  std::int64_t normals_ = 0, anomalies_ = 0;
};

double auroc(std::span<const double> scores, std::span<const std::uint8_t> anomalous);
double auroc(std::span<const float> scores, std::span<const std::uint8_t> anomalous);
double average_precision(std::span<const double> scores, std::span<const std::uint8_t> anomalous);
double average_precision(std::span<const float> scores, std::span<const std::uint8_t> anomalous);
double f1_at(std::span<const double> scores, std::span<const std::uint8_t> anomalous, double threshold,
             PositiveClass positive = PositiveClass::kAnomalous);
BestF1 best_f1(std::span<const double> scores, std::span<const std::uint8_t> anomalous,
               PositiveClass positive = PositiveClass::kAnomalous);
std::vector<RocPoint> roc_curve(std::span<const double> scores, std::span<const std::uint8_t> anomalous);

// Share of the normals above the threshold; needs no anomalous example.
double false_reject_rate(std::span<const double> scores, std::span<const std::uint8_t> anomalous, double threshold);
// Share of the anomalous at or below the threshold; needs no normal example.
double miss_rate(std::span<const double> scores, std::span<const std::uint8_t> anomalous, double threshold);

// 8-connected components of the non-zero pixels of a mask [h][w]: labels 1..count, 0 elsewhere.
struct Components {
  std::vector<std::int32_t> labels;
  int count = 0;
};
Components connected_components(std::span<const std::uint8_t> mask, int h, int w);

// Figures over the pixels of many maps in constant memory, 51 MB at most for maps of 1024x1024 (measured): maps are
// added one by one and counted by value. Up to 2^18 different values are all told apart, and the figures are exact.
// Beyond, values are put together whose 32 bits agree but for the lowest few, never more than 14 of them: bins of a
// relative width of at most 2^-9, in practice about 2^-14 (values over ten octaves). Values of one bin count as tied.
// So AUROC is off by at most half the sum over bins of (share of the normal pixels) * (share of the anomalous pixels)
// in it; the same holds of AUPRO with a region's shares in place of the pixels' and a factor 1 / fpr_limit; and on a
// smooth distribution the error is of second order in the bins' width (below 1e-6 in the tests). The order of the maps
// does not matter.
class PixelHistogram {
 public:
  // map [h][w]; mask: of its size, non-zero where anomalous, or empty: all normal. Throws Error on a NaN.
  void add(std::span<const float> map, std::span<const std::uint8_t> mask, int h, int w);
  // All maps of another.
  void add(const PixelHistogram& other);

  // For AUROC, average precision and F1. Throws Error unless both kinds of pixels were added.
  Ranking<float> ranking() const;
  // Area under the per-region-overlap curve: at each threshold the share found of each defect region (8-connected),
  // averaged over regions whatever their size, against the share of normal pixels rejected; integrated from 0 to
  // `fpr_limit` (trapezoids) and divided by it. Throws Error unless there are a region and a normal pixel.
  double aupro(double fpr_limit = 0.3) const;

  bool any_anomalous() const { return regions_ > 0; }
  int dropped_bits() const { return shift_; }  // of a value's 32; 0: all figures are exact

 private:
  struct Bin {
    std::uint32_t key;                // of its lowest value
    std::int64_t normals, anomalies;  // pixels
    double overlap;                   // sum over its anomalous pixels of 1 / area of the pixel's region
  };
  void merge() const;

  // Ascending keys; recent_ in any order, with equal keys. Reading merges them.
  mutable std::vector<Bin> bins_, recent_;
  mutable int shift_ = 0;
  std::int64_t regions_ = 0, normals_ = 0, anomalies_ = 0;
};

// PixelHistogram::aupro() of maps and masks [n][h][w].
double aupro(std::span<const float> maps, std::span<const std::uint8_t> masks, int n, int h, int w,
             double fpr_limit = 0.3);

// A threshold from held-out normals.
struct Threshold {
  double value;
  // 95 % confidence interval of the true quantile, from order statistics: holds for any distribution of
  // scores (level >= 95 % where scores tie). An end is infinite where `count` normals cannot bound it on that
  // side.
  double low, high;
  double false_reject_rate;  // share of these normals above `value`
  int count;                 // normals it was taken from

  // Whether it is a ground for decisions at all: with no lower end any normal image may lie above it.
  bool decides() const;
};

// Scores from which quantile_threshold's interval at this rate has both ends. Throws Error on a rate outside (0, 1).
int scores_needed(double false_reject_rate);

// The ceil((count + 1)(1 - rate))-th smallest score: a new normal image is rejected with probability <= rate,
// averaged over calibration sets of this size. With fewer than 1/rate - 1 normals no finite threshold
// promises that; then it is their maximum, which rejects a new normal with probability 1/(count + 1). Throws
// Error on no scores, a NaN, or a rate outside (0, 1).
Threshold quantile_threshold(std::span<const double> normal_scores, double false_reject_rate);

}  // namespace pgad
