// The logistic fit against its optimality conditions.

#include "inspection/logistic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "tests/metrics_support.h"

namespace pgad::test {
namespace {

struct Classes {
  std::vector<double> features;  // [n][d]
  Labels anomalous;
};

// Normal features with mean 0, anomalous with the given means; the last two features nearly equal.
Classes random_classes(unsigned seed, int n, std::vector<double> means) {
  std::mt19937 rng(seed);
  std::normal_distribution<double> normal;
  Classes c;
  for (int i = 0; i < n; ++i) {
    c.anomalous.push_back(i % 5 == 0);
    for (size_t j = 0; j < means.size(); ++j) c.features.push_back(normal(rng) + (c.anomalous.back() ? means[j] : 0));
    if (means.size() > 1) c.features.back() = c.features[c.features.size() - 2] + 0.01 * c.features.back();
  }
  return c;
}

TEST(Logistic, GradientIsThatOfTheLoss) {
  const Classes c = random_classes(1, 40, {1, -1, 0.5});
  const std::vector<double> w = {0.3, -0.2, 0.7};
  std::vector<double> gradient;
  logistic_loss(c.features, c.anomalous, 3, 0.1, w, 0.4, &gradient);
  for (int j = 0; j < 4; ++j) {
    std::vector<double> up = w, down = w;
    const double h = 1e-6;
    if (j < 3) {
      up[j] += h;
      down[j] -= h;
    }
    const double slope = (logistic_loss(c.features, c.anomalous, 3, 0.1, up, j < 3 ? 0.4 : 0.4 + h) -
                          logistic_loss(c.features, c.anomalous, 3, 0.1, down, j < 3 ? 0.4 : 0.4 - h)) /
                         (2 * h);
    EXPECT_NEAR(gradient[j], slope, 1e-8) << j;
  }
}

TEST(Logistic, MeetsTheOptimalityConditions) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const int d = 4;
    const Classes c = random_classes(seed, 100, {1.5, -0.8, 0.3, 0.2});
    for (const double l2 : {1e-6, 1e-3, 0.1, 10.0}) {
      for (const bool non_negative : {false, true}) {
        const LogisticFit fit = fit_logistic(c.features, c.anomalous, d, {l2, non_negative, 200});
        std::vector<double> gradient;
        const double best = logistic_loss(c.features, c.anomalous, d, l2, fit.weights, fit.bias, &gradient);
        for (int j = 0; j < d; ++j) {
          EXPECT_TRUE(!non_negative || fit.weights[j] >= 0) << j;
          const bool at_bound = non_negative && fit.weights[j] == 0;
          EXPECT_NEAR(at_bound ? std::min(gradient[j], 0.0) : gradient[j], 0, 1e-9) << j;
        }
        EXPECT_NEAR(gradient[d], 0, 1e-9);
        // No admissible point nearby, or far away, is better: the loss is convex.
        std::mt19937 rng(seed);
        for (int k = 0; k < 20; ++k) {
          std::vector<double> w = fit.weights;
          const double size = std::pow(10.0, -static_cast<double>(rng() % 6));
          for (double& v : w) v += size * std::normal_distribution<double>()(rng);
          if (non_negative)
            for (double& v : w) v = std::max(v, 0.0);
          EXPECT_GE(logistic_loss(c.features, c.anomalous, d, l2, w, fit.bias), best - 1e-14);
        }
      }
    }
  }
}

TEST(Logistic, SeparableClassesStayFinite) {
  const std::vector<double> x = {-2, -1, 1, 2};
  const Labels y = {0, 0, 1, 1};
  double before = 0;
  for (const double l2 : {1.0, 1e-2, 1e-4, 1e-8}) {
    const LogisticFit fit = fit_logistic(x, y, 1, {l2, true, 200});
    EXPECT_TRUE(std::isfinite(fit.weights[0]));
    EXPECT_GT(fit.weights[0], before);
    EXPECT_NEAR(fit.bias, 0, 1e-6);  // symmetric
    EXPECT_GT(fit.logit(std::vector<double>{2.0}), fit.logit(std::vector<double>{1.0}));
    before = fit.weights[0];
  }
  // Far apart and one-sided: everything saturates on the way.
  const LogisticFit far = fit_logistic(std::vector<double>{1000, 1001, 5000, 6000}, y, 1, {1e-3, true, 200});
  EXPECT_TRUE(std::isfinite(far.weights[0]) && std::isfinite(far.bias));
}

TEST(Logistic, BalancedClassesIgnoreTheClassSizes) {
  const std::vector<double> x = {-1, 0, 0.5, 2};
  const Labels y = {0, 0, 1, 1};
  std::vector<double> repeated = {-1, 0};
  Labels labels = {0, 0};
  for (int i = 0; i < 7; ++i) {
    repeated.insert(repeated.end(), {0.5, 2});
    labels.insert(labels.end(), {1, 1});
  }
  const LogisticFit a = fit_logistic(x, y, 1), b = fit_logistic(repeated, labels, 1);
  EXPECT_NEAR(a.weights[0], b.weights[0], 1e-8);
  EXPECT_NEAR(a.bias, b.bias, 1e-8);
}

