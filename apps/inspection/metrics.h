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
  Ranking(std::span<const T> scores, std::span<const std::uint8_t> anomalous);

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
  struct Level {
    T score;
    std::int64_t normals, anomalies;  // with a score >= this one
  };
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

// Area under the per-region-overlap curve: at each threshold the share found of each defect region
// (8-connected), averaged over regions whatever their size, against the share of normal pixels rejected;
// integrated from 0 to `fpr_limit` (trapezoids) and divided by it. maps and masks are [n][h][w]. Needs at
// least one region and one normal pixel over all images.
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
