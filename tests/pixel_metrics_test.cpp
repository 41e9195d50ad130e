// Metrics per pixel: regions, the per-region overlap, and histograms of pixels against the exact figures.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <set>

#include "inspection/metrics.h"
#include "tests/metrics_support.h"

namespace pgad::test {
namespace {

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

TEST(Aupro, BadInput) {
  const std::vector<float> map = {1, 2};
  expect_error([&] { aupro(map, Labels{0, 0}, 1, 1, 2); }, "no anomalous");
  expect_error([&] { aupro(map, Labels{1, 1}, 1, 1, 2); }, "no normal");
  expect_error([&] { aupro(std::vector<float>{1, static_cast<float>(kNaN)}, Labels{0, 1}, 1, 1, 2); }, "NaN");
  expect_error([&] { aupro(map, Labels{0, 1}, 1, 1, 2, 0.0); }, "limit 0");
  expect_error([&] { aupro(map, Labels{0, 1}, 1, 2, 2); }, "1x2x2");
}

// ---- histograms ----

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

}  // namespace
}  // namespace pgad::test
