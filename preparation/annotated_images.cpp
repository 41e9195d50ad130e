#include "preparation/annotated_images.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "engine/check.h"
#include "images/listing.h"
#include "preparation/text.h"

namespace pgad {
namespace {

constexpr int kDeepest = 3;

std::vector<std::string> folders_below(const std::string& folder) {
  std::vector<std::string> paths = {folder};
  for (std::size_t i = 0, level = 1, depth = 0; depth < kDeepest; ++depth, level = paths.size())
    for (; i < level; ++i)
      for (const std::string& name : list_subdirectories(paths[i])) paths.push_back(join_path(paths[i], name));
  return paths;
}

}  // namespace

std::vector<std::string> files_below(const std::string& folder, const std::string& ending) {
  std::vector<std::string> paths;
  if (!is_directory(folder)) return paths;
  const auto visit = [&](const auto& self, const std::string& below, int depth) -> void {
    const std::string path = join_path(folder, below);
    for (const std::string& name : list_files(path))
      if (ending_of(name) == ending) paths.push_back(join_path(below, name));
    for (const std::string& name : list_subdirectories(path))
      if (depth < kDeepest) self(self, join_path(below, name), depth + 1);
  };
  visit(visit, "", 0);
  std::ranges::sort(paths);
  return paths;
}

std::string subfolder(const std::string& folder, std::initializer_list<const char*> names) {
  for (const char* wanted : names)
    for (const std::string& name : list_subdirectories(folder))
      if (lower_case(name) == wanted) return join_path(folder, name);
  return "";
}

std::string voc_folder(const std::string& source) {
  const std::string folder = subfolder(source, {"annotations"});
  return !folder.empty() && !files_below(folder, ".xml").empty() ? folder : source;
}

std::string coco_images(const Coco& coco, const std::string& json, const std::string& source,
                        const std::string& images) {
  std::vector<std::string> folders = {images};
  if (images.empty()) {
    folders = {folder_of(json).empty() ? "." : folder_of(json)};
    for (const std::string& folder : folders_below(source))
      if (folder != folders.front()) folders.push_back(folder);
  }
  const auto missing_in = [&](const std::string& folder) {
    std::vector<const CocoImage*> missing;
    for (const auto& [id, image] : coco.images)
      if (!path_exists(join_path(folder, image.file))) missing.push_back(&image);
    return missing;
  };
  std::vector<std::string> whole;
  std::string best;
  std::vector<const CocoImage*> fewest;
  for (const std::string& folder : folders) {
    std::vector<const CocoImage*> missing = missing_in(folder);
    if (missing.empty()) whole.push_back(folder);
    if (best.empty() || missing.size() < fewest.size()) std::tie(best, fewest) = std::pair(folder, std::move(missing));
  }
  if (whole.empty())
    throw DataError(str(fewest.front()->where, ": the image '", join_path(best, fewest.front()->file),
                        "' does not exist (", fewest.size(), " of ", coco.images.size(),
                        " are not there); --images names their folder"));
  // instances_train2017.json belongs to train2017.
  const auto named = std::ranges::find_if(
      whole, [&](const std::string& folder) { return stem_of(file_name(json)).ends_with(file_name(folder)); });
  if (whole.size() == 1 || whole.front() == folders.front()) return whole.front();
  if (named == whole.end())
    throw UsageError(str("several folders hold the images of '", json, "': --images says which: ", joined(whole)));
  return *named;
}

ImagesByName images_by_name(const std::string& folder) {
  ImagesByName by_name;
  for (const std::string& image : list_images(folder)) {
    by_name[file_name(image)].push_back(image);
    by_name[stem_of(file_name(image))].push_back(image);
  }
  return by_name;
}

std::string voc_image(const Voc& voc, const ImagesByName& by_name, const std::string& images) {
  auto found = by_name.find(stem_of(file_name(voc.xml)));
  if (found == by_name.end() && !voc.image_name.empty())
    found = by_name.find(file_name(checked_path(voc.image_name, voc.where + ", <filename>")));
  if (found == by_name.end())
    throw DataError(str(voc.where, ": there is no image of this name and none '", voc.image_name, "' in '", images,
                        "'; --images names their folder"));
  // 1.jpg, and a mask 1.png beside it.
  std::vector<std::string> meant;
  for (const std::string& image : found->second)
    if (file_name(image) == file_name(voc.image_name)) meant.push_back(image);
  if (meant.empty()) meant = found->second;
  if (meant.size() == 1) return meant.front();
  const auto beside = [&](const std::string& image) { return folder_of(image) == folder_of(voc.xml); };
  if (std::ranges::count_if(meant, beside) != 1)
    throw DataError(str(voc.where, ": which image is meant, ", joined(meant), "? --images names their folder"));
  return *std::ranges::find_if(meant, beside);
}

}  // namespace pgad
