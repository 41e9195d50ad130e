#pragma once
// The map that a person looks at.

#include <vector>

#include "inspection/scorer.h"

namespace pgad {

struct AnomalyMap {
  std::vector<float> values;  // [s, s]
  double low, high;           // where its colours begin and end
};

// The calibrated map, in standard deviations of normal images; the residual where the model has no calibration. The
// colours' range is fixed, never that of the images at hand, so that pictures of different runs compare.
AnomalyMap anomaly_map(const Model& model, std::span<const float> residual_map, double sigma);

// The map's colours over the image, which is dimmed so that heat on white places stands out too. The map has the
// image's size. RGB.
Image heat_over(const Image& image, const AnomalyMap& map);

// Query, reconstruction, |difference| and the map over the query, RGB, enlarged to a size that can be looked at.
std::vector<Image> panel(const Model& model, const ScoredImage& image, double sigma);

}  // namespace pgad
