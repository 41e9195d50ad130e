#pragma once
// The images of a folder and of those below it, as they come. inotify(7) says of a local file when it has been written
// or moved into place; on network drives, whose other users' changes are not announced, only looks at the folder find
// it.

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace pgad {

// What tells one version of a file from another, as rsync sees it.
struct FileVersion {
  std::uint64_t size = 0;
  std::int64_t modified = 0;  // nanoseconds since 1970
  bool operator==(const FileVersion&) const = default;
};

// Of the file that the path leads to; empty where there is none or it is no regular file.
std::optional<FileVersion> file_version(const std::string& path);

struct FolderWatchOptions {
  double settle = 1;   // seconds for which a file must stay as it is where nobody says that it is complete
  double rescan = 60;  // seconds between looks at the whole folder
};

// An image's file as it came.
struct Arrival {
  std::string name;  // relative to the folder
  FileVersion version;
};

// One thread at a time. Follows links, and leaves out what list_images() does.
class FolderWatch {
 public:
  // Throws Error where the folder is missing or is none.
  FolderWatch(std::string folder, const FolderWatchOptions& options);
  ~FolderWatch();
  FolderWatch(const FolderWatch&) = delete;
  FolderWatch& operator=(const FolderWatch&) = delete;

  // This version need not be told of.
  void know(const std::string& name, const FileVersion& version) { known_[name] = version; }
  // This version, which was told of, is to be told of again when it is seen: nothing could be made of it.
  void forget(const std::string& name, const FileVersion& version);

  // The images that have become complete since the last call, each version once: by the order in which that happened,
  // those found by a look at the folder by their time and name. Waits up to so many seconds for the first. The first
  // call looks at the whole folder.
  std::vector<Arrival> poll(double seconds);

  // What has gone wrong since the last call, for the user.
  std::vector<std::string> take_notes();

 private:
  using Clock = std::chrono::steady_clock;
  struct Unsettled {
    FileVersion version;
    Clock::time_point since;
  };

  void read_events();
  void handle(int watch, std::uint32_t mask, const std::string& name);
  void watch_directories(const std::string& directory);  // relative; "" is the folder
  void look_at(const std::string& directory);
  void settle();
  void forget_below(const std::string& directory);
  void note(const std::string& text);
  std::string path_of(const std::string& name) const;

  const std::string folder_;
  const FolderWatchOptions options_;
  int events_ = -1;                               // inotify's file
  std::unordered_map<int, std::string> watched_;  // directories by watch
  std::unordered_map<std::string, FileVersion> known_;
  std::unordered_set<std::string> being_written_;  // by somebody here, who has not closed them
  std::map<std::string, Unsettled> unsettled_;
  std::deque<std::string> complete_;
  bool look_now_ = true, first_look_ = true;
  Clock::time_point last_look_{};
  std::vector<std::string> notes_;
  std::string last_failure_;  // of looking at the folder: said once
};

}  // namespace pgad
