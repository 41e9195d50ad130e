#include "apps/data/source.h"

#include <filesystem>
#include <map>
#include <mutex>
#include <set>

#include "apps/data/listing.h"
#include "engine/check.h"

namespace pgad {

struct ImageSource::Cache {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<const IdxImages>> files;
};

ImageSource::ImageSource() : cache_(std::make_shared<Cache>()) {}

std::shared_ptr<const IdxImages> ImageSource::idx(const std::string& path) const {
  // Locked while reading, so that threads starting together do not all read the same file.
  const std::lock_guard lock(cache_->mutex);
  auto& file = cache_->files[path];
  if (!file) file = std::make_shared<const IdxImages>(read_idx_images(path));
  return file;
}

Image ImageSource::load(const Sample& sample, std::vector<std::string>* notes) const {
  return sample.index < 0 ? read_image(sample.path, notes, options) : idx(sample.path)->image(sample.index);
}

std::vector<Sample> list_inputs(const std::vector<std::string>& paths, const ImageSource* source) {
  if (paths.empty()) throw UsageError("no input images given");
  const ImageSource own;
  if (!source) source = &own;
  std::vector<Sample> samples;
  std::set<std::string> seen;
  const auto first_time = [&](const std::string& path) {
    std::error_code error;
    const std::string real = std::filesystem::canonical(path, error).string();
    return seen.insert(error ? path : real).second;
  };
  const auto add_file = [&](const std::string& name, const std::string& path) {
    if (first_time(path)) samples.push_back({name, path, -1, "", false, ""});
  };
  const auto add_idx = [&](const std::string& name, const std::string& path) {
    if (!first_time(path)) return;
    const long count = source->idx(path)->count;
    for (long i = 0; i < count; ++i) samples.push_back({str(name, ":", i), path, i, "", false, ""});
  };
  for (const std::string& path : paths) {
    if (!path_exists(path)) throw Error(str("input '", path, "' does not exist"));
    if (!is_directory(path)) {
      if (is_idx_images(path)) {
        add_idx(path, path);
      } else {
        add_file(path, path);
      }
      continue;
    }
    const auto name_of = [&](const std::string& relative) {
      return paths.size() == 1 ? relative : join_path(path, relative);
    };
    bool any = false;
    for (const IdxPair& pair : find_idx_images(path)) {
      add_idx(name_of(pair.name + "-images"), pair.images);
      any = true;
    }
    for (const std::string& relative : list_images(path)) {
      add_file(name_of(relative), join_path(path, relative));
      any = true;
    }
    if (!any) {
      throw Error(str("no images (", kImageEndings, " or *-images-idx3-ubyte) in the folder '", path, "'"));
    }
  }
  if (samples.empty()) throw Error("the inputs hold no image");
  return samples;
}

}  // namespace pgad
