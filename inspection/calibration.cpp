#include "inspection/calibration.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "images/gaussian_blur.h"

namespace pgad {
namespace {

// What `combined` weighs, of the terms that a model has: all but `paper`, a sum of others.
constexpr ScoreIndex kWeighed[] = {kResidual,    kFeature,     kLatentCritic, kCritic,           kPeak,
                                   kFeatureMaps, kPatchCritic, kPatchArea,    kRelativeResidual, kRelativeFeature};

std::vector<ScoreIndex> combined_terms(const Calibration& c) {
  std::vector<ScoreIndex> terms;
  for (const ScoreIndex t : kWeighed)
    if (c.has(t)) terms.push_back(t);
  return terms;
}

// What few images cannot tell: a mean of n images may be off, and their spread too small, even zero. As if they had
// been seen beside a guess of the spread whose weight falls with 1/n, in standard deviations: half the mean, and for a
// critic, which may be saturated at 0 for all of them, some hundredths. At a hundred images it is a two-hundredth of
// the mean.
constexpr double kGuess = 0.5, kCriticGuess = 0.05;
double guessed_spread(double mean, double least, std::size_t n) {
  // The last: a term may be 0 for all. The scale is arbitrary then, but not zero.
  return std::max(kGuess * std::abs(mean), least) / static_cast<double>(n) + 1e-9;
}

// A fit whose AUROC on its own images is within this many standard errors of chance separates nothing.
constexpr double kErrors = 2;

constexpr std::size_t kMaxFolds = 50;  // of cross_fit

// Pixels that never vary would make any deviation infinite: this share of the average variance is added to each.
constexpr double kVarianceFloor = 0.1;

// AUROC of each score of `combined`, and of itself, on the images of the calibration.
struct Separation {
  double term[kTermCount] = {}, combined = 0;
  std::string text;