TEST(Logistic, ConstraintRemovesMisleadingFeatures) {
  const Classes c = random_classes(3, 200, {-2});
  const LogisticFit fit = fit_logistic(c.features, c.anomalous, 1);
  EXPECT_EQ(fit.weights[0], 0);
  EXPECT_NEAR(fit.bias, 0, 1e-9);  // balanced classes, nothing known
  EXPECT_LT(fit_logistic(c.features, c.anomalous, 1, {0.01, false, 200}).weights[0], 0);
}

TEST(Logistic, TheSameAnswerEveryTime) {
  const Classes c = random_classes(4, 100, {1, 0.5, 0.2});
  const LogisticFit a = fit_logistic(c.features, c.anomalous, 3), b = fit_logistic(c.features, c.anomalous, 3);
  EXPECT_EQ(a.weights, b.weights);
  EXPECT_EQ(a.bias, b.bias);
}

// A critic that says the same of every normal has the spread of the floor: an abnormal then lies millions of spreads
// away, and the gradient is a sum of numbers of that size, whose rounding alone may exceed any absolute tolerance.
TEST(Logistic, FeaturesOfAnyScale) {
  const int d = 4;
  for (const double size : {1e-9, 1e-3, 1e3, 1e6, 1e9, 1e12})
    for (const double shift : {0.1, -0.3})  // of the abnormals: all above the normals, or some below
      for (unsigned seed = 0; seed < 20; ++seed) {
        Classes c = random_classes(seed, 100, {1.5, 0.5, 0.3, 0.2});
        std::mt19937 rng(seed);
        for (size_t i = 0; i < c.anomalous.size(); ++i)
          for (const size_t j : {1, 3})
            if (c.anomalous[i])
              c.features[i * d + j] = size * (shift + 1e-4 * static_cast<double>(rng() % 10000));
            else if (j == 1)
              c.features[i * d + j] = 0;
        const LogisticFit fit = fit_logistic(c.features, c.anomalous, d);
        EXPECT_TRUE(fit.converged) << size << " " << seed << ": gradient " << fit.gradient;
        if (size < 1e3 || shift < 0) continue;
        double lowest = kInf, highest = -kInf;  // of the anomalous, of the normal: a gap of 100 spreads and more
        for (size_t i = 0; i < c.anomalous.size(); ++i) {
          const double logit = fit.logit(std::span(c.features).subspan(i * d, d));
          if (c.anomalous[i])
            lowest = std::min(lowest, logit);
          else
            highest = std::max(highest, logit);
        }
        EXPECT_GT(lowest, highest) << size << " " << seed;
      }
}

// Abnormals over twenty powers of ten: the largest are told from the normals at once, the smallest only by a weight
// that saturates all others.
TEST(Logistic, AFeatureOfManyScales) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    Classes c = random_classes(seed, 100, {1.5, 0.5, 0.3, 0.2});
    std::mt19937 rng(seed);
    std::normal_distribution<double> normal;
    for (size_t i = 0; i < c.anomalous.size(); ++i)
      c.features[i * 4 + 1] = c.anomalous[i] ? std::exp(12 * normal(rng)) : 0;
    const LogisticFit fit = fit_logistic(c.features, c.anomalous, 4);
    EXPECT_TRUE(fit.converged) << seed << ": gradient " << fit.gradient;
    EXPECT_LT(fit.iterations, 100) << seed;
  }
}

// Scaling a feature by a power of two, and its ridge with it, changes nothing: to the bit.
TEST(Logistic, ScaleDoesNotMatterWhereTheRidgeFollows) {
  Classes c = random_classes(7, 100, {1.5});
  const LogisticFit a = fit_logistic(c.features, c.anomalous, 1, {0.01, true, 200});
  const double size = 1 << 20;
  for (double& x : c.features) x *= size;
  const LogisticFit b = fit_logistic(c.features, c.anomalous, 1, {0.01 * size * size, true, 200});
  EXPECT_TRUE(a.converged && b.converged);
  EXPECT_EQ(a.weights[0], b.weights[0] * size);
  EXPECT_EQ(a.bias, b.bias);
}

TEST(Logistic, GivesItsBestPointWhereItDoesNotConverge) {
  const Classes c = random_classes(5, 100, {1.5, 0.5});
  double before = std::log(2.0);  // the loss at zero
  for (const int iterations : {1, 2, 3}) {
    const LogisticFit fit = fit_logistic(c.features, c.anomalous, 2, {1e-6, true, iterations});
    EXPECT_FALSE(fit.converged);
    EXPECT_EQ(fit.iterations, iterations);
    const double loss = logistic_loss(c.features, c.anomalous, 2, 1e-6, fit.weights, fit.bias);
    EXPECT_LT(loss, before);
    before = loss;
  }
}

TEST(Logistic, BadInput) {
  const std::vector<double> x = {1, 2};
  expect_error([&] { fit_logistic(x, Labels{0, 0}, 1); }, "no anomalous");
  expect_error([&] { fit_logistic(x, Labels{1, 1}, 1); }, "no normal");
  expect_error([&] { fit_logistic(std::vector<double>{1, kNaN}, Labels{0, 1}, 1); }, "feature 0 of example 1");
  expect_error([&] { fit_logistic(x, Labels{0, 1}, 1, {0.0, true, 200}); }, "l2 0");
  expect_error([&] { fit_logistic(x, Labels{0, 1}, 2); }, "2 features");
}

}  // namespace
}  // namespace pgad::test
