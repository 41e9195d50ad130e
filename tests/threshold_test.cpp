// Thresholds from held-out normals, against order statistics computed by hand and against simulation.

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "inspection/metrics.h"
#include "tests/metrics_support.h"

namespace pgad::test {
namespace {

TEST(QuantileThreshold, ByHand) {
  Scores scores(99);
  std::iota(scores.begin(), scores.end(), 1.0);  // 1..99
  std::ranges::shuffle(scores, std::mt19937(1));
  const Threshold t = quantile_threshold(scores, 0.05);
  EXPECT_EQ(t.value, 95);  // (99 + 1) * 0.95, exactly
  EXPECT_EQ(t.count, 99);
  EXPECT_NEAR(t.false_reject_rate, 4.0 / 99, 1e-15);
  EXPECT_EQ(t.low, 89);
  EXPECT_EQ(t.high, 99);  // P(K <= 97) = 0.961, P(K <= 98) = 0.994
  // The median of 10: (s_2, s_9) is the textbook's 95 % interval.
  const Threshold median = quantile_threshold(Scores{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 0.5);
  EXPECT_EQ(median.low, 2);
  EXPECT_EQ(median.high, 9);
}

TEST(QuantileThreshold, SmallSamples) {
  const Threshold few = quantile_threshold(Scores{3, 1, 2}, 0.05);
  EXPECT_EQ(few.value, 3);
  EXPECT_EQ(few.false_reject_rate, 0);
  EXPECT_EQ(few.high, kInf);
  EXPECT_EQ(few.low, 2);  // P(K <= 1) = 0.0073, P(K <= 2) = 0.14
  const Threshold one = quantile_threshold(Scores{7}, 0.5);
  EXPECT_EQ(one.value, 7);
  EXPECT_EQ(one.low, -kInf);
  EXPECT_EQ(one.high, kInf);
  EXPECT_EQ(quantile_threshold(Scores(50, 2.0), 0.05).false_reject_rate, 0);  // all tied: none above
}

TEST(QuantileThreshold, BadInput) {
  expect_error([] { quantile_threshold(Scores{}, 0.05); }, "no held-out normal");
  expect_error([] { quantile_threshold(Scores{1, kNaN}, 0.05); }, "NaN");
  for (const double rate : {0.0, 1.0, -0.1, kNaN})
    expect_error([&] { quantile_threshold(Scores{1}, rate); }, "false-reject rate");
}

TEST(QuantileThreshold, KeepsItsPromises) {
  std::mt19937 rng(11);
  for (const auto& [n, rate] : {std::pair{25, 0.1}, std::pair{200, 0.05}, std::pair{1000, 0.01}}) {
    const int trials = 1000;
    int covered = 0;
    double rejected = 0;
    for (int trial = 0; trial < trials; ++trial) {
      Scores scores(n);
      for (double& s : scores) s = std::uniform_real_distribution<double>(0, 1)(rng);
      const Threshold t = quantile_threshold(scores, rate);
      rejected += 1 - t.value;  // the chance that a new uniform score lies above it
      covered += t.low <= 1 - rate && 1 - rate <= t.high;
      EXPECT_LE(t.low, t.value);
      EXPECT_LE(t.value, t.high);
    }
    EXPECT_LT(rejected / trials, rate * 1.03) << n;
    EXPECT_GT(rejected / trials, rate * 0.6) << n;
    EXPECT_GT(covered, 0.94 * trials) << n;
  }
}

}  // namespace
}  // namespace pgad::test
