#include "apps/inspection/calibration.h"

#include <algorithm>
#include <cmath>

#include "apps/inspection/heatmap.h"

namespace pgad {
namespace {

// Terms that `combined` weighs.
constexpr ScoreIndex kCombinedTerms[] = {kResidual, kFeature, kLatentCritic, kCritic};
constexpr int kCombinedCount = 4;

// One image has no spread, and a term may be the same for all: then the scale is arbitrary but not zero. Relative to a
// large mean (sums over pixels), where smaller differences are float32's rounding.
constexpr double kSpreadFloor = 1e-6;

constexpr std::size_t kMaxFolds = 50;  // of cross_fit

// Pixels that never vary would make any deviation infinite: this share of the average variance is added to each.
constexpr double kVarianceFloor = 0.1;

struct MapMoments {
  std::vector<double> sum, square;
  std::size_t count = 0;
  void add(std::span<const float> map) {
    sum.resize(map.size());
    square.resize(map.size());
    for (std::size_t i = 0; i < map.size(); ++i) {
      sum[i] += map[i];
      square[i] += static_cast<double>(map[i]) * map[i];
    }
    ++count;
  }
  void store(Calibration& c) const {
    const double n = static_cast<double>(count);
    std::vector<double> variance;
    double average = 0;
    for (std::size_t i = 0; i < sum.size(); ++i) {
      const double mean = sum[i] / n;
      c.map_mean.push_back(static_cast<float>(mean));
      variance.push_back(std::max(0.0, square[i] / n - mean * mean));
      average += variance.back() / static_cast<double>(sum.size());
    }
    for (const double v : variance)
      c.map_spread.push_back(static_cast<float>(std::sqrt(v + kVarianceFloor * average) + 1e-6));
  }
};

// All but normal_combined.
void fit_weights(Calibration& c, const LogisticOptions& options) {
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
    c.spread[t] = std::max(std::sqrt(square / std::max(1.0, n - 1)), kSpreadFloor * std::max(1.0, std::abs(c.mean[t])));
    c.weight[t] = 0;
  }
  c.bias = 0;
  c.note.clear();
  c.fitted = c.abnormals() > 0 && c.normals() > 1;
  if (!c.fitted) {
    for (const ScoreIndex t : kCombinedTerms) c.weight[t] = 1.0 / kCombinedCount;
    return;
  }
  std::vector<double> features;
  std::vector<std::uint8_t> labels;
  const auto append = [&](const std::vector<double>& terms, std::uint8_t label) {
    for (std::size_t i = 0; i < terms.size() / kTermCount; ++i) {
      for (const ScoreIndex t : kCombinedTerms)
        features.push_back((terms[i * kTermCount + t] - c.mean[t]) / c.spread[t]);
      labels.push_back(label);
    }
  };
  append(c.normal_terms, 0);
  append(c.abnormal_terms, 1);
  const LogisticFit fit = fit_logistic(features, labels, kCombinedCount, options);
  for (int i = 0; i < kCombinedCount; ++i) c.weight[kCombinedTerms[i]] = fit.weights[static_cast<std::size_t>(i)];
  c.bias = fit.bias;
  if (!fit.converged)
    c.note = str("the fit of combined's weights did not converge (relative gradient ", fit.gradient, " after ",
                 fit.iterations, " iterations): the best weights found are used");
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

void fit_combined(Calibration& c, const LogisticOptions& options) {
  fit_weights(c, options);
  cross_fit(c, options);
}

// Each normal is scored by a fit without it (beyond kMaxFolds normals: without its fold), standardisation included. All
// abnormals stay in: a new normal has nothing to do with any of them. Fits differ in the units of their scores, the
// more the better the classes are separated; so each fit's scores are scaled and shifted until their mean and spread
// over all normals are the whole fit's. Unlike a quantile of scores from several scales this keeps the rate; and as an
// outlier enlarges both spreads, it cannot move the threshold further than about sqrt(n) spreads.
void cross_fit(Calibration& c, const LogisticOptions& options) {
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
    if (possible) fit_weights(fold, options);
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

double combined_score(const Calibration& c, const double terms[kTermCount]) {
  double s = c.bias;
  for (const ScoreIndex t : kCombinedTerms) s += c.weight[t] * (terms[t] - c.mean[t]) / c.spread[t];
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

void calibrate(Exec& exec, Model& model, const Dataset& data,
               const std::function<void(const CalibrationProgress&)>& on_progress) {
  const auto& normal = data.calibration_normal;
  if (normal.empty())
    throw Error("no normal images are held out for calibration: raise --calibration-fraction or give more images");
  const std::size_t all = normal.size() + data.calibration_abnormal.size();
  model.normal_critic = Scorer(exec, model, model.config.scoring).mean_critic(normal, data.source, [&] {
    if (on_progress) on_progress({0, all, std::nullopt});
  });

  Scorer scorer(exec, model, model.config.scoring);
  Calibration c;
  MapMoments moments;
  const auto collect = [&](const std::vector<Sample>& samples, std::vector<double>& terms, bool maps,
                           std::size_t before) {
    scorer.score(
        samples, data.source,
        [&](const ScoredImage& image) {
          if (!image.error.empty()) return;
          // As float32, the precision of the model file: calibration must be the same before and after saving.
          for (const double t : image.terms) terms.push_back(static_cast<float>(t));
          if (maps) moments.add(image.residual_map);
        },
        [&](const ScoringProgress& p) {
          if (!on_progress) return;
          std::optional<double> left = p.seconds_left;
          if (left) *left += *p.seconds_per_image * static_cast<double>(all - before - samples.size());
          on_progress({static_cast<double>(before) + p.done, all, left});
        });
  };
  collect(normal, c.normal_terms, true, 0);
  collect(data.calibration_abnormal, c.abnormal_terms, false, normal.size());
  moments.store(c);
  fit_combined(c);
  model.calibration = std::move(c);
}

std::vector<float> calibrated_map(const Calibration& c, std::span<const float> residual_map, int side, double sigma) {
  PGAD_CHECK(residual_map.size() == c.map_mean.size(), residual_map.size(), " pixels, calibrated for ",
             c.map_mean.size());
  std::vector<float> map;
  for (std::size_t i = 0; i < residual_map.size(); ++i)
    map.push_back((residual_map[i] - c.map_mean[i]) / c.map_spread[i]);
  return gaussian_blur(map, side, side, sigma);
}

}  // namespace pgad
