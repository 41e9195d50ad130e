#include "images/folder_watch.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "engine/check.h"
#include "images/listing.h"

namespace pgad {
namespace {

constexpr std::uint32_t kEvents =
    IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR;
// A file that the first look finds, and that was written so many settling times ago, is taken to be complete.
constexpr double kOld = 10;

bool is_below(const std::string& name, const std::string& directory) {
  return directory.empty() || name.starts_with(directory + "/");
}

}  // namespace

std::optional<FileVersion> file_version(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  return FileVersion{static_cast<std::uint64_t>(info.st_size),
                     std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
}

FolderWatch::FolderWatch(std::string folder, const FolderWatchOptions& options)
    : folder_(std::move(folder)), options_(options) {
  if (!path_exists(folder_)) throw DataError(str("the folder to watch, '", folder_, "', does not exist"));
  if (!is_directory(folder_)) throw DataError(str("'", folder_, "' is no folder; expected one to watch"));
  events_ = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (events_ < 0)
    note(str("changes are not announced (", std::generic_category().message(errno), "): new images are found every ",
             options_.rescan, " s"));
}

FolderWatch::~FolderWatch() {
  if (events_ >= 0) ::close(events_);
}

std::string FolderWatch::path_of(const std::string& name) const {
  return name.empty() ? folder_ : join_path(folder_, name);
}

void FolderWatch::note(const std::string& text) {
  if (text == last_failure_) return;
  last_failure_ = text;
  notes_.push_back(text);
}

std::vector<std::string> FolderWatch::take_notes() { return std::exchange(notes_, {}); }

void FolderWatch::watch_directories(const std::string& directory) {
  if (events_ < 0) return;
  const int watch = ::inotify_add_watch(events_, path_of(directory).c_str(), kEvents);
  if (watch < 0) {
    if (errno == ENOSPC)
      note(str("the system watches no more folders (fs.inotify.max_user_watches): images in '", path_of(directory),
               "' are found every ", options_.rescan, " s"));
    return;  // one that has gone, or may not be read: looks tell
  }
  // A folder is watched under one name: links in loops end, and a folder that was moved has its new one.
  const auto [entry, is_new] = watched_.insert({watch, directory});
  if (!is_new && entry->second != directory && is_directory(path_of(entry->second))) return;
  entry->second = directory;
  LeftOut ignored;
  for (const std::string& name : list_subdirectories(path_of(directory), &ignored))
    watch_directories(join_path(directory, name));
}

// Watches first, then lists: what comes between is seen twice and told once.
void FolderWatch::look_at(const std::string& directory) {
  watch_directories(directory);
  LeftOut left_out;
  std::vector<std::tuple<std::int64_t, std::string, FileVersion>> found;
  std::unordered_set<std::string> there;
  for (const std::string& image : list_images(path_of(directory), &left_out)) {
    std::string name = join_path(directory, image);
    const auto version = file_version(path_of(name));
    if (!version && (errno == ENOENT || errno == ENOTDIR)) continue;
    const auto known = known_.find(name);
    if (version && (known == known_.end() || known->second != *version) && !being_written_.contains(name))
      found.emplace_back(version->modified, name, *version);
    there.insert(std::move(name));
  }
  for (const std::string& reason : left_out.folders) note("folder not read: " + reason);
  // Where the folder could not be listed nothing is known to have gone; nor where all has: so looks a drive that is not
  // mounted.
  if (left_out.folders.empty() && !there.empty())
    std::erase_if(known_,
                  [&](const auto& entry) { return is_below(entry.first, directory) && !there.contains(entry.first); });
  if (left_out.folders.empty() && directory.empty()) last_failure_.clear();
  std::ranges::sort(found, [](const auto& a, const auto& b) {
    return std::tie(std::get<0>(a), std::get<1>(a)) < std::tie(std::get<0>(b), std::get<1>(b));
  });
  const auto now =
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  for (auto& [modified, name, version] : found) {
    const double age = 1e-9 * static_cast<double>(now - modified);
    if (first_look_ && age >= kOld * options_.settle)
      complete_.push_back(name);
    else
      unsettled_.insert({name, {version, Clock::now()}});
  }
}

void FolderWatch::forget(const std::string& name, const FileVersion& version) {
  const auto known = known_.find(name);
  if (known != known_.end() && known->second == version) known_.erase(known);
}

void FolderWatch::forget_below(const std::string& directory) {
  std::erase_if(known_, [&](const auto& entry) { return is_below(entry.first, directory); });
  std::erase_if(unsettled_, [&](const auto& entry) { return is_below(entry.first, directory); });
  std::erase_if(being_written_, [&](const std::string& name) { return is_below(name, directory); });
  std::erase_if(watched_, [&](const auto& entry) {
    if (entry.second != directory && !is_below(entry.second, directory)) return false;
    ::inotify_rm_watch(events_, entry.first);
    return true;
  });
}

void FolderWatch::handle(int watch, std::uint32_t mask, const std::string& name) {
  if ((mask & IN_Q_OVERFLOW) != 0) {  // what was closed is not known any more
    look_now_ = true;
    being_written_.clear();
  }
  const auto directory = watched_.find(watch);
  if (directory == watched_.end()) return;
  if ((mask & (IN_DELETE_SELF | IN_UNMOUNT | IN_IGNORED)) != 0) {
    watched_.erase(directory);
    return;
  }
  if (name.empty()) return;
  const std::string path = join_path(directory->second, name);
  if ((mask & IN_ISDIR) != 0) {
    if ((mask & (IN_MOVED_FROM | IN_DELETE)) != 0)
      forget_below(path);
    else if (!is_left_out(path_of(directory->second), name))
      look_at(path);
    return;
  }
  if (!has_image_extension(name) || is_left_out(path_of(directory->second), name)) return;
  if ((mask & (IN_MOVED_FROM | IN_DELETE)) != 0) {
    known_.erase(path);
    unsettled_.erase(path);
    being_written_.erase(path);
    return;
  }
  if ((mask & IN_CREATE) != 0) {
    // A file that is written says so at its end; a link is whole at once. One to a folder is watched as that.
    struct stat info {};
    if (::lstat(path_of(path).c_str(), &info) != 0) return;
    if (!S_ISLNK(info.st_mode) && info.st_nlink < 2) {
      being_written_.insert(path);
      return;
    }
  }
  being_written_.erase(path);
  unsettled_.erase(path);
  complete_.push_back(path);
}

void FolderWatch::read_events() {
  if (events_ < 0) return;
  alignas(inotify_event) char buffer[1 << 16];
  while (true) {
    const ssize_t length = ::read(events_, buffer, sizeof buffer);
    if (length <= 0) return;
    for (const char* at = buffer; at < buffer + length;) {
      inotify_event event{};
      std::memcpy(&event, at, sizeof event);
      const char* const name = at + sizeof event;
      handle(event.wd, event.mask, event.len > 0 ? std::string(name) : std::string());
      at = name + event.len;
    }
  }
}

void FolderWatch::settle() {
  const auto now = Clock::now();
  std::vector<std::pair<std::int64_t, std::string>> settled;
  for (auto at = unsettled_.begin(); at != unsettled_.end();) {
    auto& [version, since] = at->second;
    if (std::chrono::duration<double>(now - since).count() < options_.settle) {
      ++at;
      continue;
    }
    const auto current = file_version(path_of(at->first));
    if (current && *current != version) {
      version = *current;
      since = now;
      ++at;
      continue;
    }
    if (current) settled.emplace_back(version.modified, at->first);
    at = unsettled_.erase(at);
  }
  std::ranges::sort(settled);
  for (auto& [modified, name] : settled) complete_.push_back(std::move(name));
}

std::vector<Arrival> FolderWatch::poll(double seconds) {
  const auto begin = Clock::now();
  std::vector<Arrival> arrivals;
  while (true) {
    read_events();
    const auto now = Clock::now();
    if (look_now_ || std::chrono::duration<double>(now - last_look_).count() >= options_.rescan) {
      look_now_ = false;
      if (!is_directory(folder_))
        note(str("the folder '", folder_, "' has gone; it is looked for every ", options_.rescan, " s"));
      else
        look_at("");
      first_look_ = false;
      last_look_ = Clock::now();
    }
    settle();
    for (std::string& name : std::exchange(complete_, {})) {
      const auto version = file_version(path_of(name));
      if (!version) continue;
      const auto [known, is_new] = known_.insert({name, *version});
      if (!is_new && known->second == *version) continue;
      known->second = *version;
      arrivals.push_back({std::move(name), *version});
    }
    const double left = seconds - std::chrono::duration<double>(Clock::now() - begin).count();
    if (!arrivals.empty() || left <= 0) return arrivals;
    double wait = std::min(left, options_.rescan);
    if (!unsettled_.empty()) wait = std::min(wait, options_.settle / 4);
    pollfd files = {events_, POLLIN, 0};
    // A signal ends it too, and the caller wants to know: it may have been told to stop.
    if (::poll(&files, events_ >= 0 ? 1 : 0, static_cast<int>(std::ceil(1000 * wait))) < 0) return arrivals;
  }
}

}  // namespace pgad
