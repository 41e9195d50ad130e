#include "preparation/annotations.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>

#include "engine/check.h"
#include "images/atomic_file.h"
#include "images/polygon.h"
#include "preparation/text.h"

namespace pgad {
namespace {

using Json = nlohmann::json;

constexpr double kFarthest = kFarthestPoint;

Region box(double left, double top, double right, double bottom) {
  return {{{left, top, right, top, right, bottom, left, bottom}}, {}};
}

class Drawing {
 public:
  Drawing(int height, int width)
      : height_(height), width_(width), mask_(static_cast<std::size_t>(height) * static_cast<std::size_t>(width)) {}

  void add_polygon(const std::vector<double>& p) { draw_polygon(p, height_, width_, mask_); }

  void add_runs(const std::vector<std::int64_t>& runs) {
    std::int64_t at = 0;
    for (std::size_t i = 0; i < runs.size(); at += runs[i++])
      for (std::int64_t j = at; i % 2 == 1 && j < at + runs[i]; ++j)
        mark(static_cast<int>(j % height_), static_cast<int>(j / height_));
  }

  Image take() {
    Image image{height_, width_, 1, {}};
    image.pixels.assign(mask_.begin(), mask_.end());
    return image;
  }

 private:
  void mark(int y, int x) {
    mask_[static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(x)] = 1;
  }

