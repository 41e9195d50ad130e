#include "apps/data/listing.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>

#include "apps/data/image.h"
#include "engine/check.h"

namespace pgad {
namespace {

namespace fs = std::filesystem;

struct Entry {
  std::string name;
  bool directory;
};

std::vector<Entry> entries_of(const std::string& directory) {
  std::error_code error;
  std::vector<Entry> entries;
  fs::directory_iterator it(directory, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.empty() || name[0] == '.') continue;
    std::error_code ignored;  // a dangling link is no directory
    entries.push_back({name, it->is_directory(ignored)});
  }
  if (error) throw Error(str("cannot list the directory '", directory, "': ", error.message()));
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

// Calls `found` with the relative path of each image until it returns false. `ancestors` holds the real paths
// from the root down, so that a link to a parent does not recurse for ever.
bool walk(const std::string& directory, const std::string& prefix, std::set<std::string>& ancestors,
          const std::function<bool(const std::string&)>& found) {
  std::error_code error;
  const std::string real = fs::canonical(directory, error).string();
  if (error) throw Error(str("cannot list the directory '", directory, "': ", error.message()));
  if (!ancestors.insert(real).second) return true;
  bool go_on = true;
  for (const Entry& entry : entries_of(directory)) {
    const std::string name = join_path(prefix, entry.name);
    if (entry.directory) {
      go_on = walk(join_path(directory, entry.name), name, ancestors, found);
    } else if (has_image_extension(entry.name)) {
      go_on = found(name);
    }
    if (!go_on) break;
  }
  ancestors.erase(real);
  return go_on;
}

std::vector<std::string> names_of(const std::string& directory, bool directories) {
  std::vector<std::string> names;
  for (Entry& entry : entries_of(directory)) {
    if (entry.directory == directories) names.push_back(std::move(entry.name));
  }
  return names;
}

}  // namespace

bool is_directory(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool path_exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool has_image_extension(const std::string& path) {
  std::string extension = fs::path(path).extension().string();
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return !extension.empty() && str(", ", kImageEndings, ",").find(", " + extension + ",") != std::string::npos;
}

std::vector<std::string> list_subdirectories(const std::string& directory) { return names_of(directory, true); }

std::vector<std::string> list_files(const std::string& directory) { return names_of(directory, false); }

std::vector<std::string> list_images(const std::string& directory) {
  std::vector<std::string> paths;
  std::set<std::string> ancestors;
  walk(directory, "", ancestors, [&](const std::string& path) {
    paths.push_back(path);
    return true;
  });
  std::sort(paths.begin(), paths.end());  // whole paths: walking order puts "a/b" before "a.png"
  return paths;
}

bool contains_images(const std::string& directory) {
  bool any = false;
  std::set<std::string> ancestors;
  walk(directory, "", ancestors, [&](const std::string&) {
    any = true;
    return false;
  });
  return any;
}

std::string join_path(const std::string& directory, const std::string& name) {
  if (directory.empty()) return name;
  return directory.back() == '/' ? directory + name : directory + "/" + name;
}

}  // namespace pgad
