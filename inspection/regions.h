#pragma once
// What an operator acts on: the places where an image's anomaly map is high. docs/method.md, "Regions".

#include <pgad/region.h>

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "inspection/scorer.h"

namespace pgad {

// Of the map, in its units.
struct RegionOptions {
  double threshold = 0;       // a region's peak lies above it
  double extent = 0;          // its pixels lie above it; at most the threshold
  bool always_one = false;    // where no peak lies above the threshold the highest region counts that the extent allows
  std::int64_t min_area = 1;  // of a region, pixels of the image
};

// By peak, the highest first. map [height, width]; NaN is below any threshold.
std::vector<Region> find_regions(std::span<const float> map, int height, int width, const RegionOptions& options);

// Runs of a region's pixels down the columns of the image, left to right: column, first row, row behind the last.
struct ColumnRun {
  int x, top, bottom;
};
std::vector<ColumnRun> column_runs(const Region& region);

// 1 to regions.size() in the order of `regions`, 0 elsewhere; [height, width]. 255 stands for all from that one on.
std::vector<std::uint8_t> label_mask(std::span<const Region> regions, int height, int width);

// Regions that are also in the truth: those whose intersection with a region of the other side is at least `least_iou`
// of their union. Each is paired with one at most, the best pairs first.
struct RegionMatches {
  std::int64_t truths = 0, found = 0;  // regions of the mask, and those of them that have a partner
  std::int64_t regions = 0;            // regions, of which `found` have a partner too
};
// mask [height, width], not 0 where there is a defect; its regions are 8-connected. Empty: there is none.
RegionMatches match_regions(std::span<const Region> regions, std::span<const std::uint8_t> mask, int height, int width,
                            double least_iou);

// With the extent that belongs to a threshold.
RegionOptions region_options(double threshold, std::int64_t min_area);

// The anomaly map of an image that was scored, in its own pixels, [height, width]; -infinity where the model ignores
// what is there.
std::vector<float> whole_map(const Model& model, const ScoredImage& image, double map_sigma);
// Sets the ignored pixels of a map [height, width] to -infinity.
void forget_ignored(const Model& model, std::vector<float>& map);

// Of an image that was scored, in its own pixels.
std::vector<Region> regions_of(const Model& model, const ScoredImage& image, double map_sigma,
                               const RegionOptions& options);

}  // namespace pgad
