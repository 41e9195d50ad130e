#pragma once
// The map that a person looks at.

#include <array>
#include <vector>

#include "inspection/scorer.h"

namespace pgad {

struct AnomalyMap {
  std::vector<float> values;  // [rows, columns] of the image's result
  double low, high;           // where its colours begin and end
};

// What the map is made of, each in standard deviations of normal surface, [rows, columns]: the residual, smoothed; with
// tiles where D sees a difference; with patch critics their logits. Empty: the image has none.
std::array<std::vector<float>, kMapParts> standardised_maps(const Calibration& calibration, const ImageResult& image,
                                                            double sigma);

// The mean of these, weighed as calibration has found best (Calibration::map_weights), else as `combined` weighs the
// scores made of each; the residual as it is where the model has no calibration.
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
