#include "preparation/output_folder.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "engine/check.h"

namespace pgad {
namespace {

namespace fs = std::filesystem;

}  // namespace

void OutputFolder::require_free(const std::string& path) {
  std::error_code failed;
  if (fs::exists(path, failed) && (!fs::is_directory(path, failed) || !fs::is_empty(path, failed)))
    throw UsageError(str("--out '", path, "': there is something already; expected a new or an empty folder"));
}

void OutputFolder::require_outside(const std::string& path, const std::string& source) {
  std::error_code failed;
  const fs::path out = fs::weakly_canonical(fs::absolute(path, failed), failed), from = fs::canonical(source, failed);
  if (!failed && std::ranges::mismatch(from, out).in1 == from.end())
    throw UsageError(
        str("--out '", path, "' lies in the source '", source, "', which is not changed; expected a folder elsewhere"));
}

OutputFolder::OutputFolder(std::string path, bool copy) : path_(std::move(path)), copy_(copy) {
  require_free(path_);
  std::error_code failed;
  fs::create_directories(path_, failed);
  if (failed) throw Error(str("'", path_, "': cannot create this folder: ", failed.message()));
}

std::string OutputFolder::name_for(const std::string& folder, const std::string& image) {
  std::set<std::string>& stems = stems_[folder];
  const fs::path path(image);
  std::string stem = path.stem().string();
  const std::string ending = path.extension().string();
  if (stems.insert(stem).second) return stem + ending;
  if (const std::string parent = path.parent_path().filename().string(); !parent.empty()) {
    stem = parent + "_" + stem;
    if (stems.insert(stem).second) return stem + ending;
  }
  for (int i = 2;; ++i)
    if (const std::string numbered = str(stem, "_", i); stems.insert(numbered).second) return numbered + ending;
}

std::string OutputFolder::place(const std::string& folder, const std::string& name) {
  const fs::path to = fs::path(path_) / folder;
  std::error_code failed;
  fs::create_directories(to, failed);
  if (failed) throw Error(str("'", to.string(), "': cannot create this folder: ", failed.message()));
  return (to / name).string();
}

void OutputFolder::put(const std::string& file, const std::string& folder, const std::string& name) {
  const std::string to = place(folder, name);
  std::error_code failed;
  if (copy_)
    fs::copy_file(file, to, failed);
  else
    // The folder's own path: ".." behind a link to a folder would not lead back. A file that is a link stays one.
    fs::create_symlink(fs::canonical(fs::absolute(file).parent_path()) / fs::path(file).filename(), to, failed);
  if (failed)
    throw Error(str("'", file, "': cannot be ", copy_ ? "copied" : "linked", " to '", to, "': ", failed.message()));
}

void OutputFolder::add(const std::string& file, const std::string& folder, const std::string& name) {
  put(file, folder, name);
  ++images_[folder];
}

std::string OutputFolder::place_image(const std::string& folder, const std::string& name) {
  ++images_[folder];
  return place(folder, name);
}

void OutputFolder::add_mask(const std::string& file, const std::string& folder, const std::string& name) {
  put(file, folder, fs::path(name).stem().string() + "_mask" + fs::path(file).extension().string());
  ++masks_;
}

}  // namespace pgad
