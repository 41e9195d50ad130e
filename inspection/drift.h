#pragma once
// Whether the images that come in are still such as the model was calibrated on: a two-sample test of `combined`.

#include <optional>
#include <span>

#include "model/model.h"

namespace pgad {

inline constexpr std::size_t kDriftWindow = 200;  // images, the last ones
inline constexpr std::size_t kLeastDrift = 30;    // and as few; below this nothing is said
// Of a window of normal images from the calibration's distribution, how many are called drifted.
inline constexpr double kDriftErrorRate = 0.001;

struct Drift {
  std::size_t images;  // compared
  double distance;     // Kolmogorov and Smirnov's: the largest difference of the two distribution functions
  double p_value;
  double shift;  // of the median, in spreads of the calibration's normals
  bool significant() const { return p_value < kDriftErrorRate; }
};

// Of the last images that the threshold judges normal, against the held-out normals below it: what lies above may be a
// defect. combined: of images in the order in which they came. Empty where there are too few of either.
std::optional<Drift> drift_of(const Calibration& calibration, double threshold, std::span<const double> combined);

// p-value of the two-sample Kolmogorov-Smirnov distance of m and n values: its limit, with Stephens' (1970) correction
// for few. Ties make it larger than it is.
double kolmogorov_smirnov_p(double distance, std::size_t m, std::size_t n);

}  // namespace pgad
