#include "inspection/drift.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace pgad {
namespace {

// Both sorted.
double distance_of(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = 0;
  for (std::size_t i = 0, k = 0; i < a.size() && k < b.size();) {
    const double at = std::min(a[i], b[k]);
    while (i < a.size() && a[i] == at) ++i;
    while (k < b.size() && b[k] == at) ++k;
    largest = std::max(largest, std::abs(static_cast<double>(i) / static_cast<double>(a.size()) -
                                         static_cast<double>(k) / static_cast<double>(b.size())));
  }
  return largest;
}

double median_of(const std::vector<double>& sorted) {
  return 0.5 * (sorted[(sorted.size() - 1) / 2] + sorted[sorted.size() / 2]);
}

double spread_of(const std::vector<double>& values) {
  double mean = 0, square = 0;
  const auto n = static_cast<double>(values.size());
  for (const double v : values) mean += v / n;
  for (const double v : values) square += (v - mean) * (v - mean) / n;
  return std::sqrt(square);
}

}  // namespace

double kolmogorov_smirnov_p(double distance, std::size_t m, std::size_t n) {
  const double root = std::sqrt(static_cast<double>(m) * static_cast<double>(n) / static_cast<double>(m + n));
  const double lambda = (root + 0.12 + 0.11 / root) * distance;
  if (lambda < 0.3) return 1;  // to nine digits; the series converges slowly there
  double sum = 0;
  for (int k = 1; k <= 100; ++k) {
    const double term = 2 * (k % 2 == 1 ? 1 : -1) * std::exp(-2.0 * k * k * lambda * lambda);
    sum += term;
    if (std::abs(term) < 1e-12) break;
  }
  return std::clamp(sum, 0.0, 1.0);
}

std::optional<Drift> drift_of(const Calibration& c, double threshold, std::span<const double> combined) {
  const auto normal = [&](double v) { return std::isfinite(v) && !(v > threshold); };
  std::vector<double> before, now;
  std::ranges::copy_if(c.normal_combined, std::back_inserter(before), normal);
  for (std::size_t i = combined.size(); i > 0 && now.size() < kDriftWindow; --i)
    if (normal(combined[i - 1])) now.push_back(combined[i - 1]);
  if (before.size() < kLeastDrift || now.size() < kLeastDrift) return std::nullopt;
  std::ranges::sort(before);
  std::ranges::sort(now);
  const double distance = distance_of(before, now), spread = spread_of(before);
  return Drift{now.size(), distance, kolmogorov_smirnov_p(distance, before.size(), now.size()),
               spread > 0 ? (median_of(now) - median_of(before)) / spread : 0};
}

}  // namespace pgad
