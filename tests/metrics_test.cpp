// Metrics against values computed by hand and against the definitions, counted out in O(n^2) on random data
// with ties; thresholds against simulation; the logistic fit against its optimality conditions.

#include "inspection/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <random>
#include <set>

#include "engine/check.h"
#include "inspection/logistic.h"

namespace pgad {
namespace {

using Labels = std::vector<std::uint8_t>;
using Scores = std::vector<double>;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Runs `action` and expects an Error that contains `part`.
template <class Action>
void expect_error(Action action, const std::string& part) {
  try {
    action();
    ADD_FAILURE() << "nothing thrown; expected '" << part << "'";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << "'" << part << "' is not in: " << e.what();
  }
}

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

// ---- regions
// -----------------------------------------------------------------------------------------------------

TEST(Components, DiagonalNeighboursAreOneRegion) {
  const Labels mask = {
      1, 0, 0, 1,  //
      0, 1, 0, 0,  //
      0, 0, 0, 0,  //
      1, 1, 0, 9,  //
  };
  const Components c = connected_components(mask, 4, 4);
  EXPECT_EQ(c.count, 4);
  EXPECT_EQ(c.labels, (std::vector<std::int32_t>{1, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 3, 3, 0, 4}));
  EXPECT_EQ(connected_components(Labels(12, 1), 3, 4).count, 1);
  EXPECT_EQ(connected_components(Labels(12, 0), 3, 4).count, 0);
}

TEST(Components, NoWrapAroundAtTheEdges) { EXPECT_EQ(connected_components(Labels{0, 0, 1, 1, 0, 0}, 2, 3).count, 2); }

TEST(Aupro, ByHand) {
  // One image, regions of 1 and 2 pixels, 5 normal pixels.
  const Labels mask = {1, 0, 0, 0, 0, 0, 1, 1};
  EXPECT_EQ(aupro(std::vector<float>{9, 1, 2, 3, 0, 0, 8, 8}, mask, 1, 1, 8), 1.0);
  // From the top: the small region (overlap 1/2), one normal (fpr 1/5), half of the other (3/4), a normal
  // (fpr 2/5).
  const std::vector<float> map = {9, 8, 6, 0, 0, 0, 7, -1};
  EXPECT_NEAR(aupro(map, mask, 1, 1, 8), (0.2 * 0.5 + 0.1 * 0.75) / 0.3, 1e-6);
  // A tie of a normal pixel with the region: the curve rises on a line to (1/5, 3/4).
  const std::vector<float> tie = {9, 7, 6, 0, 0, 0, 7, -1};
  EXPECT_NEAR(aupro(tie, mask, 1, 1, 8), (0.2 * (0.5 + 0.75) / 2 + 0.1 * 0.75) / 0.3, 1e-6);
  EXPECT_NEAR(aupro(tie, mask, 1, 1, 8, 0.1), (0.5 + 0.625) / 2, 1e-6);        // cut inside that line
  EXPECT_NEAR(aupro(std::vector<float>(8, 1.0f), mask, 1, 1, 8), 0.15, 1e-6);  // all tied: the diagonal
}

// The definition at every threshold, with regions found by merging labels until nothing changes.
double aupro_by_thresholds(const std::vector<float>& maps, const Labels& masks, int n, int h, int w, double limit) {
  std::vector<int> region(maps.size(), -1);
  for (size_t i = 0; i < masks.size(); ++i)
    if (masks[i]) region[i] = static_cast<int>(i);
  for (bool changed = true; changed;) {
    changed = false;
    for (int i = 0; i < n * h * w; ++i)
      for (int j = 0; j < n * h * w; ++j) {
        const bool touch =
            i / (h * w) == j / (h * w) && std::abs(i / w % h - j / w % h) <= 1 && std::abs(i % w - j % w) <= 1;
        if (touch && region[i] >= 0 && region[j] > region[i]) {
          region[j] = region[i];
          changed = true;
        }
      }
  }
  std::set<int> ids(region.begin(), region.end());
  ids.erase(-1);
  std::vector<std::pair<double, double>> curve = {{0, 0}};
  for (const float t : std::set<float, std::greater<>>(maps.begin(), maps.end())) {
    double fp = 0, normals = 0, overlap = 0;
    for (size_t i = 0; i < maps.size(); ++i)
      if (!masks[i]) {
        normals += 1;
        fp += maps[i] >= t;
      }
    for (const int id : ids) {
      double hit = 0, area = 0;
      for (size_t i = 0; i < maps.size(); ++i)
        if (region[i] == id) {
          area += 1;
          hit += maps[i] >= t;
        }
      overlap += hit / area / static_cast<double>(ids.size());
    }
    curve.emplace_back(fp / normals, overlap);
  }
  double area = 0;
  for (size_t i = 1; i < curve.size(); ++i) {
    auto [x0, y0] = curve[i - 1];
    auto [x1, y1] = curve[i];
    if (x0 >= limit) break;
    if (x1 > limit) {
      y1 = y0 + (y1 - y0) * (limit - x0) / (x1 - x0);
      x1 = limit;
    }
    area += (x1 - x0) * (y0 + y1) / 2;
  }
  return area / limit;
}

TEST(Aupro, AgainstTheDefinitionOnRandomMasksWithTies) {
  std::mt19937 rng(5);
  for (int trial = 0; trial < 60; ++trial) {
    const int n = 2, h = 5, w = 6;
    std::vector<float> maps(n * h * w);
    Labels masks(maps.size());
    for (size_t i = 0; i < maps.size(); ++i) {
      masks[i] = i == 0 || (i != 1 && rng() % 4 == 0);
      maps[i] = static_cast<float>(rng() % 12 + (masks[i] ? 4 : 0));
    }
    for (const double limit : {0.05, 0.3, 1.0})
      EXPECT_NEAR(aupro(maps, masks, n, h, w, limit), aupro_by_thresholds(maps, masks, n, h, w, limit), 1e-9);
  }
}

// ---- histograms against the exact figures ---------------------------------------------------------------------------

struct Maps {
  std::vector<float> values;
  Labels masks;
  int n, h, w;
};

// Defect regions are random rectangles; `draw` gives a pixel's value.
Maps random_maps(std::mt19937& rng, int n, int side, const std::function<float(bool anomalous)>& draw) {
  Maps m{{}, Labels(static_cast<size_t>(n) * side * side, 0), n, side, side};
  for (int i = 0; i < n; ++i)
    for (int region = 0; region < 3; ++region) {
      const int h = 1 + static_cast<int>(rng() % (side / 8)), w = 1 + static_cast<int>(rng() % (side / 8));
      const int y0 = static_cast<int>(rng() % (side - h)), x0 = static_cast<int>(rng() % (side - w));
      for (int y = y0; y < y0 + h; ++y)
        for (int x = x0; x < x0 + w; ++x) m.masks[(static_cast<size_t>(i) * side + y) * side + x] = 1;
    }
  for (const auto mask : m.masks) m.values.push_back(draw(mask != 0));
  return m;
}

// By sorting all pixels.
double exact_aupro(const Maps& m, double limit) {
  struct Item {
    float score;
    int region;  // 0: normal
  };
  std::vector<Item> items;
  std::vector<double> area = {0};
  const size_t pixels = static_cast<size_t>(m.h) * m.w;
  for (int i = 0; i < m.n; ++i) {
    const Components c = connected_components(std::span(m.masks).subspan(pixels * i, pixels), m.h, m.w);
    const int first = static_cast<int>(area.size()) - 1;
    area.resize(area.size() + c.count, 0.0);
    for (size_t p = 0; p < pixels; ++p) {
      items.push_back({m.values[pixels * i + p], c.labels[p] == 0 ? 0 : first + c.labels[p]});
      area[items.back().region] += 1;
    }
  }
  std::ranges::sort(items, std::greater{}, &Item::score);
  const double normals = area[0], regions = static_cast<double>(area.size() - 1);
  double sum = 0, fpr = 0, overlap = 0, rejected = 0, found = 0;
  for (size_t i = 0; i < items.size() && fpr < limit;) {
    const float score = items[i].score;
    for (; i < items.size() && items[i].score == score; ++i) {
      rejected += items[i].region == 0;
      found += items[i].region == 0 ? 0 : 1 / area[items[i].region];
    }
    const double next_fpr = rejected / normals, next = found / regions;
    const double end = std::min(next_fpr, limit);
    const double at_end = next_fpr > fpr ? overlap + (next - overlap) * (end - fpr) / (next_fpr - fpr) : next;
    sum += (end - fpr) * (at_end + overlap) / 2;
    fpr = next_fpr;
    overlap = next;
  }
  return sum / limit;
}

void expect_figures(const Maps& m, double tolerance, const std::string& what) {
  PixelHistogram histogram;
  const size_t pixels = static_cast<size_t>(m.h) * m.w;
  for (int i = 0; i < m.n; ++i)
    histogram.add(std::span(m.values).subspan(pixels * i, pixels), std::span(m.masks).subspan(pixels * i, pixels), m.h,
                  m.w);
  const Ranking<float> exact(m.values, m.masks), ranking = histogram.ranking();
  EXPECT_NEAR(ranking.auroc(), exact.auroc(), tolerance) << what;
  EXPECT_NEAR(ranking.average_precision(), exact.average_precision(), tolerance) << what;
  EXPECT_NEAR(ranking.best_f1().f1, exact.best_f1().f1, tolerance) << what;
  for (const double limit : {0.05, 0.3}) EXPECT_NEAR(histogram.aupro(limit), exact_aupro(m, limit), tolerance) << what;
  EXPECT_EQ(ranking.normals() + ranking.anomalies(), static_cast<std::int64_t>(m.values.size())) << what;
}

TEST(PixelHistogram, ExactUntilItIsFull) {
  std::mt19937 rng(11);
  std::normal_distribution<float> normal;
  const auto maps = [&](const std::function<float(bool)>& draw) { return random_maps(rng, 3, 64, draw); };
  expect_figures(maps([&](bool a) { return normal(rng) + (a ? 1.f : 0.f); }), 1e-12, "normal");
  expect_figures(maps([&](bool a) { return static_cast<float>(rng() % 5 + a); }), 1e-12, "ties");
  expect_figures(maps([](bool) { return 0.25f; }), 1e-12, "constant");
  expect_figures(maps([&](bool a) { return std::nextafter(1.f, a ? 2.f : 0.f); }), 1e-12, "neighbouring numbers");
  expect_figures(maps([&](bool a) { return (rng() % 2 ? -0.f : 0.f) + (a ? -0.f : 0.f); }), 1e-12, "both zeros");
  expect_figures(maps([&](bool a) {
                   return rng() % 9 == 0 ? (rng() % 2 ? std::numeric_limits<float>::infinity() : -1e38f)
                                         : normal(rng) + (a ? 1.f : 0.f);
                 }),
                 1e-12, "infinite");
}

TEST(PixelHistogram, FiguresOfMorePixelsThanBins) {
  std::mt19937 rng(12);
  std::normal_distribution<float> normal;
  const auto check = [&](const char* what, const std::function<float(bool)>& draw) {
    expect_figures(random_maps(rng, 2, 512, draw), 1e-4, what);  // twice as many pixels as bins
  };
  check("absolute differences", [&](bool a) { return std::fabs(normal(rng)) * (a ? 0.3f : 0.1f); });
  check("standard deviations", [&](bool a) { return normal(rng) + (a ? 2.f : 0.f); });
  check("huge range", [&](bool a) { return std::exp(20 * normal(rng) + (a ? 15.f : 0.f)) * (rng() % 2 ? 1.f : -1.f); });
  check("far from zero", [&](bool a) { return 1000 + normal(rng) + (a ? 1.f : 0.f); });
  check("hardly different", [&](bool a) { return 1 + 1e-3f * (normal(rng) + (a ? 1.f : 0.f)); });
  check("many ties", [&](bool a) { return rng() % 2 ? static_cast<float>(rng() % 3) : normal(rng) + (a ? 1.f : 0.f); });
  check("one value", [](bool) { return -3.f; });
  // Ever larger values: what was told apart at first is put together later.
  float growing = 1;
  check("sorted", [&](bool a) { return (growing *= 1.00001f) * (a ? 1.1f : 1.f); });
}

TEST(PixelHistogram, OrderAndNumberOfMapsDoNotMatter) {
  std::mt19937 rng(13);
  std::normal_distribution<float> normal;
  const Maps m = random_maps(rng, 8, 256, [&](bool a) { return normal(rng) + (a ? 1.f : 0.f); });
  const size_t pixels = 256 * 256;
  const auto figures = [&](const std::vector<int>& order) {
    PixelHistogram h;
    for (const int i : order)
      h.add(std::span(m.values).subspan(pixels * i, pixels), std::span(m.masks).subspan(pixels * i, pixels), 256, 256);
    EXPECT_GT(h.dropped_bits(), 0);
    return std::pair(h.ranking().auroc(), h.aupro());
  };
  const auto forward = figures({0, 1, 2, 3, 4, 5, 6, 7}), backward = figures({7, 6, 5, 4, 3, 2, 1, 0});
  EXPECT_EQ(forward.first, backward.first);
  EXPECT_NEAR(forward.second, backward.second, 1e-12);
  std::vector<int> repeated;
  for (int i = 0; i < 80; ++i) repeated.push_back(i % 8);
  EXPECT_NEAR(figures(repeated).first, forward.first, 1e-12);
}

TEST(PixelHistogram, NeedsBothKinds) {
  PixelHistogram h;
  h.add(std::vector<float>{1, 2}, {}, 1, 2);
  EXPECT_FALSE(h.any_anomalous());
  expect_error([&] { h.ranking(); }, "no anomalous");
  expect_error([&] { h.aupro(); }, "no anomalous");
  expect_error([&] { h.add(std::vector<float>{1, static_cast<float>(kNaN)}, {}, 1, 2); }, "NaN");
  expect_error([&] { h.add(std::vector<float>{1, 2}, Labels{1}, 1, 2); }, "mask");
}

TEST(Aupro, BadInput) {
  const std::vector<float> map = {1, 2};
  expect_error([&] { aupro(map, Labels{0, 0}, 1, 1, 2); }, "no anomalous");
  expect_error([&] { aupro(map, Labels{1, 1}, 1, 1, 2); }, "no normal");
  expect_error([&] { aupro(std::vector<float>{1, static_cast<float>(kNaN)}, Labels{0, 1}, 1, 1, 2); }, "NaN");
  expect_error([&] { aupro(map, Labels{0, 1}, 1, 1, 2, 0.0); }, "limit 0");
  expect_error([&] { aupro(map, Labels{0, 1}, 1, 2, 2); }, "1x2x2");
}

// ---- thresholds
// ----------------------------------------------------------------------------------------------------

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

// ---- logistic regression
// ------------------------------------------------------------------------------------------

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
}  // namespace pgad
