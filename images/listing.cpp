#include "images/listing.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>

#include "engine/check.h"
#include "images/atomic_file.h"
#include "images/image.h"

namespace pgad {
namespace {

namespace fs = std::filesystem;

enum class EntryKind { kFile, kDirectory, kLinkToDirectory, kDanglingLink };

struct Entry {
  std::string name;
  EntryKind kind;
};

template <class Values, class Value>
bool is_one_of(const Values& values, const Value& value) {
  return std::find(std::begin(values), std::end(values), value) != std::end(values);
}

// Hidden, or put there by an operating system or a network drive.
bool is_system_entry(const std::string& name) {
  static constexpr std::string_view kNames[] = {"@eadir",
                                                "#recycle",
                                                "$recycle.bin",
                                                "__macosx",
                                                "desktop.ini",
                                                "ehthumbs.db",
                                                "lost+found",
                                                "network trash folder",
                                                "system volume information",
                                                "temporary items",
                                                "thumbs.db"};
  return name.empty() || name[0] == '.' || is_one_of(kNames, lower_case(name));
}

constexpr const char* kOutputMark = ".pgad-output";

// Everything the programs write into their --out, and nothing else of a folder that they have written to: --out may
// well be the folder of the images itself.
bool is_result_entry(std::string_view name) {
  static constexpr std::string_view kNames[] = {
      "maps",           "samples",      "checkpoints",       "roc.png",       "histogram.png",
      "comparison.png", "examples.png", "samples.png",       "distances.png", "samples.npy",
      "scores.csv",     "scores.json",  "model.safetensors", "metrics.json",  "config.json",
      "log.jsonl",      "regions.json", "comparison.csv",    "scores.jsonl",  "runs.jsonl",
      "index.html",     "thumbnails",   "report.html",       "report"};
  if (name.ends_with(".part")) name.remove_suffix(5);  // written when a run ended or still goes on
  return is_one_of(kNames, name);
}

// ".png" for "a.PNG"; "other" where what follows the last dot looks like no ending.
std::string ending_of(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string::npos || dot == 0) return "other";
  std::string ending = lower_case(name.substr(dot));
  const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const bool plain = std::all_of(ending.begin() + 1, ending.end(), [&](char c) { return letter(c) || digit(c); });
  if (!plain || ending.size() > 12 || std::none_of(ending.begin(), ending.end(), letter)) return "other";
  return ending;
}

bool is_idx_name(std::string_view name) {
  if (name.ends_with(".gz")) name.remove_suffix(3);
  return name.ends_with("-images-idx3-ubyte") || name.ends_with("-labels-idx1-ubyte");
}

// What could be listed; `error` says why that is not all.
std::vector<Entry> entries_of(const std::string& directory, LeftOut* left_out, std::error_code& error) {
  std::vector<Entry> entries;
  bool marked = false;
  fs::directory_iterator it(directory, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    std::string name = it->path().filename().string();
    marked = marked || name == kOutputMark;
    if (is_system_entry(name)) continue;
    std::error_code missing;
    // The directory itself tells the type of most entries; only links are looked up.
    const bool link = it->is_symlink(missing), is_folder = it->is_directory(missing);
    EntryKind kind = is_folder ? EntryKind::kDirectory : EntryKind::kFile;
    if (link && is_folder) kind = EntryKind::kLinkToDirectory;
    if (link && !is_folder && !it->exists(missing)) kind = EntryKind::kDanglingLink;
    entries.push_back({std::move(name), kind});
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  // Folders of versions that left no mark are known by files that come together.
  const auto holds = [&](std::string_view name) {
    const auto at = std::lower_bound(entries.begin(), entries.end(), name,
                                     [](const Entry& e, std::string_view n) { return e.name < n; });
    return at != entries.end() && at->name == name;
  };
  const bool scored = holds("scores.csv") && holds("scores.json"), trained = holds("config.json") && holds("log.jsonl"),
             drawn = holds("samples.npy") && holds("samples.png");
  if (marked || scored || trained || drawn) {
    if (std::erase_if(entries, [](const Entry& e) { return is_result_entry(e.name); }) > 0 && left_out &&
        !is_one_of(left_out->results, directory)) {
      left_out->results.push_back(directory);
    }
  }
  return entries;
}

void note_unlisted(const std::string& directory, const std::string& reason, LeftOut* left_out) {
  if (!left_out) throw DataError(str("cannot list the directory '", directory, "': ", reason));
  std::string note = str("'", directory, "': ", reason);
  if (!is_one_of(left_out->folders, note)) left_out->folders.push_back(std::move(note));
}

// One walk down a tree. Directories are told apart by device and inode.
class Walk {
 public:
  // found(relative path of an image) returns false to end the walk.
  Walk(LeftOut* left_out, const std::function<bool(const std::string&)>& found) : left_out_(left_out), found_(found) {}

  // Returns false once `found` has.
  bool below(const std::string& directory, const std::string& prefix, bool linked) {
    struct stat info {};
    if (::stat(directory.c_str(), &info) != 0) {
      note_unlisted(directory, std::generic_category().message(errno), left_out_);
      return true;
    }
    const Id id{info.st_dev, info.st_ino};
    if (is_one_of(ancestors_, id) || (linked && !visited_.insert(id).second)) return true;
    ancestors_.push_back(id);
    std::error_code error;
    bool go_on = true;
    for (const Entry& entry : entries_of(directory, left_out_, error)) {
      go_on = visit(entry, directory, prefix, linked);
      if (!go_on) break;
    }
    if (error) note_unlisted(directory, error.message(), left_out_);
    ancestors_.pop_back();
    return go_on;
  }

 private:
  using Id = std::pair<dev_t, ino_t>;

  bool visit(const Entry& entry, const std::string& directory, const std::string& prefix, bool linked) {
    if (entry.kind == EntryKind::kDirectory || entry.kind == EntryKind::kLinkToDirectory) {
      // Each way through a first link counts; from there on a directory is entered once, or links that lead to and fro
      // would make as many paths as there are orders of the directories.
      if (entry.kind == EntryKind::kLinkToDirectory && !linked) visited_.clear();
      return below(join_path(directory, entry.name), join_path(prefix, entry.name),
                   linked || entry.kind == EntryKind::kLinkToDirectory);
    }
    if (has_image_extension(entry.name)) return found_(join_path(prefix, entry.name));
    if (prefix.empty() && is_idx_name(entry.name)) return true;  // list_inputs reads them
    const std::string ending = ending_of(entry.name);
    if (entry.kind == EntryKind::kDanglingLink && ending == "other") {  // may have been a folder of images
      note_unlisted(join_path(directory, entry.name), "a link that leads nowhere", left_out_);
    } else if (left_out_) {
      ++left_out_->files[ending];
    }
    return true;
  }

  LeftOut* left_out_;
  const std::function<bool(const std::string&)>& found_;
  std::vector<Id> ancestors_;
  std::set<Id> visited_;  // below the first link that was followed
};

std::vector<Entry> noted_entries(const std::string& directory, LeftOut* left_out) {
  std::error_code error;
  std::vector<Entry> entries = entries_of(directory, left_out, error);
  if (error) note_unlisted(directory, error.message(), left_out);
  return entries;
}

constexpr std::size_t kMostNotes = 20;

std::string quoted_list(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < std::min(words.size(), kMostNotes); ++i) text += str(i ? ", '" : "'", words[i], "'");
  return words.size() > kMostNotes ? str(text, ", ... (", words.size(), " in all)") : text;
}

}  // namespace

