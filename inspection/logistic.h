#pragma once
// Logistic regression for the `combined` score: few features (the score terms, standardised by the caller),
// some hundred examples, a unique and reproducible answer.

#include <cstdint>
#include <span>
#include <vector>

namespace pgad {

struct LogisticOptions {
  double l2 = 0.01;  // weight of |w|^2 / 2 beside the mean loss; > 0, so that separable classes stay finite
  // Weights >= 0. Every score term grows with abnormality: a negative weight would fit noise.
  bool non_negative = true;
  int max_iterations = 200;
};

struct LogisticFit {
  std::vector<double> weights;
  double bias = 0;
  int iterations = 0;
  // Largest component at the end, of those that the constraint lets move; each in units of its feature's scale,
  // sum_i c_i |x_ij|, which bounds what the examples can make of it.
  double gradient = 0;
  bool converged = false;  // else the best point found: no step from it lowered the loss, or max_iterations were taken

  // Log-odds of being anomalous at equal class frequencies.
  double logit(std::span<const double> features) const;
};

// Minimises  sum_i c_i log(1 + exp(-y_i (w x_i + b))) + l2/2 |w|^2,  y = +1 for anomalous and -1 for normal,
// each class weighing one half in total (c_i = 1 / (2 * size of its class)), the bias not regularised.
// features: [n][d], row-major, of any scale. Newton's method: each step minimises the quadratic model under the
// constraint, then searches along the line to that minimum; deterministic. The loss never rises (but for rounding), so
// the last point is the best one. Throws Error on a missing class, non-finite features and l2 <= 0.
LogisticFit fit_logistic(std::span<const double> features, std::span<const std::uint8_t> anomalous, int d,
                         const LogisticOptions& options = {});

// The loss above and its gradient with respect to (w, b), [d + 1]: for tests and reports.
double logistic_loss(std::span<const double> features, std::span<const std::uint8_t> anomalous, int d, double l2,
                     std::span<const double> weights, double bias, std::vector<double>* gradient = nullptr);

}  // namespace pgad