  explicit Separation(const Calibration& c) {
    std::vector<std::uint8_t> labels(c.normals(), 0);
    labels.resize(c.normals() + c.abnormals(), 1);
    const auto of = [&](const auto& score) {
      std::vector<double> values;
      for (const auto* terms : {&c.normal_terms, &c.abnormal_terms})
        for (std::size_t i = 0; i < terms->size(); i += kTermCount) values.push_back(score(&(*terms)[i]));
      return auroc(values, labels);
    };
    for (int t = 0; t < kTermCount; ++t) {
      if (!c.has(static_cast<ScoreIndex>(t))) continue;
      term[t] = of([t](const double* terms) { return terms[t]; });
      text += str(t == 0 ? "" : ", ", kScoreNames[t], " ", rounded(term[t]));
    }
    combined = of([&c](const double* terms) { return combined_score(c, terms); });
    text += str(", combined ", rounded(combined));
  }
  static std::string rounded(double v) {
    char digits[16];
    std::snprintf(digits, sizeof digits, "%.3f", v);
    return digits;
  }
};

// Mean and spread of each score; no weights.
void standardise(Calibration& c) {
  PGAD_CHECK(c.normals() > 0);
  const double n = static_cast<double>(c.normals());
  for (int t = 0; t < kTermCount; ++t) {
    double sum = 0, square = 0;
    for (std::size_t i = 0; i < c.normals(); ++i) sum += c.normal_terms[i * kTermCount + static_cast<std::size_t>(t)];
    c.mean[t] = sum / n;
    for (std::size_t i = 0; i < c.normals(); ++i) {
      const double d = c.normal_terms[i * kTermCount + static_cast<std::size_t>(t)] - c.mean[t];
      square += d * d;
    }
    const double guess = guessed_spread(c.mean[t], t == kLatentCritic || t == kCritic ? kCriticGuess : 0, c.normals());
    c.spread[t] = std::sqrt(square / std::max(1.0, n - 1) + guess * guess);
    c.weight[t] = std::isnan(c.mean[t]) ? std::nan("") : 0;
  }
  c.bias = 0;
  c.notes.clear();
}

// All but normal_combined.
void fit_weights(Calibration& c, const LogisticOptions& options) {
  standardise(c);
  const std::vector<ScoreIndex> used = combined_terms(c);
  const auto weigh_equally = [&] {
    c.fitted = false;
    c.bias = 0;
    // None held out: hardly any shown. D that was shown none tells drawn from real ones: as good as a coin, or worse
    // (results.md).
    const auto counts = [&](ScoreIndex t) { return c.abnormals() > 0 || (t != kLatentCritic && t != kCritic); };
    const auto count = std::ranges::count_if(used, counts);
    for (const ScoreIndex t : used) c.weight[t] = counts(t) ? 1.0 / static_cast<double>(count) : 0;
  };
  c.fitted = c.abnormals() > 0 && c.normals() > 1;
  if (!c.fitted) return weigh_equally();
  std::vector<double> features;
  std::vector<std::uint8_t> labels;
  const auto append = [&](const std::vector<double>& terms, std::uint8_t label) {
    for (std::size_t i = 0; i < terms.size() / kTermCount; ++i) {
      for (const ScoreIndex t : used) features.push_back((terms[i * kTermCount + t] - c.mean[t]) / c.spread[t]);
      labels.push_back(label);
    }
  };
  append(c.normal_terms, 0);
  append(c.abnormal_terms, 1);
  const LogisticFit fit = fit_logistic(features, labels, static_cast<int>(used.size()), options);
  for (std::size_t i = 0; i < used.size(); ++i) c.weight[used[i]] = fit.weights[i];
  c.bias = fit.bias;
  if (!fit.converged)
    c.notes.push_back(str("the fit of combined's weights did not converge (relative gradient ", fit.gradient, " after ",
                          fit.iterations, " iterations): the best weights found are used"));
  // Weights cannot be negative: where all terms say less of the known abnormals than of the normals, none is left, and
  // `combined` would be one number for all images.
  if (std::ranges::all_of(fit.weights, [](double w) { return w == 0; })) weigh_equally();
}

// Notes of what the whole fit cannot do.
void judge(Calibration& c) {
  if (c.abnormals() == 0) return;
  const Separation s(c);
  // Of an AUROC at chance (Hanley & McNeil 1982, equal classes of scores).
  const double normals = static_cast<double>(c.normals()), abnormals = static_cast<double>(c.abnormals());
  const double error = std::sqrt((normals + abnormals + 1) / (12 * normals * abnormals));
  if (c.fitted && s.combined > 0.5 + kErrors * error) return;
  c.notes.push_back(str("the scores do not tell the ", c.abnormals() - c.drawn, " held-out known abnormals",
                        c.drawn > 0 ? str(" and the ", c.drawn, " drawn ones") : "", " from the ", c.normals(),
                        " held-out normals, so this model does not find such defects; AUROC: ", s.text,
                        c.fitted ? "" : "; combined weighs its scores equally"));
}

// Mean and standard deviation of `combined` over the normals of `c`, by the fit in `by`.
struct Moments {
  double mean = 0, spread = 0;
  Moments(const Calibration& c, const Calibration& by) {
    const double n = static_cast<double>(c.normals());
    for (std::size_t i = 0; i < c.normals(); ++i) mean += combined_score(by, &c.normal_terms[i * kTermCount]) / n;
    for (std::size_t i = 0; i < c.normals(); ++i) {
      const double d = combined_score(by, &c.normal_terms[i * kTermCount]) - mean;
      spread += d * d / std::max(1.0, n - 1);
    }
    spread = std::sqrt(spread);
  }
};

}  // namespace

void MapMoments::add(std::span<const float> map) {
  if (tiles_) {
    sum_.resize(1);
    square_.resize(1);
    for (const float v : map) {
      sum_[0] += v;
      square_[0] += static_cast<double>(v) * v;
    }
    count_ += map.size();
    return;
  }
  sum_.resize(map.size());
  square_.resize(map.size());
  for (std::size_t i = 0; i < map.size(); ++i) {
    sum_[i] += map[i];
    square_[i] += static_cast<double>(map[i]) * map[i];
  }
  ++count_;
}

void MapMoments::store(Calibration& c) const {
  const double n = static_cast<double>(count_), pixels = static_cast<double>(sum_.size());
  std::vector<double> variance;
  double average = 0, mean_of_map = 0;
  for (std::size_t i = 0; i < sum_.size(); ++i) {
    const double mean = sum_[i] / n;
    c.map_mean.push_back(static_cast<float>(mean));
    variance.push_back(std::max(0.0, square_[i] / n - mean * mean));
    average += variance.back() / pixels;
    mean_of_map += mean / pixels;
  }
  const double guess = guessed_spread(mean_of_map, 0, count_);
  for (const double v : variance)
    c.map_spread.push_back(static_cast<float>(std::sqrt(v + kVarianceFloor * average + guess * guess) + 1e-6));
}

void MapMoments::store(double& mean, double& spread) const {
  if (count_ == 0) return;
  const double n = static_cast<double>(count_);
  mean = sum_[0] / n;
  spread = std::sqrt(std::max(0.0, square_[0] / n - mean * mean)) + 1e-6;
}

void fit_combined(Calibration& c, const LogisticOptions& options) {
  fit_weights(c, options);
  judge(c);
  cross_fit(c, options);
}

std::string separation(const Calibration& c) { return c.abnormals() > 0 ? Separation(c).text : ""; }

std::string threshold_note(const Threshold& t, double rate) {
  const int needed = scores_needed(rate);
  if (t.count >= needed) return "";
  const std::string images = t.count == 1 ? "1 normal image is" : str(t.count, " normal images are");
  const std::string then = str("; ", needed,
                               " are needed to bound it: give more normal images, hold out more of them "
                               "(--calibration-fraction), or ask for a higher --false-reject-rate");
  return t.decides() ? str("only ", images, " held out: the threshold may reject many more than the ", rate,
                           " of normal images asked for", then)
                     : str("only ", images, " held out, no ground for a threshold at a false-reject rate of ", rate,
                           ": images are scored but left undecided (--threshold decides)", then);
}

namespace {

// Each normal is scored by a fit without it (beyond kMaxFolds normals: without its fold), standardisation included. All
// abnormals stay in: a new normal has nothing to do with any of them. Fits differ in the units of their scores, the
// more the better the classes are separated; so each fit's scores are scaled and shifted until their mean and spread
// over all normals are the whole fit's. Unlike a quantile of scores from several scales this keeps the rate; and as an
// outlier enlarges both spreads, it cannot move the threshold further than about sqrt(n) spreads.
void cross_fit_by(Calibration& c, const std::function<void(Calibration&)>& fit) {
  const std::size_t n = c.normals(), folds = std::min(n, kMaxFolds);
  std::vector<double> scores(n);
  const Moments whole(c, c);
  for (std::size_t k = 0; k < folds; ++k) {
    Calibration fold;
    fold.abnormal_terms = c.abnormal_terms;
    for (std::size_t i = 0; i < n; ++i)
      if (i % folds != k)
        fold.normal_terms.insert(fold.normal_terms.end(), &c.normal_terms[i * kTermCount],
                                 &c.normal_terms[i * kTermCount] + kTermCount);
    // Two normals are needed to fit anything.
    const bool possible = fold.normals() > 1;
    if (possible) fit(fold);
    const Calibration& by = possible ? fold : c;
    const Moments here(c, by);
    for (std::size_t i = k; i < n; i += folds) {
      const double deviation = combined_score(by, &c.normal_terms[i * kTermCount]) - here.mean;
      scores[i] = whole.mean + (here.spread > 0 ? deviation * whole.spread / here.spread : 0);
    }
  }
  // As float32, the precision of the model file.
  c.normal_combined.clear();
  for (const double s : scores) c.normal_combined.push_back(static_cast<float>(s));
}

}  // namespace

void cross_fit(Calibration& c, const LogisticOptions& options) {
  cross_fit_by(c, [&](Calibration& fold) { fit_weights(fold, options); });
}

void keep_weights(Calibration& c, const Calibration& of) {
  const auto take = [&](Calibration& fold) {
    standardise(fold);
    for (const ScoreIndex t : combined_terms(fold)) fold.weight[t] = of.has(t) ? of.weight[t] : 0;
    fold.bias = of.bias;
    fold.fitted = of.fitted;
  };
  take(c);
  cross_fit_by(c, take);
}

double combined_score(const Calibration& c, const double terms[kTermCount]) {
  double s = c.bias;
  for (const ScoreIndex t : kWeighed)
    if (c.has(t)) s += c.weight[t] * (terms[t] - c.mean[t]) / c.spread[t];
  return s;
}

Threshold threshold_of(const Calibration& c, ScoreIndex score, double rate) {
  if (score == kCombined) {
    PGAD_CHECK(c.normal_combined.size() == c.normals(), c.normal_combined.size(), " cross-fitted scores of ",
               c.normals(), " normals");
    return quantile_threshold(c.normal_combined, rate);
  }
  std::vector<double> values;
  for (std::size_t i = 0; i < c.normals(); ++i) values.push_back(c.normal_terms[i * kTermCount + score]);
  return quantile_threshold(values, rate);
}

std::optional<Threshold> region_threshold_of(const Calibration& c, double rate) {
  if (c.normal_map_peaks.empty()) return std::nullopt;
  return quantile_threshold(c.normal_map_peaks, rate);
}

std::vector<float> calibrated_map(const Calibration& c, std::span<const float> residual_map, int rows, int columns,
                                  double sigma) {
  const bool places = c.map_mean.size() > 1;
  PGAD_CHECK(!places || residual_map.size() == c.map_mean.size(), residual_map.size(), " pixels, calibrated for ",
             c.map_mean.size());
  std::vector<float> map;
  map.reserve(residual_map.size());
  for (std::size_t i = 0; i < residual_map.size(); ++i)
    map.push_back((residual_map[i] - c.map_mean[places ? i : 0]) / c.map_spread[places ? i : 0]);
  return gaussian_blur(map, rows, columns, sigma);
}

}  // namespace pgad
