#pragma once
// Regions as programs read them: in a row of scores.json, and all images' as one COCO file.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "inspection/regions.h"

namespace pgad {

nlohmann::ordered_json to_json(const Region& region);
// Throws nlohmann::json::exception unless it is one.
Region region_from_json(const nlohmann::ordered_json& json);

// COCO's format of annotations for object detection (cocodataset.org, "Data format"): one category, `anomaly`; a region
// is an annotation, its pixels are run lengths down the columns, `score` is its peak. All is kept in memory until the
// end.
class CocoRegions {
 public:
  void add(const std::string& image, int height, int width, const std::vector<Region>& regions);
  std::string json() const;

 private:
  nlohmann::ordered_json images_ = nlohmann::ordered_json::array(), annotations_ = nlohmann::ordered_json::array();
};

}  // namespace pgad
