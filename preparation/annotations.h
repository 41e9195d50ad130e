#pragma once
// What COCO's and VOC's files say of images, and its drawing as masks. Pure functions, thread-safe.

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "images/image.h"

namespace pgad {

// What an annotation marks of an image, or several of them.
struct Region {
  std::vector<std::vector<double>> polygons;    // x0, y0, x1, y1, ...; boxes too
  std::vector<std::vector<std::int64_t>> runs;  // COCO's: pixels of 0, of 1, of 0, ... down the columns
};

double area_of(const Region& region);  // pixels; what overlaps counts twice
void unite(Region& to, Region region);

// 1 where a pixel's centre lies in one of the polygons (each by the even-odd rule) or in a run. What lies outside the
// image is cut off; runs must cover height * width pixels.
Image draw_region(const Region& region, int height, int width);

struct CocoImage {
  std::string file, where;
  int height = 0, width = 0;
};

struct CocoAnnotation {
  std::string image, category, where;
  Region region;
  int height = 0, width = 0;  // of run lengths; else 0
};

struct Coco {
  std::map<std::string, CocoImage> images;        // by id
  std::map<std::string, std::string> categories;  // id -> name
  std::vector<CocoAnnotation> annotations;
  std::vector<std::string> empty;  // annotations without an area, which some tools leave of erased ones: where
};

// Throws DataError, naming the file and the entry, for anything that is not COCO's or does not make sense.
Coco read_coco(const std::string& path);
// Whether a JSON file looks like one; it is searched, not parsed.
bool is_coco(const std::string& path);

struct Voc {
  std::string xml, where, image_name;  // xml: relative to its folder
  int height = 0, width = 0;
  std::vector<std::pair<std::string, Region>> objects;
};

// The file folder/xml. Throws DataError, naming the file and the object.
Voc read_voc(const std::string& folder, const std::string& xml);

// `path` as a file of annotations gives it, which must not lead out of the folder that it is relative to: DataError.
// `where` names the file and the entry. Returned without "." and empty parts.
std::string checked_path(const std::string& path, const std::string& where);

}  // namespace pgad
