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

AnomalyMap anomaly_map(const Model& model, const ImageResult& image, double sigma) {
  if (!model.calibration) return {image.residual_map, kResidualLow, kResidualHigh};
  const Calibration& c = *model.calibration;
  AnomalyMap map{calibrated_map(c, image.residual_map, image.rows, image.columns, sigma), kMapLow, kMapHigh};
  if (image.critic_map.empty()) return map;
  double residual = c.weight[kResidual] + c.weight[kPeak], critic = c.weight[kPatchCritic] + c.weight[kPatchArea];
  const double both = residual + critic;
  residual = both > 0 ? residual / both : 0.5;
  critic = 1 - residual;
  for (std::size_t i = 0; i < map.values.size(); ++i)
    map.values[i] = static_cast<float>(residual * map.values[i] +
                                       critic * (image.critic_map[i] - c.critic_map_mean) / c.critic_map_spread);
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
