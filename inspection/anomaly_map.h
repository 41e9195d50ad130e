#pragma once
// The map that a person looks at.

#include <vector>

#include "inspection/scorer.h"

namespace pgad {

struct AnomalyMap {
  std::vector<float> values;  // [rows, columns] of the image's result
  double low, high;           // where its colours begin and end
};

// The calibrated map, in standard deviations of normal images; the residual where the model has no calibration. With a
// patch critic its calibrated logits and the calibrated residual, weighed as `combined` weighs the scores of either.
// The colours' range is fixed, never that of the images at hand, so that pictures of different runs compare.
AnomalyMap anomaly_map(const Model& model, const ImageResult& image, double sigma);

// A map of an image's result, [rows, columns], in the image's own coordinates, [height, width].
std::vector<float> map_in_image(std::span<const float> map, const ImageResult& image, int height, int width,
                                const Preprocessing& p);

// The map's colours over the image, which is dimmed so that heat on white places stands out too. The map has the
// image's size. RGB.
Image heat_over(const Image& image, const AnomalyMap& map);

// Query, reconstruction, |difference| and the map over the query, RGB, enlarged to a size that can be looked at.
std::vector<Image> panel(const Model& model, const ScoredImage& image, double sigma);

}  // namespace pgad
