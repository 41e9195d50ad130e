#include "apps/inspection/calibration.h"

#include <algorithm>
#include <cmath>

#include "apps/inspection/heatmap.h"
#include "apps/inspection/logistic.h"

namespace pgad {
namespace {

// Terms that `combined` weighs.
constexpr ScoreIndex kCombinedTerms[] = {kResidual, kFeature, kLatentCritic, kCritic};
constexpr int kCombinedCount = 4;

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

}  // namespace

void fit_combined(Calibration& c) {
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
    // One image has no spread, and a term may be the same for all: then the scale is arbitrary but not zero.
    c.spread[t] = std::max(std::sqrt(square / std::max(1.0, n - 1)), 1e-6);
    c.weight[t] = 0;
  }
  c.bias = 0;
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
  const LogisticFit fit = fit_logistic(features, labels, kCombinedCount);
  for (int i = 0; i < kCombinedCount; ++i) c.weight[kCombinedTerms[i]] = fit.weights[static_cast<std::size_t>(i)];
  c.bias = fit.bias;
}

double combined_score(const Calibration& c, const double terms[kTermCount]) {
  double s = c.bias;
  for (const ScoreIndex t : kCombinedTerms) s += c.weight[t] * (terms[t] - c.mean[t]) / c.spread[t];
  return s;
}

Threshold threshold_of(const Calibration& c, ScoreIndex score, double rate) {
  std::vector<double> values;
  for (std::size_t i = 0; i < c.normals(); ++i) {
    const double* terms = c.normal_terms.data() + i * kTermCount;
    values.push_back(score == kCombined ? combined_score(c, terms) : terms[score]);
  }
  return quantile_threshold(values, rate);
}

void calibrate(Exec& exec, Model& model, const Dataset& data,
               const std::function<void(double, std::size_t)>& on_progress) {
  const auto& normal = data.calibration_normal;
  if (normal.empty())
    throw Error("no normal images are held out for calibration: raise --calibration-fraction or give more images");
  model.normal_critic = Scorer(exec, model, model.config.scoring).mean_critic(normal, data.source);

  Scorer scorer(exec, model, model.config.scoring);
  Calibration c;
  MapMoments moments;
  const std::size_t all = normal.size() + data.calibration_abnormal.size();
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
        [&](double done) {
          if (on_progress) on_progress(static_cast<double>(before) + done, all);
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
