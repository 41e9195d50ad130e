#include "inspection/regions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>

#include "inspection/anomaly_map.h"
#include "inspection/calibration.h"
#include "inspection/metrics.h"

namespace pgad {
namespace {

// Borders of the pixels whose label is `label`, within the region's box. A pixel's edges are walked with the pixel on
// the right hand; where two pixels meet at a corner only, the turn to the left joins them, as 8-connected pixels are.
class ContourWalk {
 public:
  ContourWalk(const Region& region, std::span<const std::int32_t> labels, std::int32_t label, int image_width)
      : left_(region.left), top_(region.top), columns_(region.width + 1) {
    const auto inside = [&](int x, int y) {
      return x >= 0 && y >= 0 && x < region.width && y < region.height &&
             labels[static_cast<std::size_t>(top_ + y) * static_cast<std::size_t>(image_width) +
                    static_cast<std::size_t>(left_ + x)] == label;
    };
    leaving_.assign(static_cast<std::size_t>(columns_) * static_cast<std::size_t>(region.height + 1), 0);
    for (int y = 0; y < region.height; ++y)
      for (int x = 0; x < region.width; ++x) {
        if (!inside(x, y)) continue;
        if (!inside(x, y - 1)) at(x, y) |= 1 << kRight;
        if (!inside(x + 1, y)) at(x + 1, y) |= 1 << kDown;
        if (!inside(x, y + 1)) at(x + 1, y + 1) |= 1 << kLeft;
        if (!inside(x - 1, y)) at(x, y + 1) |= 1 << kUp;
      }
  }

  // The outer one first: the topmost border is part of it.
  std::vector<std::vector<int>> contours() {
    std::vector<std::vector<int>> all;
    for (std::size_t i = 0; i < leaving_.size(); ++i)
      while (leaving_[i] != 0) all.push_back(walk(static_cast<int>(i) % columns_, static_cast<int>(i) / columns_));
    return all;
  }

 private:
  enum { kRight, kDown, kLeft, kUp };

  std::uint8_t& at(int x, int y) {
    return leaving_[static_cast<std::size_t>(y) * static_cast<std::size_t>(columns_) + static_cast<std::size_t>(x)];
  }

  std::vector<int> walk(int x, int y) {
    std::vector<int> corners;
    // From a corner in the order of the rows: what was walked before is gone, so what leaves it to the right or
    // downwards begins a border there.
    int direction = (at(x, y) & 1 << kRight) != 0 ? kRight : kDown;
    while (true) {
      corners.insert(corners.end(), {left_ + x, top_ + y});
      do {
        at(x, y) &= static_cast<std::uint8_t>(~(1 << direction));
        x += direction == kRight ? 1 : direction == kLeft ? -1 : 0;
        y += direction == kDown ? 1 : direction == kUp ? -1 : 0;
      } while (can_go(x, y, direction) && !can_go(x, y, left_of(direction)));
      if (can_go(x, y, left_of(direction)))
        direction = left_of(direction);
      else if (can_go(x, y, right_of(direction)))
        direction = right_of(direction);
      else
        return corners;  // where it began
    }
  }

  static int left_of(int direction) { return (direction + 3) % 4; }
  static int right_of(int direction) { return (direction + 1) % 4; }
  bool can_go(int x, int y, int direction) { return (at(x, y) & 1 << direction) != 0; }

  int left_, top_, columns_;
  std::vector<std::uint8_t>
      leaving_;  // by corner of the box's pixels: a bit for each direction in which an edge leaves
};

std::size_t place(int x, int y, int width) {
  return static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x);
}

}  // namespace

std::vector<Region> find_regions(std::span<const float> map, int height, int width, const RegionOptions& options) {
  PGAD_CHECK(options.extent <= options.threshold, options.extent, " above ", options.threshold);
  std::vector<std::uint8_t> above(map.size());
  std::ranges::transform(map, above.begin(), [&](float v) { return v > options.extent; });
  const Components components = connected_components(above, height, width);
  std::vector<Region> all(static_cast<std::size_t>(components.count));
  for (Region& r : all) {
    r.left = width;
    r.top = height;
    r.peak = -std::numeric_limits<double>::infinity();
  }
  // Boxes are kept as left, top and, until the end, the last column and row.
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const std::size_t i = place(x, y, width);
      if (components.labels[i] == 0) continue;
      Region& r = all[static_cast<std::size_t>(components.labels[i] - 1)];
      r.left = std::min(r.left, x);
      r.top = std::min(r.top, y);
      r.width = std::max(r.width, x);
      r.height = std::max(r.height, y);
      ++r.area;
      r.mean += map[i];
      if (map[i] > r.peak) {
        r.peak = map[i];
        r.peak_x = x;
        r.peak_y = y;
      }
    }
  double threshold = options.threshold;
  if (options.always_one) {
    double highest = -std::numeric_limits<double>::infinity();
    for (const Region& r : all)
      if (r.area >= options.min_area) highest = std::max(highest, r.peak);
    if (!(highest > threshold)) threshold = std::nextafter(highest, -std::numeric_limits<double>::infinity());
  }
  std::vector<Region> regions;
  for (std::size_t label = 0; label < all.size(); ++label) {
    Region& r = all[label];
    if (!(r.peak > threshold) || r.area < options.min_area) continue;
    r.width += 1 - r.left;
    r.height += 1 - r.top;
    r.mean /= static_cast<double>(r.area);
    r.contours = ContourWalk(r, components.labels, static_cast<std::int32_t>(label + 1), width).contours();
    regions.push_back(std::move(r));
  }
  std::ranges::stable_sort(regions, std::greater(), &Region::peak);
  return regions;
}

