#include "inspection/logistic.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/check.h"

namespace pgad {
namespace {

constexpr double kTolerance = 1e-10;  // of the largest gradient component, relative to its feature's scale

// log(1 + exp(v)) without overflow.
double softplus(double v) { return std::max(v, 0.0) + std::log1p(std::exp(-std::abs(v))); }
// 1 / (1 + exp(-v)) without overflow.
double sigmoid(double v) {
  const double e = std::exp(-std::abs(v));
  return v >= 0 ? 1 / (1 + e) : e / (1 + e);
}

struct Problem {
  std::span<const double> features;  // [n][d]
  std::span<const std::uint8_t> anomalous;
  int d;
  std::vector<double> l2;                        // of each weight
  double weight_of_normal, weight_of_anomalous;  // c_i

  Problem(std::span<const double> x, std::span<const std::uint8_t> labels, int dimension, double ridge)
      : features(x), anomalous(labels), d(dimension) {
    PGAD_CHECK(d >= 1 && x.size() == labels.size() * static_cast<size_t>(d), x.size(), " features for ", labels.size(),
               " labels of ", d);
    const auto anomalies = std::ranges::count_if(labels, [](std::uint8_t a) { return a != 0; });
    const auto normals = std::ssize(labels) - anomalies;
    if (normals == 0) throw Error("logistic fit: no normal example");
    if (anomalies == 0) throw Error("logistic fit: no anomalous example");
    l2.assign(static_cast<size_t>(d), ridge);
    weight_of_normal = 0.5 / static_cast<double>(normals);
    weight_of_anomalous = 0.5 / static_cast<double>(anomalies);
  }

  size_t n() const { return anomalous.size(); }
  double margin(std::span<const double> theta, size_t i) const {  // theta = (w, b)
    const double* x = &features[i * d];
    return std::inner_product(x, x + d, theta.begin(), theta[d]);
  }

