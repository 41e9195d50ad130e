#include "inspection/anomaly_map.h"

#include <algorithm>

#include "images/pictures.h"
#include "inspection/calibration.h"

namespace pgad {
namespace {

constexpr double kMapLow = 1, kMapHigh = 4.5;              // standard deviations
constexpr double kResidualLow = 0.1, kResidualHigh = 1.5;  // of |x - G(z)|, at most 2
constexpr float kDimmed = 0.45f;                           // of the brightness of the image under the heat
constexpr int kPanelSide = 96;                             // pixels, at least

}  // namespace

std::array<std::vector<float>, kMapParts> standardised_maps(const Calibration& c, const ImageResult& image,
                                                            double sigma) {
  const auto standardised = [](std::vector<float> map, double mean, double spread) {
    for (float& v : map) v = static_cast<float>((v - mean) / spread);
    return map;
  };
  return {calibrated_map(c, image.residual_map, image.rows, image.columns, sigma),
          standardised(image.feature_map, c.feature_map_mean, c.feature_map_spread),
          standardised(image.critic_map, c.critic_map_mean, c.critic_map_spread)};
}

AnomalyMap anomaly_map(const Model& model, const ImageResult& image, double sigma) {
  if (!model.calibration) return {image.residual_map, kResidualLow, kResidualHigh};
  const Calibration& c = *model.calibration;
  const std::array<std::vector<float>, kMapParts> parts = standardised_maps(c, image, sigma);
  std::array<double, kMapParts> weights = {c.weight[kResidual] + c.weight[kPeak], c.weight[kFeatureMaps],
                                           c.weight[kPatchCritic] + c.weight[kPatchArea]};
  if (!c.map_weights.empty()) std::ranges::copy(c.map_weights, weights.begin());
  double sum = 0, count = 0;
  for (std::size_t i = 0; i < kMapParts; ++i)
    if (!parts[i].empty()) {
      sum += weights[i];
      ++count;
    }
  AnomalyMap map{std::vector<float>(parts[0].size()), kMapLow, kMapHigh};
  for (std::size_t i = 0; i < kMapParts; ++i) {
    const auto share = static_cast<float>(sum > 0 ? weights[i] / sum : 1 / count);
    for (std::size_t k = 0; k < parts[i].size(); ++k) map.values[k] += share * parts[i][k];
  }
  const std::vector<std::uint8_t> ignored = ignored_places(model, image.rows, image.columns);
  for (std::size_t k = 0; k < ignored.size(); ++k)
    if (ignored[k] != 0) map.values[k] = std::min(map.values[k], 0.0f);
  return map;
}

std::vector<float> map_in_image(std::span<const float> map, const ImageResult& image, int height, int width,
                                const Preprocessing& p) {
  if (p.tiles) return resize(map, image.rows, image.columns, 1, height, width);
  Preprocessing at_map = p;
  at_map.resolution = image.rows;
  return map_to_image(map, height, width, at_map);
}

Image heat_over(const Image& image, const AnomalyMap& map) {
  Image dim = image;
  for (float& v : dim.pixels) v *= kDimmed;
  return overlay(dim, map.values, map.low, map.high, 0.9);
}

std::vector<Image> panel(const Model& model, const ScoredImage& image, double sigma) {
  const int channels = model.config.network.channels;
  const AnomalyMap map = anomaly_map(model, image, sigma);
  const Image query = picture(image.query, image.rows, image.columns, channels);
  std::vector<Image> cells = {query, picture(image.reconstruction, image.rows, image.columns, channels),
                              colorize(image.residual_map, image.rows, image.columns, 0, 2), heat_over(query, map)};
  for (Image& cell : cells)
    cell = upscale_nearest(convert_channels(cell, 3), std::max(1, kPanelSide / std::max(image.rows, image.columns)));
  return cells;
}

}  // namespace pgad
