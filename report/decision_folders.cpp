#include "report/decision_folders.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "engine/check.h"
#include "images/atomic_file.h"

namespace pgad {
namespace {

namespace fs = std::filesystem;

// "a~2.png" for "a.png".
std::string numbered(const fs::path& path, int number) {
  if (number < 2) return path.string();
  return (path.parent_path() / str(path.stem().string(), "~", number, path.extension().string())).string();
}

std::string reason() { return std::generic_category().message(errno); }

// To another file system, whole or not at all. Returns false where the name is taken.
bool copy_over(const std::string& source, const std::string& target) {
  struct stat info {};
  if (::stat(source.c_str(), &info) != 0) throw Error(str("'", source, "' cannot be read: ", reason()));
  const fs::path path = target;
  const std::string temporary = (path.parent_path() / ("." + path.filename().string() + ".pgad")).string();
  try {
    write_file_atomically(temporary, read_file(source));
    const timespec times[] = {info.st_atim, info.st_mtim};
    ::utimensat(AT_FDCWD, temporary.c_str(), times, 0);
    ::chmod(temporary.c_str(), info.st_mode & 0777);
    if (::renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) != 0) {
      const int error = errno;
      ::unlink(temporary.c_str());
      if (error == EEXIST) return false;
      errno = error;
      throw Error(str("'", target, "' cannot be written: ", reason()));
    }
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  return true;
}

// Whether the files are the same, or have the same size, time and bytes: what a copy that was cut short before the
// source was removed has left.
bool is_copy(const std::string& a, const std::string& b) {
  std::error_code error;
  if (fs::equivalent(a, b, error)) return true;
  const auto first = file_version(a), second = file_version(b);
  return first && second && *first == *second && read_file(a) == read_file(b);
}

}  // namespace

DecisionFolders::DecisionFolders(Sorting how, std::string folder) : how_(how), folder_(std::move(folder)) {}

void DecisionFolders::put(const std::string& from, const std::string& name, const FileVersion& version,
                          const std::string& decision) {
  const std::string source = (fs::path(from) / name).string();
  const auto current = file_version(source);
  if (!current || *current != version) return;
  const fs::path target = fs::path(folder_) / decision / name;
  ensure_directory(target.parent_path().string());
  if (how_ == Sorting::kMove)
    move(source, target.string());
  else
    link(fs::canonical(from) / name, name, decision);
}

void DecisionFolders::move(const std::string& source, const std::string& target) const {
  for (int number = 1;; ++number) {
    const std::string free = numbered(target, number);
    if (::renameat2(AT_FDCWD, source.c_str(), AT_FDCWD, free.c_str(), RENAME_NOREPLACE) == 0) return;
    if (errno == EINVAL && !fs::exists(free) && std::rename(source.c_str(), free.c_str()) == 0) return;
    const bool taken = errno == EEXIST || fs::exists(free);
    if (!taken && errno != EXDEV) throw Error(str("'", source, "' cannot be moved to '", free, "': ", reason()));
    if ((taken && is_copy(source, free)) || (!taken && copy_over(source, free))) {
      if (::unlink(source.c_str()) != 0) throw Error(str("'", source, "' cannot be removed: ", reason()));
      return;
    }
  }
}

void DecisionFolders::link(const std::string& source, const std::string& name, const std::string& decision) const {
  const auto leads_to_source = [&](const std::string& path) {
    std::error_code error;
    return fs::read_symlink(path, error) == source && !error;
  };
  // An earlier version of the image may have been judged otherwise.
  for (const char* other : kDecisionFolders) {
    const std::string path = (fs::path(folder_) / other / name).string();
    if (other != decision && leads_to_source(path)) ::unlink(path.c_str());
  }
  for (int number = 1;; ++number) {
    const std::string free = numbered(fs::path(folder_) / decision / name, number);
    if (::symlink(source.c_str(), free.c_str()) == 0 || leads_to_source(free)) return;
    if (errno != EEXIST) throw Error(str("'", free, "' cannot be made a link: ", reason()));
  }
}

}  // namespace pgad
