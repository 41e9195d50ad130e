#include "images/source.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <unordered_set>
#include <utility>

#include "engine/check.h"
#include "images/atomic_file.h"

namespace pgad {
namespace {

struct GivenPath {
  std::string path;
  std::string where;  // "LIST:3: " for the third line of a list, else empty
};

// @FILE and - replaced by what stands in them.
std::vector<GivenPath> expand_lists(const std::vector<std::string>& paths) {
  std::vector<GivenPath> given;
  for (const std::string& path : paths) {
    const bool standard_input = path == "-";
    if (!standard_input && !path.starts_with('@')) {
      given.push_back({path, ""});
      continue;
    }
    const std::string name = standard_input ? "standard input" : path.substr(1);
    if (name.empty()) throw UsageError("'@': expected the name of a list of images behind it");
    std::string text;
    if (standard_input) {
      text.assign(std::istreambuf_iterator<char>(std::cin), {});
      if (std::cin.bad()) throw DataError("standard input: cannot be read");
    } else {
      text = read_file(name);
    }
    if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);  // a byte order mark, as Windows' editors leave it
    const std::size_t before = given.size();
    long line = 0;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find('\n', begin), text.size());
      std::string entry = text.substr(begin, end - begin);
      begin = end + 1;
      ++line;
      if (entry.ends_with('\r')) entry.pop_back();
      if (entry.find('\0') != std::string::npos) {
        throw DataError(str(name, ":", line, ": not text; expected a list of paths, one per line"));
      }
      if (entry.find_first_not_of(" \t") != std::string::npos) given.push_back({entry, str(name, ":", line, ": ")});
    }
    if (given.size() == before)
      throw DataError(str(name, ": this list of images is empty; expected one path per line"));
  }
  return given;
}

// From the root, without "." and doubled slashes. Links and ".." stay: they are another path.
std::string absolute_path(const std::string& path, const std::string& current) {
  const std::string whole = path.starts_with('/') ? path : current + "/" + path;
  std::string out;
  for (std::size_t begin = 0; begin < whole.size();) {
    const std::size_t end = std::min(whole.find('/', begin), whole.size());
    const std::string_view part(whole.data() + begin, end - begin);
    if (!part.empty() && part != ".") out.append("/").append(part);
    begin = end + 1;
  }
  return out;
}

}  // namespace

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
  Image image = sample.bytes       ? decode_image(*sample.bytes, sample.path, notes, options)
                : sample.index < 0 ? read_image(sample.path, notes, options)
                                   : idx(sample.path)->image(sample.index);
  if (ignore) fill_ignored(*ignore, image, sample.path);
  return image;
}

std::vector<Sample> list_inputs(const std::vector<std::string>& paths, const ImageSource* source, LeftOut* left_out) {
  if (paths.empty()) throw UsageError("no input images given");
  const ImageSource own;
  if (!source) source = &own;
  LeftOut ignored;
  if (!left_out) left_out = &ignored;
  const std::vector<GivenPath> given = expand_lists(paths);
  std::vector<Sample> samples;
  std::unordered_set<std::string> seen;
  const std::string current = std::filesystem::current_path().string();
  const auto first_time = [&](const std::string& path) {
    return given.size() == 1 || seen.insert(absolute_path(path, current)).second;
  };
  const auto add_file = [&](std::string name, std::string path) {
    if (first_time(path)) samples.push_back({std::move(name), std::move(path), -1, "", false, ""});
  };
  const auto add_idx = [&](const std::string& name, const std::string& path) {
    if (!first_time(path)) return;
    const long count = source->idx(path)->count;
    for (long i = 0; i < count; ++i) samples.push_back({str(name, ":", i), path, i, "", false, ""});
  };
  for (const GivenPath& input : given) {
    const std::string &path = input.path, &where = input.where;
    if (!path_exists(path)) {
      if (where.empty()) throw DataError(str("input '", path, "' does not exist"));
      left_out->missing.push_back(str(where, "'", path, "' does not exist"));
      add_file(path, path);
      continue;
    }
    if (!is_directory(path)) {
      if (!has_image_extension(path) && is_idx_images(path)) {
        add_idx(path, path);
      } else {
        add_file(path, path);
      }
      continue;
    }
    const auto name_of = [&](const std::string& relative) {
      return given.size() == 1 ? relative : join_path(path, relative);
    };
    bool any = false;
    LeftOut here;
    for (const IdxPair& pair : find_idx_images(path)) {
      add_idx(name_of(pair.name + "-images"), pair.images);
      any = true;
    }
    for (const std::string& relative : list_images(path, &here)) {
      add_file(name_of(relative), join_path(path, relative));
      any = true;
    }
    if (!any) throw DataError(str(where, no_images(path, here)));
    left_out->add(here);
  }
  if (!left_out->missing.empty() && left_out->missing.size() == samples.size()) {
    throw DataError(str(left_out->missing.front(), samples.size() > 1 ? ", nor do the other paths of the list" : "",
                        "; paths are relative to the current folder, '", current, "'"));
  }
  if (samples.empty()) throw DataError("the inputs hold no image");
  return samples;
}

}  // namespace pgad