std::vector<ColumnRun> column_runs(const Region& region) {
  // Rows at which a column crosses borders, by column.
  std::vector<std::vector<int>> crossings(static_cast<std::size_t>(region.width));
  for (const std::vector<int>& contour : region.contours)
    for (std::size_t i = 0; i < contour.size(); i += 2) {
      const std::size_t next = (i + 2) % contour.size();
      if (contour[i + 1] != contour[next + 1]) continue;  // upright
      const auto [from, to] = std::minmax(contour[i], contour[next]);
      for (int x = from; x < to; ++x) crossings.at(static_cast<std::size_t>(x - region.left)).push_back(contour[i + 1]);
    }
  std::vector<ColumnRun> runs;
  for (std::size_t column = 0; column < crossings.size(); ++column) {
    std::vector<int>& rows = crossings[column];
    std::ranges::sort(rows);
    for (std::size_t i = 0; i + 1 < rows.size(); i += 2)
      runs.push_back({region.left + static_cast<int>(column), rows[i], rows[i + 1]});
  }
  return runs;
}

std::vector<std::uint8_t> label_mask(std::span<const Region> regions, int height, int width) {
  std::vector<std::uint8_t> labels(static_cast<std::size_t>(height) * static_cast<std::size_t>(width));
  for (std::size_t i = 0; i < regions.size(); ++i)
    for (const ColumnRun& run : column_runs(regions[i]))
      for (int y = run.top; y < run.bottom; ++y)
        labels[place(run.x, y, width)] = static_cast<std::uint8_t>(std::min<std::size_t>(i + 1, 255));
  return labels;
}

RegionMatches match_regions(std::span<const Region> regions, std::span<const std::uint8_t> mask, int height, int width,
                            double least_iou) {
  RegionMatches matches;
  matches.regions = std::ssize(regions);
  if (mask.empty()) return matches;
  const Components truth = connected_components(mask, height, width);
  matches.truths = truth.count;
  std::vector<std::int64_t> areas(static_cast<std::size_t>(truth.count));
  for (const std::int32_t label : truth.labels)
    if (label > 0) ++areas[static_cast<std::size_t>(label - 1)];
  std::vector<std::tuple<double, std::size_t, std::size_t>> pairs;  // overlap, region, region of the truth
  for (std::size_t i = 0; i < regions.size(); ++i) {
    std::vector<std::int64_t> common(areas.size());
    for (const ColumnRun& run : column_runs(regions[i]))
      for (int y = run.top; y < run.bottom; ++y)
        if (const std::int32_t label = truth.labels[place(run.x, y, width)]; label > 0)
          ++common[static_cast<std::size_t>(label - 1)];
    for (std::size_t t = 0; t < areas.size(); ++t) {
      const double all = static_cast<double>(regions[i].area + areas[t] - common[t]);
      if (const double iou = static_cast<double>(common[t]) / all; iou >= least_iou) pairs.emplace_back(iou, i, t);
    }
  }
  std::ranges::sort(pairs, std::greater());
  std::set<std::size_t> taken, found;
  for (const auto& [iou, region, t] : pairs) {
    if (taken.contains(region) || found.contains(t)) continue;
    taken.insert(region);
    found.insert(t);
  }
  matches.found = std::ssize(found);
  return matches;
}

RegionOptions region_options(double threshold, std::int64_t min_area) {
  // Chosen on validation images of magnetic tiles and cast metal (docs/results.md).
  constexpr double kExtent = 0.75;
  return {threshold, threshold - (1 - kExtent) * std::abs(threshold), false, min_area};
}

void forget_ignored(const Model& model, std::vector<float>& map) {
  if (!model.ignore) return;
  PGAD_CHECK(map.size() == model.ignore->pixels.size(), map.size(), " pixels, ignored ones of ",
             model.ignore->pixels.size());
  for (std::size_t i = 0; i < map.size(); ++i)
    if (model.ignore->pixels[i] != 0) map[i] = -std::numeric_limits<float>::infinity();
}

std::vector<float> whole_map(const Model& model, const ScoredImage& image, double map_sigma) {
  std::vector<float> map =
      map_in_image(anomaly_map(model, image, map_sigma).values, image, image.height, image.width, model.preprocessing);
  forget_ignored(model, map);
  return map;
}

std::vector<Region> regions_of(const Model& model, const ScoredImage& image, double map_sigma,
                               const RegionOptions& options) {
  return find_regions(whole_map(model, image, map_sigma), image.height, image.width, options);
}

}  // namespace pgad