void LeftOut::add(const LeftOut& other) {
  for (const auto& [ending, count] : other.files) files[ending] += count;
  folders.insert(folders.end(), other.folders.begin(), other.folders.end());
  results.insert(results.end(), other.results.begin(), other.results.end());
  missing.insert(missing.end(), other.missing.begin(), other.missing.end());
}

std::string LeftOut::files_text() const {
  std::vector<std::pair<std::string, std::int64_t>> counts(files.begin(), files.end());
  std::stable_sort(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string text;
  for (const auto& [ending, count] : counts) text += str(text.empty() ? "" : ", ", count, " ", ending);
  return text;
}

std::vector<std::string> LeftOut::notes() const {
  std::vector<std::string> notes;
  const auto add_all = [&](const char* before, const std::vector<std::string>& words, const char* more) {
    for (std::size_t i = 0; i < std::min(words.size(), kMostNotes); ++i) notes.push_back(before + words[i]);
    if (words.size() > kMostNotes) notes.push_back(str(words.size() - kMostNotes, more));
  };
  if (!files.empty())
    notes.push_back("files not read, because their names do not end like an image's: " + files_text());
  if (!results.empty()) notes.push_back("results of pgad are left out, in " + quoted_list(results));
  add_all("folder not read: ", folders, " more folders not read");
  add_all("", missing, " more paths of lists do not exist");
  return notes;
}

void ensure_output_directory(const std::string& path) {
  ensure_directory(path);
  const int mark = ::open(join_path(path, kOutputMark).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (mark >= 0) ::close(mark);
}

std::string lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

bool is_directory(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool path_exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

bool has_image_extension(const std::string& path) {
  const std::string extension = lower_case(fs::path(path).extension().string());
  return !extension.empty() && str(", ", kImageEndings, ",").find(", " + extension + ",") != std::string::npos;
}

bool is_left_out(const std::string& directory, const std::string& name) {
  return is_system_entry(name) || (is_result_entry(name) && path_exists(join_path(directory, kOutputMark)));
}

std::vector<std::string> list_subdirectories(const std::string& directory, LeftOut* left_out) {
  std::vector<std::string> names;
  for (Entry& entry : noted_entries(directory, left_out)) {
    if (entry.kind == EntryKind::kDirectory || entry.kind == EntryKind::kLinkToDirectory) {
      names.push_back(std::move(entry.name));
    }
  }
  return names;
}

std::vector<std::string> list_files(const std::string& directory, LeftOut* left_out) {
  std::vector<std::string> names;
  for (Entry& entry : noted_entries(directory, left_out)) {
    if (entry.kind == EntryKind::kDirectory || entry.kind == EntryKind::kLinkToDirectory) continue;
    if (left_out && !has_image_extension(entry.name)) ++left_out->files[ending_of(entry.name)];
    names.push_back(std::move(entry.name));
  }
  return names;
}

std::vector<std::string> list_images(const std::string& directory, LeftOut* left_out) {
  std::vector<std::string> paths;
  Walk(left_out, [&](const std::string& path) {
    paths.push_back(path);
    return true;
  }).below(directory, "", false);
  std::sort(paths.begin(), paths.end());  // whole paths: walking order puts "a/b" before "a.png"
  return paths;
}

std::string no_images(const std::string& directory, const LeftOut& left_out) {
  std::string text = str("no images (", kImageEndings, " or *-images-idx3-ubyte) in the folder '", directory, "'");
  for (const std::string& note : left_out.notes()) text += "; " + note;
  return text;
}

bool contains_images(const std::string& directory) {
  bool any = false;
  LeftOut ignored;
  Walk(&ignored, [&](const std::string&) {
    any = true;
    return false;
  }).below(directory, "", false);
  return any;
}

std::string join_path(const std::string& directory, const std::string& name) {
  if (directory.empty()) return name;
  return directory.back() == '/' ? directory + name : directory + "/" + name;
}

}  // namespace pgad
