#include "inspection/metrics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

#include "engine/check.h"

namespace pgad {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void check_lengths(size_t scores, size_t labels) {
  if (scores != labels) throw Error(str("metrics: ", scores, " scores, but ", labels, " labels"));
}

template <class T>
void check_score(T score, size_t index) {
  if (std::isnan(score)) throw Error(str("metrics: score ", index, " is NaN"));
}

void check_present(std::int64_t normals, std::int64_t anomalies) {
  if (normals == 0) throw Error("metrics: no normal example among the scores");
  if (anomalies == 0) throw Error("metrics: no anomalous example among the scores");
}

double f1(std::int64_t true_positives, std::int64_t false_positives, std::int64_t false_negatives) {
  const double wrong = static_cast<double>(false_positives + false_negatives);
  return true_positives == 0 ? 0 : 2.0 * true_positives / (2.0 * true_positives + wrong);
}

// F1 when this many of each class are rejected.
double f1_of(std::int64_t rejected_normals, std::int64_t rejected_anomalies, std::int64_t normals,
             std::int64_t anomalies, PositiveClass positive) {
  if (positive == PositiveClass::kAnomalous)
    return f1(rejected_anomalies, rejected_normals, anomalies - rejected_anomalies);
  return f1(normals - rejected_normals, anomalies - rejected_anomalies, rejected_normals);
}

// Share of the examples of one class for which `rejected` (score > threshold) is as asked.
double share(std::span<const double> scores, std::span<const std::uint8_t> anomalous, double threshold,
             bool of_anomalous, bool rejected) {
  check_lengths(scores.size(), anomalous.size());
  std::int64_t all = 0, hits = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    check_score(scores[i], i);
    if ((anomalous[i] != 0) != of_anomalous) continue;
    ++all;
    hits += (scores[i] > threshold) == rejected;
  }
  if (all == 0) throw Error(str("metrics: no ", of_anomalous ? "anomalous" : "normal", " example among the scores"));
  return static_cast<double>(hits) / static_cast<double>(all);
}

void check_rate(double false_reject_rate) {
  if (!(false_reject_rate > 0 && false_reject_rate < 1))
    throw Error(str("threshold: false-reject rate ", false_reject_rate, ", expected a number in (0, 1)"));
}

}  // namespace

template <class T>
Ranking<T>::Ranking(std::span<const T> scores, std::span<const std::uint8_t> anomalous) {
  check_lengths(scores.size(), anomalous.size());
  struct Item {
    T score;
    std::uint8_t anomalous;
  };
  std::vector<Item> items(scores.size());
  for (size_t i = 0; i < items.size(); ++i) {
    check_score(scores[i], i);
    items[i] = {scores[i], static_cast<std::uint8_t>(anomalous[i] != 0)};
  }
  std::ranges::sort(items, std::greater{}, &Item::score);
  for (const Item& item : items) {
    ++(item.anomalous ? anomalies_ : normals_);
    if (levels_.empty() || levels_.back().score != item.score) levels_.push_back({item.score, 0, 0});
    levels_.back().normals = normals_;
    levels_.back().anomalies = anomalies_;
  }
  check_present(normals_, anomalies_);
}

template <class T>
Ranking<T>::Ranking(std::vector<Level> levels) : levels_(std::move(levels)) {
  if (!levels_.empty()) {
    normals_ = levels_.back().normals;
    anomalies_ = levels_.back().anomalies;
  }
  check_present(normals_, anomalies_);
}

template <class T>
double Ranking<T>::auroc() const {
  // Trapezoids in the plane of counts; twice the area is a whole number, at most 2 * normals * anomalies.
  double twice_area = 0;
  std::int64_t normals = 0, anomalies = 0;
  for (const Level& level : levels_) {
    twice_area += static_cast<double>(level.normals - normals) * static_cast<double>(level.anomalies + anomalies);
    normals = level.normals;
    anomalies = level.anomalies;
  }
  return twice_area / 2 / static_cast<double>(normals_) / static_cast<double>(anomalies_);
}

template <class T>
double Ranking<T>::average_precision() const {
  double sum = 0;
  std::int64_t anomalies = 0;
  for (const Level& level : levels_) {
    const double found = static_cast<double>(level.anomalies);
    sum += static_cast<double>(level.anomalies - anomalies) * found / (found + static_cast<double>(level.normals));
    anomalies = level.anomalies;
  }
  return sum / static_cast<double>(anomalies_);
}