  int height_, width_;
  std::vector<std::uint8_t> mask_;
};

// ---- COCO ----

const Json& member(const Json& object, const char* key, const std::string& where, const char* expected) {
  const auto found = object.find(key);
  if (found == object.end()) throw DataError(str(where, ": there is no \"", key, "\"; expected ", expected));
  return *found;
}

std::string text_member(const Json& object, const char* key, const std::string& where) {
  const Json& value = member(object, key, where, "a string");
  if (!value.is_string()) fail_value(where, str('"', key, '"'), value.dump(), "a string");
  return value.get<std::string>();
}

// Whole numbers as a rule; some tools write strings.
std::string id_member(const Json& object, const char* key, const std::string& where) {
  const Json& value = member(object, key, where, "a whole number");
  if (!value.is_number_integer() && !value.is_string())
    fail_value(where, str('"', key, '"'), value.dump(), "a whole number");
  return value.dump();
}

// Width or height; 0 where the file does not say.
int side_member(const Json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return 0;
  if (!found->is_number_integer() || *found < 1 || *found > kFarthest)
    fail_value(where, str('"', key, '"'), found->dump(), "a number of pixels");
  return found->get<int>();
}

std::vector<double> coordinates(const Json& value, const char* what, const std::string& where) {
  std::vector<double> numbers;
  if (!value.is_array()) fail_value(where, what, value.dump(), "a list of numbers");
  for (const Json& n : value) {
    if (!n.is_number() || std::abs(n.get<double>()) > kFarthest)
      fail_value(where, str("a value of ", what), n.dump(), "a number of pixels");
    numbers.push_back(n.get<double>());
  }
  return numbers;
}

// COCO's compressed runs: numbers of five bits a character, the least first, each but the first three as the difference
// to the one two before.
std::vector<std::int64_t> unpacked_runs(const std::string& text, const std::string& where) {
  std::vector<std::int64_t> runs;
  for (std::size_t i = 0; i < text.size();) {
    std::uint64_t bits = 0;
    int shift = 0, value = 0;
    do {
      value = i < text.size() ? text[i++] - 48 : -1;
      if (value < 0 || value > 63 || shift > 40)
        fail_value(where, "the run-length code", '"' + text + '"',
                   "COCO's compressed one; it is cut off or damaged: export it anew");
      bits |= static_cast<std::uint64_t>(value & 31) << shift;
      shift += 5;
    } while (value & 32);
    if (value & 16) bits |= ~std::uint64_t{0} << shift;
    runs.push_back(static_cast<std::int64_t>(bits) + (runs.size() > 2 ? runs[runs.size() - 2] : 0));
    if (std::abs(static_cast<double>(runs.back())) > kFarthest)
      fail_value(where, "a run length", str(runs.back()), "a number of pixels");
  }
  return runs;
}

std::vector<std::int64_t> runs_of(const Json& value, CocoAnnotation& annotation) {
  const std::string& where = annotation.where;
  const Json& size = member(value, "size", where, "the image's [height, width] beside run lengths");
  const Json& counts = member(value, "counts", where, "run lengths");
  const std::vector<double> sides = coordinates(size, "\"size\"", where);
  const auto whole = [](double n) { return n >= 1 && n == std::floor(n); };
  if (sides.size() != 2 || !std::ranges::all_of(sides, whole))
    fail_value(where, "\"size\"", size.dump(), "the image's [height, width]");
  annotation.height = static_cast<int>(sides[0]);
  annotation.width = static_cast<int>(sides[1]);
  std::vector<std::int64_t> runs;
  if (counts.is_string()) {
    runs = unpacked_runs(counts.get<std::string>(), where);
  } else {
    for (const double n : coordinates(counts, "\"counts\"", where)) {
      if (n != std::floor(n)) fail_value(where, "a run length", str(n), "a whole number");
      runs.push_back(static_cast<std::int64_t>(n));
    }
  }
  const std::int64_t pixels = static_cast<std::int64_t>(annotation.height) * annotation.width;
  std::int64_t sum = 0;
  for (const std::int64_t n : runs) {
    if (n < 0 || n > pixels) fail_value(where, "a run length", str(n), str("0 to ", pixels));
    sum += n;
    if (sum > pixels) break;
  }
  if (sum != pixels)
    throw DataError(str(where, ": run lengths cover ", sum > pixels ? "more than " : str(sum, " of "), pixels,
                        " pixels; expected all of ", annotation.width, "x", annotation.height));
  return runs;
}

void read_region(const Json& value, CocoAnnotation& annotation) {
  const std::string& where = annotation.where;
  const auto segmentation = value.find("segmentation");
  // Some tools write a box's two corners as a polygon; the box says it better.
  const auto is_area = [](const Json& polygon) { return !polygon.is_array() || polygon.size() >= 6; };
  const bool polygons = segmentation != value.end() && segmentation->is_array() && !segmentation->empty();
  const bool no_areas = polygons && value.contains("bbox") && std::ranges::none_of(*segmentation, is_area);
  if (segmentation == value.end() || segmentation->empty() || no_areas) {
    const Json& numbers = member(value, "bbox", where, "that or a \"segmentation\"");
    const std::vector<double> b = coordinates(numbers, "\"bbox\"", where);
    if (b.size() != 4 || b[2] < 0 || b[3] < 0)
      fail_value(where, "\"bbox\"", numbers.dump(), "[left, top, width, height]");
    annotation.region = box(b[0], b[1], b[0] + b[2], b[1] + b[3]);
  } else if (segmentation->is_object()) {
    annotation.region.runs.push_back(runs_of(*segmentation, annotation));
  } else {
    if (!segmentation->is_array())
      fail_value(where, "\"segmentation\"", segmentation->dump(), "polygons or run lengths");
    for (const Json& polygon : *segmentation) {
      annotation.region.polygons.push_back(coordinates(polygon, "a polygon", where));
      const std::size_t n = annotation.region.polygons.back().size();
      if (n % 2 != 0 || n < 6)
        fail_value(where, "a polygon", str("of ", n, " numbers: ", polygon.dump()),
                   "x and y of three corners or more; remove the annotation or export it anew");
    }
  }
}

// ---- VOC ----

double xml_number(const pugi::xml_node& node, const char* key, const std::string& where) {
  const std::string text = trimmed(node.child_value(key));
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(std::abs(value) <= kFarthest))
    fail_value(where, str('<', key, '>'), str("'", text, "'"), "a number of pixels");
  return value;
}

}  // namespace

double area_of(const Region& region) {
  double area = 0;
  for (const std::vector<double>& p : region.polygons) {
    double twice = 0;
    for (std::size_t i = 0, n = p.size(); i < n; i += 2) twice += p[i] * p[(i + 3) % n] - p[(i + 2) % n] * p[i + 1];
    area += std::abs(twice) / 2;
  }
  for (const auto& runs : region.runs)
    for (std::size_t i = 1; i < runs.size(); i += 2) area += static_cast<double>(runs[i]);
  return area;
}

void unite(Region& to, Region region) {
  std::ranges::move(region.polygons, std::back_inserter(to.polygons));
  std::ranges::move(region.runs, std::back_inserter(to.runs));
}

Image draw_region(const Region& region, int height, int width) {
  Drawing drawing(height, width);
  for (const auto& polygon : region.polygons) drawing.add_polygon(polygon);
  for (const auto& runs : region.runs) drawing.add_runs(runs);
  return drawing.take();
}

