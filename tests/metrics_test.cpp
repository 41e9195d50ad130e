// Metrics per image against values computed by hand and against the definitions, counted out in O(n^2) on random data
// with ties.

#include "inspection/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <set>

#include "tests/metrics_support.h"

namespace pgad::test {
namespace {

struct Sample {
  Scores scores;
  Labels anomalous;
};

// Scores from few values, so that many tie, within and across the classes; both classes occur.
Sample random_sample(std::mt19937& rng, int n, int distinct) {
  Sample s;
  for (int i = 0; i < n; ++i) {
    const bool anomalous = i == 0 || (i > 1 && rng() % 3 == 0);
    s.anomalous.push_back(anomalous);
    s.scores.push_back(static_cast<double>(rng() % distinct) + (anomalous ? distinct / 4 : 0) - 3.0);
  }
  return s;
}

struct Counts {
  double tp = 0, fp = 0, fn = 0, tn = 0;  // positive: anomalous
};
Counts count(const Sample& s, double threshold) {
  Counts c;
  for (size_t i = 0; i < s.scores.size(); ++i) {
    const bool rejected = s.scores[i] > threshold;
    (s.anomalous[i] ? (rejected ? c.tp : c.fn) : (rejected ? c.fp : c.tn)) += 1;
  }
  return c;
}

double auroc_by_pairs(const Sample& s) {
  double wins = 0, pairs = 0;
  for (size_t i = 0; i < s.scores.size(); ++i)
    for (size_t j = 0; j < s.scores.size(); ++j)
      if (s.anomalous[i] && !s.anomalous[j]) {
        wins += s.scores[i] > s.scores[j] ? 1 : s.scores[i] == s.scores[j] ? 0.5 : 0;
        pairs += 1;
      }
  return wins / pairs;
}

double average_precision_by_thresholds(const Sample& s) {
  double sum = 0, recall = 0;
  std::set<double, std::greater<>> thresholds(s.scores.begin(), s.scores.end());
  for (const double t : thresholds) {
    const Counts c = count(s, std::nextafter(t, -kInf));  // score >= t
    sum += (c.tp / (c.tp + c.fn) - recall) * c.tp / (c.tp + c.fp);
    recall = c.tp / (c.tp + c.fn);
  }
  return sum;
}

double f1_by_counts(const Sample& s, double threshold, PositiveClass positive) {
  const Counts c = count(s, threshold);
  const double tp = positive == PositiveClass::kAnomalous ? c.tp : c.tn;
  return tp == 0 ? 0 : 2 * tp / (2 * tp + c.fp + c.fn);
}

TEST(Auroc, ByHand) {
  EXPECT_EQ(auroc(Scores{1, 2, 3, 4}, Labels{0, 0, 1, 1}), 1.0);
  EXPECT_EQ(auroc(Scores{1, 2, 3, 4}, Labels{1, 1, 0, 0}), 0.0);
  EXPECT_EQ(auroc(Scores{7, 7, 7}, Labels{0, 1, 0}), 0.5);
  EXPECT_EQ(auroc(Scores{0.1, 0.4, 0.35, 0.8}, Labels{0, 0, 1, 1}), 0.75);
  // Pairs (1,1): half, (1,0): won, (2,1): won, (2,0): won.
  EXPECT_EQ(auroc(Scores{1, 2, 1, 0}, Labels{1, 1, 0, 0}), 3.5 / 4);
  EXPECT_EQ(auroc(std::vector<float>{-1, 2, 1, 0}, Labels{1, 1, 0, 0}), 0.5);
  EXPECT_EQ(auroc(Scores{-kInf, kInf}, Labels{0, 1}), 1.0);
}

TEST(AveragePrecision, ByHand) {
  EXPECT_EQ(average_precision(Scores{1, 2, 3, 4}, Labels{0, 0, 1, 1}), 1.0);
  // From the top: hit (1/1), miss, hit (2/3).
  EXPECT_NEAR(average_precision(Scores{0.1, 0.4, 0.35, 0.8}, Labels{0, 0, 1, 1}), 0.5 * 1 + 0.5 * 2 / 3, 1e-15);
  // All tied: one threshold, the share of anomalies.
  EXPECT_EQ(average_precision(Scores{7, 7, 7, 7}, Labels{0, 1, 0, 0}), 0.25);
}

TEST(F1, ByHand) {
  const Scores scores = {1, 2, 3, 4, 5};
  const Labels labels = {0, 0, 1, 0, 1};
  EXPECT_NEAR(f1_at(scores, labels, 2.5), 2.0 * 2 / (2 * 2 + 1 + 0), 1e-15);
  EXPECT_NEAR(f1_at(scores, labels, 3), 2.0 * 1 / (2 * 1 + 1 + 1),
              1e-15);  // a score equal to the threshold is accepted
  EXPECT_EQ(f1_at(scores, labels, 5), 0.0);
  EXPECT_NEAR(f1_at(scores, labels, 2.5, PositiveClass::kInlier), 2.0 * 2 / (2 * 2 + 0 + 1), 1e-15);
  // "Everything is an inlier" at equal class sizes.
  EXPECT_NEAR(f1_at(Scores{1, 2, 3, 4}, Labels{0, 1, 0, 1}, 9, PositiveClass::kInlier), 2.0 / 3, 1e-15);
  const BestF1 best = best_f1(scores, labels);
  EXPECT_NEAR(best.f1, 0.8, 1e-15);
  EXPECT_EQ(best.threshold, 2.5);
}

TEST(BestF1, ThresholdsBetweenNeighbouringNumbers) {
  const double one = 1, next = std::nextafter(1.0, 2.0);
  for (const auto& [lower, upper] :
       {std::pair{one, next}, std::pair{-kInf, kInf}, std::pair{0.0, kInf}, std::pair{-1.7e308, 1.7e308}}) {
    const Scores scores = {lower, upper};
    const BestF1 best = best_f1(scores, Labels{0, 1});
    EXPECT_EQ(best.f1, 1.0);
    EXPECT_EQ(f1_at(scores, Labels{0, 1}, best.threshold), 1.0) << lower << " " << upper << " " << best.threshold;
  }
}

TEST(Rates, ByHand) {
  const Scores scores = {1, 2, 3, 4, 5};
  const Labels labels = {0, 0, 1, 0, 1};
  EXPECT_EQ(false_reject_rate(scores, labels, 2), 1.0 / 3);
  EXPECT_EQ(miss_rate(scores, labels, 3), 0.5);
  EXPECT_EQ(false_reject_rate(Scores{1}, Labels{0}, 0), 1.0);
  EXPECT_EQ(miss_rate(Scores{1}, Labels{1}, 1), 1.0);
}

TEST(RocCurve, ByHand) {
  const std::vector<RocPoint> curve = roc_curve(Scores{1, 2, 3, 4, 5}, Labels{0, 0, 1, 0, 1});
  ASSERT_EQ(curve.size(),
            5u);  // (0,0) (0,1/2) (1/3,1/2) (1/3,1) (1,1): the point at (2/3,1) is on a straight piece
  const double x[] = {0, 0, 1.0 / 3, 1.0 / 3, 1}, y[] = {0, 0.5, 0.5, 1, 1}, t[] = {5, 4.5, 3.5, 2.5};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(curve[i].false_positive_rate, x[i]);
    EXPECT_EQ(curve[i].true_positive_rate, y[i]);
    if (i < 4) {
      EXPECT_EQ(curve[i].threshold, t[i]);
    }
  }
  EXPECT_LT(curve[4].threshold, 1.0);
}

TEST(Metrics, AgainstTheDefinitionsOnRandomDataWithTies) {
  std::mt19937 rng(1);
  for (int trial = 0; trial < 300; ++trial) {
    const Sample s = random_sample(rng, 2 + static_cast<int>(rng() % 60), 1 + static_cast<int>(rng() % 30));
    const Ranking<double> ranking(s.scores, s.anomalous);
    EXPECT_NEAR(ranking.auroc(), auroc_by_pairs(s), 1e-12);
    EXPECT_NEAR(ranking.average_precision(), average_precision_by_thresholds(s), 1e-12);
    const std::vector<float> floats(s.scores.begin(), s.scores.end());
    EXPECT_EQ(auroc(floats, s.anomalous), ranking.auroc());
    EXPECT_EQ(average_precision(floats, s.anomalous), ranking.average_precision());

    for (const PositiveClass positive : {PositiveClass::kAnomalous, PositiveClass::kInlier}) {
      double best = 0;
      for (double t = -5; t < 50; t += 0.5) {
        const double f1 = f1_by_counts(s, t, positive);
        EXPECT_NEAR(ranking.f1_at(t, positive), f1, 1e-12);
        best = std::max(best, f1);
      }
      const BestF1 found = ranking.best_f1(positive);
      EXPECT_NEAR(found.f1, best, 1e-12);
      EXPECT_NEAR(f1_by_counts(s, found.threshold, positive), best, 1e-12);
    }

    double area = 0;
    const std::vector<RocPoint> curve = ranking.roc_curve();
    for (size_t i = 0; i < curve.size(); ++i) {
      const Counts c = count(s, curve[i].threshold);
      EXPECT_NEAR(curve[i].false_positive_rate, c.fp / (c.fp + c.tn), 1e-12);
      EXPECT_NEAR(curve[i].true_positive_rate, c.tp / (c.tp + c.fn), 1e-12);
      EXPECT_NEAR(false_reject_rate(s.scores, s.anomalous, curve[i].threshold), curve[i].false_positive_rate, 1e-12);
      EXPECT_NEAR(miss_rate(s.scores, s.anomalous, curve[i].threshold), 1 - curve[i].true_positive_rate, 1e-12);
      if (i > 0)
        area += (curve[i].false_positive_rate - curve[i - 1].false_positive_rate) *
                (curve[i].true_positive_rate + curve[i - 1].true_positive_rate) / 2;
    }
    EXPECT_NEAR(area, ranking.auroc(), 1e-12);
    EXPECT_EQ(curve.front().false_positive_rate + curve.front().true_positive_rate, 0);
    EXPECT_EQ(curve.back().false_positive_rate + curve.back().true_positive_rate, 2);
  }
}

TEST(Metrics, ManyPixels) {
  std::mt19937 rng(3);
  std::vector<float> scores(1 << 18);
  Labels labels(scores.size());
  for (size_t i = 0; i < scores.size(); ++i) {
    labels[i] = rng() % 100 == 0;
    scores[i] = std::uniform_real_distribution<float>(0, 1)(rng) + (labels[i] ? 0.5f : 0.0f);
  }
  // P(u + 1/2 > v) for uniform u, v.
  EXPECT_NEAR(auroc(scores, labels), 1 - 0.125, 0.005);
}

TEST(Metrics, BadInput) {
  const Labels both = {0, 1};
  expect_error([&] { auroc(Scores{1, kNaN}, both); }, "score 1 is NaN");
  expect_error([&] { average_precision(std::vector<float>{static_cast<float>(kNaN), 1}, both); }, "score 0 is NaN");
  expect_error([&] { auroc(Scores{1, 2, 3}, both); }, "3 scores, but 2 labels");
  expect_error([&] { auroc(Scores{1, 2}, Labels{0, 0}); }, "no anomalous");
  expect_error([&] { best_f1(Scores{1, 2}, Labels{1, 1}); }, "no normal");
  expect_error([&] { auroc(Scores{}, Labels{}); }, "no normal");
  expect_error([&] { f1_at(Scores{1, 2}, both, kNaN); }, "threshold is NaN");
  expect_error([&] { false_reject_rate(Scores{1}, Labels{1}, 0); }, "no normal");
  expect_error([&] { miss_rate(Scores{1}, Labels{0}, 0); }, "no anomalous");
  expect_error([&] { miss_rate(Scores{kNaN}, Labels{1}, 0); }, "NaN");
}

}  // namespace
}  // namespace pgad::test