template <class T>
double Ranking<T>::f1_at(double threshold, PositiveClass positive) const {
  if (std::isnan(threshold)) throw Error("metrics: the threshold is NaN");
  const auto end = std::ranges::partition_point(levels_, [&](const Level& l) { return l.score > threshold; });
  const Level rejected = end == levels_.begin() ? Level{} : *std::prev(end);
  return f1_of(rejected.normals, rejected.anomalies, normals_, anomalies_, positive);
}

template <class T>
double Ranking<T>::threshold_above(size_t i) const {
  if (i == 0) return static_cast<double>(levels_[0].score);
  const double upper = static_cast<double>(levels_[i - 1].score);
  if (i == levels_.size()) return std::nextafter(upper, -kInfinity);
  const double lower = static_cast<double>(levels_[i].score);
  const double middle = lower / 2 + upper / 2;
  return middle >= lower && middle < upper ? middle : lower;
}

template <class T>
BestF1 Ranking<T>::best_f1(PositiveClass positive) const {
  // i levels are rejected; of equal values the highest threshold counts.
  double best = -1;
  size_t best_level = 0;
  for (size_t i = 0; i <= levels_.size(); ++i) {
    const Level rejected = i == 0 ? Level{} : levels_[i - 1];
    const double value = f1_of(rejected.normals, rejected.anomalies, normals_, anomalies_, positive);
    if (value > best) {
      best = value;
      best_level = i;
    }
  }
  return {best, threshold_above(best_level)};
}

template <class T>
std::vector<RocPoint> Ranking<T>::roc_curve() const {
  const auto point = [&](size_t i) {
    const Level rejected = i == 0 ? Level{} : levels_[i - 1];
    return RocPoint{static_cast<double>(rejected.normals) / static_cast<double>(normals_),
                    static_cast<double>(rejected.anomalies) / static_cast<double>(anomalies_), threshold_above(i)};
  };
  std::vector<RocPoint> curve = {point(0)};
  Level last = {};  // the last point kept
  for (size_t i = 1; i <= levels_.size(); ++i) {
    const Level here = levels_[i - 1];
    if (i < levels_.size()) {
      const Level next = levels_[i];
      const auto cross = (here.normals - last.normals) * (next.anomalies - here.anomalies) -
                         (here.anomalies - last.anomalies) * (next.normals - here.normals);
      if (cross == 0) continue;
    }
    curve.push_back(point(i));
    last = here;
  }
  return curve;
}

template class Ranking<float>;
template class Ranking<double>;

double auroc(std::span<const double> scores, std::span<const std::uint8_t> anomalous) {
  return Ranking<double>(scores, anomalous).auroc();
}
double auroc(std::span<const float> scores, std::span<const std::uint8_t> anomalous) {
  return Ranking<float>(scores, anomalous).auroc();
}
double average_precision(std::span<const double> scores, std::span<const std::uint8_t> anomalous) {
  return Ranking<double>(scores, anomalous).average_precision();
}
double average_precision(std::span<const float> scores, std::span<const std::uint8_t> anomalous) {
  return Ranking<float>(scores, anomalous).average_precision();
}
double f1_at(std::span<const double> scores, std::span<const std::uint8_t> anomalous, double threshold,
             PositiveClass positive) {
  return Ranking<double>(scores, anomalous).f1_at(threshold, positive);
}
BestF1 best_f1(std::span<const double> scores, std::span<const std::uint8_t> anomalous, PositiveClass positive) {
  return Ranking<double>(scores, anomalous).best_f1(positive);
}
std::vector<RocPoint> roc_curve(std::span<const double> scores, std::span<const std::uint8_t> anomalous) {
  return Ranking<double>(scores, anomalous).roc_curve();
}

double false_reject_rate(std::span<const double> scores, std::span<const std::uint8_t> anomalous, double threshold) {
  return share(scores, anomalous, threshold, false, true);
}

double miss_rate(std::span<const double> scores, std::span<const std::uint8_t> anomalous, double threshold) {
  return share(scores, anomalous, threshold, true, false);
}