// Entries are taken over one by one while the text is read, so that a large file's are never all in memory as JSON.
Coco read_coco(const std::string& path) {
  Coco coco;
  std::string list;
  std::map<std::string, long> seen;
  const auto take = [&](int depth, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::key && depth == 1) list = value.get<std::string>();
    if (event != Json::parse_event_t::object_end || depth != 2) return true;
    if (list != "images" && list != "annotations" && list != "categories") return true;
    std::string where = str("'", path, "', ", list, "[", seen[list]++, "]");
    if (value.contains("id")) where += str(" (id ", value["id"].dump(), ")");
    if (list == "categories") {
      if (!coco.categories.emplace(id_member(value, "id", where), text_member(value, "name", where)).second)
        throw DataError(str(where, ": this id stands twice; expected each once"));
    } else if (list == "images") {
      CocoImage image{checked_path(text_member(value, "file_name", where), where), where,
                      side_member(value, "height", where), side_member(value, "width", where)};
      if (!coco.images.emplace(id_member(value, "id", where), std::move(image)).second)
        throw DataError(str(where, ": this id stands twice; expected each once"));
    } else {
      CocoAnnotation annotation;
      annotation.image = id_member(value, "image_id", where);
      annotation.category = id_member(value, "category_id", where);
      annotation.where = where;
      read_region(value, annotation);
      if (area_of(annotation.region) > 0 || !annotation.region.runs.empty())
        coco.annotations.push_back(std::move(annotation));
      else
        coco.empty.push_back(where);
    }
    return false;
  };
  const std::string text = read_file(path);
  Json rest;
  try {
    rest = Json::parse(text.begin(), text.end(), take);
  } catch (const Json::exception& e) {
    throw DataError(str("'", path, "': not valid JSON: ", e.what(), "; export it anew"));
  }
  for (const char* key : {"images", "annotations", "categories"})
    if (!rest.is_object() || !rest.contains(key) || !rest[key].is_array() || !rest[key].empty())
      throw DataError(str("'", path, "': expected COCO's JSON, with a list of objects \"", key, "\""));
  return coco;
}

bool is_coco(const std::string& path) {
  const std::string text = read_file(path);
  return text.find("\"images\"") != std::string::npos && text.find("\"annotations\"") != std::string::npos;
}

Voc read_voc(const std::string& folder, const std::string& xml) {
  Voc voc{xml, str("'", join_path(folder, xml), "'"), "", 0, 0, {}};
  const std::string text = read_file(join_path(folder, xml));
  pugi::xml_document document;
  const pugi::xml_parse_result result = document.load_buffer(text.data(), text.size());
  if (!result) {
    const auto at = text.begin() + std::clamp<std::ptrdiff_t>(result.offset, 0, std::ssize(text));
    throw DataError(str(voc.where, ", line ", 1 + std::count(text.begin(), at, '\n'),
                        ": not valid XML: ", result.description(), "; export it anew"));
  }
  const pugi::xml_node root = document.child("annotation");
  if (!root) throw DataError(str(voc.where, ": expected VOC's XML, with <annotation>"));
  voc.image_name = trimmed(root.child_value("filename"));
  if (const pugi::xml_node size = root.child("size")) {  // many tools write 0
    voc.height = static_cast<int>(xml_number(size, "height", voc.where + ", <size>"));
    voc.width = static_cast<int>(xml_number(size, "width", voc.where + ", <size>"));
  }
  int number = 0;
  for (const pugi::xml_node& object : root.children("object")) {
    const std::string where = str(voc.where, ", <object> ", ++number);
    const std::string name = trimmed(object.child_value("name"));
    if (name.empty()) throw DataError(where + ": there is no <name>; expected what the box shows");
    const pugi::xml_node b = object.child("bndbox");
    if (!b) throw DataError(where + ": there is no <bndbox>; expected a box");
    const double left = xml_number(b, "xmin", where), top = xml_number(b, "ymin", where),
                 right = xml_number(b, "xmax", where), bottom = xml_number(b, "ymax", where);
    if (right < left || bottom < top)
      throw DataError(str(where, ": the box goes from ", left, ",", top, " to ", right, ",", bottom,
                          "; expected xmin and ymin to be the smaller ones"));
    voc.objects.emplace_back(name, box(left - 1, top - 1, right, bottom));
  }
  return voc;
}

std::string checked_path(const std::string& path, const std::string& where) {
  const std::vector<std::string> parts = divided_at(path, '/');
  const bool leaves = path.starts_with('/') || std::ranges::find(parts, "..") != parts.end();
  if (path.empty() || leaves || path.find('\0') != std::string::npos)
    throw DataError(str(where, ": the path '", shortened(path),
                        "' is not used; expected one inside the folder of the images, without '..'"));
  return std::filesystem::path(path).lexically_normal().string();
}

}  // namespace pgad
