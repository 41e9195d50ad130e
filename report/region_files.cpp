#include "report/region_files.h"

namespace pgad {
namespace {

using OrderedJson = nlohmann::ordered_json;

// Lengths of runs of pixels outside and inside by turns, down the columns, beginning with outside.
std::vector<std::int64_t> run_lengths(const Region& region, int height, int width) {
  std::vector<std::int64_t> lengths;
  std::int64_t end = 0;  // of the run before
  for (const ColumnRun& run : column_runs(region)) {
    const std::int64_t top = std::int64_t{run.x} * height + run.top, bottom = std::int64_t{run.x} * height + run.bottom;
    if (top == end && !lengths.empty())  // down to the last row, and on in the first of the next column
      lengths.back() += bottom - top;
    else
      lengths.insert(lengths.end(), {top - end, bottom - top});
    end = bottom;
  }
  lengths.push_back(std::int64_t{height} * width - end);
  return lengths;
}

}  // namespace

OrderedJson to_json(const Region& r) {
  return {{"box", {r.left, r.top, r.width, r.height}}, {"area", r.area}, {"peak", r.peak},
          {"peak_at", {r.peak_x, r.peak_y}},           {"mean", r.mean}, {"contours", r.contours}};
}

Region region_from_json(const OrderedJson& json) {
  Region r;
  const OrderedJson &box = json.at("box"), &peak = json.at("peak_at");
  r.left = box.at(0).get<int>();
  r.top = box.at(1).get<int>();
  r.width = box.at(2).get<int>();
  r.height = box.at(3).get<int>();
  r.area = json.at("area").get<std::int64_t>();
  r.peak = json.at("peak").get<double>();
  r.peak_x = peak.at(0).get<int>();
  r.peak_y = peak.at(1).get<int>();
  r.mean = json.at("mean").get<double>();
  r.contours = json.at("contours").get<std::vector<std::vector<int>>>();
  return r;
}

void CocoRegions::add(const std::string& image, int height, int width, const std::vector<Region>& regions) {
  const std::size_t id = images_.size() + 1;
  images_.push_back({{"id", id}, {"file_name", image}, {"height", height}, {"width", width}});
  for (const Region& r : regions)
    annotations_.push_back({{"id", annotations_.size() + 1},
                            {"image_id", id},
                            {"category_id", 1},
                            {"bbox", {r.left, r.top, r.width, r.height}},
                            {"area", r.area},
                            {"segmentation", {{"size", {height, width}}, {"counts", run_lengths(r, height, width)}}},
                            {"iscrowd", 0},
                            {"score", r.peak}});
}

std::string CocoRegions::json() const {
  const OrderedJson all = {{"images", images_},
                           {"annotations", annotations_},
                           {"categories", {{{"id", 1}, {"name", "anomaly"}, {"supercategory", "anomaly"}}}}};
  return all.dump() + "\n";
}

}  // namespace pgad