Components connected_components(std::span<const std::uint8_t> mask, int h, int w) {
  PGAD_CHECK(h >= 0 && w >= 0 && mask.size() == static_cast<size_t>(h) * w, mask.size(), " pixels for ", h, "x", w);
  Components result;
  result.labels.assign(mask.size(), 0);
  std::vector<size_t> stack;
  for (size_t seed = 0; seed < mask.size(); ++seed) {
    if (mask[seed] == 0 || result.labels[seed] != 0) continue;
    ++result.count;
    result.labels[seed] = result.count;
    stack.push_back(seed);
    while (!stack.empty()) {
      const size_t at = stack.back();
      stack.pop_back();
      const int y = static_cast<int>(at / w), x = static_cast<int>(at % w);
      for (int ny = std::max(y - 1, 0); ny <= std::min(y + 1, h - 1); ++ny) {
        for (int nx = std::max(x - 1, 0); nx <= std::min(x + 1, w - 1); ++nx) {
          const size_t neighbour = static_cast<size_t>(ny) * w + nx;
          if (mask[neighbour] == 0 || result.labels[neighbour] != 0) continue;
          result.labels[neighbour] = result.count;
          stack.push_back(neighbour);
        }
      }
    }
  }
  return result;
}

namespace {

constexpr std::size_t kMaxBins = std::size_t{1} << 18, kMaxRecent = kMaxBins;

// Bits in the order of the values. -0 and 0 are equal.
std::uint32_t key_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value == 0 ? 0.f : value);
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}

float value_of(std::uint32_t key) { return std::bit_cast<float>(key >> 31 ? key & 0x7fffffffu : ~key); }

}  // namespace

void PixelHistogram::add(std::span<const float> map, std::span<const std::uint8_t> mask, int h, int w) {
  PGAD_CHECK(
      h >= 0 && w >= 0 && map.size() == static_cast<size_t>(h) * w && (mask.empty() || mask.size() == map.size()),
      map.size(), " scores and ", mask.size(), " mask pixels for ", h, "x", w);
  for (size_t i = 0; i < map.size(); ++i) check_score(map[i], i);
  std::vector<double> weight = {0};  // by region: 1 / its area
  Components components;
  if (!mask.empty()) {
    components = connected_components(mask, h, w);
    weight.resize(static_cast<size_t>(components.count) + 1, 0.0);
    for (const std::int32_t label : components.labels) ++weight[static_cast<size_t>(label)];
    for (double& area : weight) area = 1 / area;
    regions_ += components.count;
  }
  for (size_t i = 0; i < map.size(); ++i) {
    const std::int32_t region = mask.empty() ? 0 : components.labels[i];
    ++(region == 0 ? normals_ : anomalies_);
    recent_.push_back({key_of(map[i]) >> shift_ << shift_, region == 0, region != 0,
                       region == 0 ? 0.0 : weight[static_cast<size_t>(region)]});
    if (recent_.size() >= kMaxRecent) merge();
  }
}

void PixelHistogram::add(const PixelHistogram& other) {
  other.merge();
  merge();
  shift_ = std::max(shift_, other.shift_);
  recent_ = other.bins_;
  regions_ += other.regions_;
  normals_ += other.normals_;
  anomalies_ += other.anomalies_;
  merge();
}

void PixelHistogram::merge() const {
  std::ranges::sort(recent_, {}, &Bin::key);
  // Adds up neighbours of one key. The sums of `overlap` depend on the order in their last bits only.
  const auto collapse = [](std::vector<Bin>& bins, int shift) {
    size_t kept = 0;
    for (Bin bin : bins) {
      bin.key = bin.key >> shift << shift;
      if (kept > 0 && bins[kept - 1].key == bin.key) {
        bins[kept - 1].normals += bin.normals;
        bins[kept - 1].anomalies += bin.anomalies;
        bins[kept - 1].overlap += bin.overlap;
      } else {
        bins[kept++] = bin;
      }
    }
    bins.resize(kept);
  };
  collapse(recent_, shift_);
  std::vector<Bin> all(bins_.size() + recent_.size());
  std::ranges::merge(bins_, recent_, all.begin(), {}, &Bin::key, &Bin::key);
  collapse(all, shift_);
  while (all.size() > kMaxBins) collapse(all, ++shift_);  // ends: 2^(32 - 14) bins at most
  bins_ = std::move(all);
  recent_.clear();
}

Ranking<float> PixelHistogram::ranking() const {
  merge();
  std::vector<Ranking<float>::Level> levels;
  std::int64_t normals = 0, anomalies = 0;
  for (auto bin = bins_.rbegin(); bin != bins_.rend(); ++bin)
    levels.push_back({value_of(bin->key), normals += bin->normals, anomalies += bin->anomalies});
  return Ranking<float>(std::move(levels));
}

