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

AnomalyMap anomaly_map(const Model& model, std::span<const float> residual_map, double sigma) {
  if (!model.calibration) return {{residual_map.begin(), residual_map.end()}, kResidualLow, kResidualHigh};
  return {calibrated_map(*model.calibration, residual_map, model.side(), sigma), kMapLow, kMapHigh};
}

Image heat_over(const Image& image, const AnomalyMap& map) {
  Image dim = image;
  for (float& v : dim.pixels) v *= kDimmed;
  return overlay(dim, map.values, map.low, map.high, 0.9);
}

std::vector<Image> panel(const Model& model, const ScoredImage& image, double sigma) {
  const int side = model.side(), channels = model.config.network.channels;
  const AnomalyMap map = anomaly_map(model, image.residual_map, sigma);
  const Image query = picture(image.query, side, channels);
  std::vector<Image> cells = {query, picture(image.reconstruction, side, channels),
                              colorize(image.residual_map, side, side, 0, 2), heat_over(query, map)};
  for (Image& cell : cells) cell = upscale_nearest(convert_channels(cell, 3), std::max(1, kPanelSide / side));
  return cells;
}

}  // namespace pgad