  // Loss; gradient [d + 1] and Hessian [d + 1][d + 1] where asked for.
  double evaluate(std::span<const double> theta, std::vector<double>* gradient, std::vector<double>* hessian) const {
    const int m = d + 1;
    double loss = 0;
    if (gradient) gradient->assign(m, 0.0);
    if (hessian) hessian->assign(m * m, 0.0);
    for (size_t i = 0; i < n(); ++i) {
      const double y = anomalous[i] ? 1 : -1;
      const double c = anomalous[i] ? weight_of_anomalous : weight_of_normal;
      const double v = margin(theta, i);
      loss += c * softplus(-y * v);
      const double wrong = sigmoid(-y * v);
      const auto x = [&](int j) { return j < d ? features[i * d + j] : 1.0; };
      if (gradient)
        for (int j = 0; j < m; ++j) (*gradient)[j] -= c * y * wrong * x(j);
      if (hessian)
        for (int j = 0; j < m; ++j)
          for (int k = 0; k < m; ++k) (*hessian)[j * m + k] += c * wrong * (1 - wrong) * x(j) * x(k);
    }
    for (int j = 0; j < d; ++j) {
      loss += l2[j] / 2 * theta[j] * theta[j];
      if (gradient) (*gradient)[j] += l2[j] * theta[j];
      if (hessian) (*hessian)[j * m + j] += l2[j];
    }
    return loss;
  }
};

// The minimum of the quadratic model  gradient (z - theta) + (z - theta) H (z - theta) / 2, weights >= 0
// where asked for, by coordinate descent: exact enough after few sweeps in so few dimensions, and it meets
// bounds exactly.
std::vector<double> minimum_of_model(const std::vector<double>& theta, const std::vector<double>& gradient,
                                     const std::vector<double>& hessian, bool non_negative) {
  constexpr int kMaxSweeps = 10000;
  constexpr double kSmallMove = 1e-14;
  const int m = static_cast<int>(theta.size());
  std::vector<double> z = theta;
  std::vector<double> slope = gradient;  // of the model at z
  for (int sweep = 0; sweep < kMaxSweeps; ++sweep) {
    double largest = 0;
    for (int j = 0; j < m; ++j) {
      // The bias alone has no l2: where all examples are saturated its curvature can vanish. (A weight's may be as
      // small as its l2, in the units of a feature that spans many powers of ten, and must not be enlarged: steps would
      // be short.)
      const double curvature = j < m - 1 ? hessian[j * m + j] : std::max(hessian[j * m + j], 1e-14);
      double to = z[j] - slope[j] / curvature;
      if (non_negative && j < m - 1) to = std::max(to, 0.0);
      const double move = to - z[j];
      z[j] = to;
      for (int k = 0; k < m; ++k) slope[k] += hessian[k * m + j] * move;
      largest = std::max(largest, std::abs(move) / (1 + std::abs(to)));
    }
    if (largest <= kSmallMove) break;
  }
  return z;
}

}  // namespace

double LogisticFit::logit(std::span<const double> features) const {
  PGAD_CHECK(features.size() == weights.size(), features.size(), " features for ", weights.size(), " weights");
  return std::inner_product(features.begin(), features.end(), weights.begin(), bias);
}

double logistic_loss(std::span<const double> features, std::span<const std::uint8_t> anomalous, int d, double l2,
                     std::span<const double> weights, double bias, std::vector<double>* gradient) {
  const Problem problem(features, anomalous, d, l2);
  std::vector<double> theta(weights.begin(), weights.end());
  theta.push_back(bias);
  return problem.evaluate(theta, gradient, nullptr);
}

LogisticFit fit_logistic(std::span<const double> features, std::span<const std::uint8_t> anomalous, int d,
                         const LogisticOptions& options) {
  if (!(options.l2 > 0 && std::isfinite(options.l2)))
    throw Error(str("logistic fit: l2 ", options.l2, ", expected a number > 0"));
  for (size_t i = 0; i < features.size(); ++i)
    if (!std::isfinite(features[i]))
      throw Error(str("logistic fit: feature ", i % d, " of example ", i / d, " is not finite"));
  // The same problem in features of scale 1, weights w_j scale_j and ridges l2 / scale_j^2: tolerances then mean the
  // same for every feature, and rounding does not grow with their size.
  Problem problem(features, anomalous, d, options.l2);
  std::vector<double> scale(d, 0.0), scaled(features.begin(), features.end());
  for (size_t i = 0; i < features.size(); ++i)
    scale[i % d] += (anomalous[i / d] ? problem.weight_of_anomalous : problem.weight_of_normal) * std::abs(features[i]);
  for (int j = 0; j < d; ++j) {
    if (scale[j] == 0) scale[j] = 1;  // zero throughout: its weight stays 0
    problem.l2[j] /= scale[j] * scale[j];
  }
  for (size_t i = 0; i < scaled.size(); ++i) scaled[i] /= scale[i % d];
  problem.features = scaled;

  std::vector<double> theta(d + 1, 0.0), gradient, hessian;
  LogisticFit fit;
  for (;; ++fit.iterations) {
    const double loss = problem.evaluate(theta, &gradient, &hessian);
    fit.gradient = 0;
    for (int j = 0; j <= d; ++j) {
      const bool held = options.non_negative && j < d && theta[j] == 0 && gradient[j] > 0;  // against its bound
      if (!held) fit.gradient = std::max(fit.gradient, std::abs(gradient[j]));
    }
    fit.converged = fit.gradient <= kTolerance;
    if (fit.converged || fit.iterations == options.max_iterations) break;

    // Between two admissible points all points are admissible, so the line search needs no projection.
    const std::vector<double> target = minimum_of_model(theta, gradient, hessian, options.non_negative);
    double slope = 0;
    for (int j = 0; j <= d; ++j) slope += gradient[j] * (target[j] - theta[j]);
    std::vector<double> next = target;
    double t = 1;
    // The last term: rounding of the loss hides the smallest decreases.
    while (!(problem.evaluate(next, nullptr, nullptr) <= loss + 1e-4 * t * slope + 1e-15) && t > 1e-12) {
      t /= 2;
      for (int j = 0; j <= d; ++j) next[j] = theta[j] + t * (target[j] - theta[j]);
    }
    if (t <= 1e-12) break;
    theta = std::move(next);
  }
  for (int j = 0; j < d; ++j) fit.weights.push_back(theta[j] / scale[j]);
  fit.bias = theta.back();
  return fit;
}

}  // namespace pgad