double PixelHistogram::aupro(double fpr_limit) const {
  if (!(fpr_limit > 0 && fpr_limit <= 1))
    throw Error(str("aupro: limit ", fpr_limit, " of the false-positive rate, expected a number in (0, 1]"));
  check_present(normals_, regions_);
  merge();
  double area = 0, fpr = 0, overlap = 0;  // overlap: mean over regions
  std::int64_t rejected_normals = 0;
  double found = 0;
  for (auto bin = bins_.rbegin(); bin != bins_.rend() && fpr < fpr_limit; ++bin) {
    rejected_normals += bin->normals;
    found += bin->overlap;
    const double next_fpr = static_cast<double>(rejected_normals) / static_cast<double>(normals_);
    const double next_overlap = found / static_cast<double>(regions_);
    if (next_fpr <= fpr_limit) {
      area += (next_fpr - fpr) * (next_overlap + overlap) / 2;
    } else {
      const double at_limit = overlap + (next_overlap - overlap) * (fpr_limit - fpr) / (next_fpr - fpr);
      area += (fpr_limit - fpr) * (at_limit + overlap) / 2;
    }
    fpr = next_fpr;
    overlap = next_overlap;
  }
  return area / fpr_limit;
}

double aupro(std::span<const float> maps, std::span<const std::uint8_t> masks, int n, int h, int w, double fpr_limit) {
  const size_t pixels = static_cast<size_t>(h) * w;
  PGAD_CHECK(n >= 0 && maps.size() == pixels * n && masks.size() == maps.size(), maps.size(), " scores and ",
             masks.size(), " mask pixels for ", n, "x", h, "x", w);
  PixelHistogram histogram;
  for (size_t i = 0; i < static_cast<size_t>(n); ++i)
    histogram.add(maps.subspan(pixels * i, pixels), masks.subspan(pixels * i, pixels), h, w);
  return histogram.aupro(fpr_limit);
}

bool Threshold::decides() const { return low > -kInfinity; }

int scores_needed(double false_reject_rate) {
  check_rate(false_reject_rate);
  // The upper end: all `count` scores lie below the quantile with probability (1 - rate)^count. The lower end, above
  // it with rate^count, matters for rates above one half.
  const double rarer = std::max(false_reject_rate, 1 - false_reject_rate);
  return static_cast<int>(std::ceil(std::log(0.025) / std::log(rarer) - 1e-9));
}

Threshold quantile_threshold(std::span<const double> normal_scores, double false_reject_rate) {
  check_rate(false_reject_rate);
  if (normal_scores.empty()) throw Error("threshold: no held-out normal scores");
  std::vector<double> sorted(normal_scores.begin(), normal_scores.end());
  for (size_t i = 0; i < sorted.size(); ++i) check_score(sorted[i], i);
  std::ranges::sort(sorted);

  const int n = static_cast<int>(sorted.size());
  const double p = 1 - false_reject_rate;
  Threshold t = {};
  t.count = n;
  // The small amount forgives rounding where (n + 1)p is a whole number.
  const double rank = std::ceil((n + 1) * p - 1e-9);
  t.value = sorted[static_cast<size_t>(std::clamp(rank, 1.0, static_cast<double>(n))) - 1];
  t.false_reject_rate = static_cast<double>(std::ranges::count_if(sorted, [&](double s) { return s > t.value; })) / n;

  // With K ~ Binomial(n, p) normals below the true quantile q: P(s_(l) > q) = P(K <= l - 1) and
  // P(s_(u) < q) = P(K >= u) = 1 - P(K <= u - 1), each at most 2.5 % (s_(i): the i-th smallest).
  t.low = -kInfinity;
  t.high = kInfinity;
  double log_pmf = n * std::log1p(-p);
  double cdf = 0;
  for (int k = 0; k < n; ++k) {
    cdf += std::exp(log_pmf);
    if (cdf <= 0.025) t.low = sorted[k];  // l = k + 1
    if (cdf >= 0.975) {
      t.high = sorted[k];  // u = k + 1
      break;
    }
    log_pmf += std::log((n - k) / (k + 1.0)) + std::log(p) - std::log1p(-p);
  }
  return t;
}

}  // namespace pgad
