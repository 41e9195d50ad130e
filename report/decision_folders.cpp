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

std::string reason(int error) { return std::generic_category().message(error); }

// Renames where the new name is free. Returns 0 or errno, EEXIST where it is taken.
int rename_to_free(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // File systems that cannot promise it, network drives among them: a link is made only where the name is free.
  if (::link(from.c_str(), to.c_str()) == 0) return ::unlink(from.c_str()) == 0 ? 0 : errno;
  if (errno == EEXIST || errno == EXDEV) return errno;
  std::error_code error;
  if (fs::exists(to, error)) return EEXIST;
  return std::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

// A new name in the folder survives a power cut.
void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

// To another file system, whole or not at all. Returns false where the name is taken.
bool copy_over(const std::string& source, const std::string& target) {
  struct stat info {};
  if (::stat(source.c_str(), &info) != 0) throw Error(str("'", source, "' cannot be read: ", reason(errno)));
  const fs::path path = target;
  const std::string temporary = (path.parent_path() / ("." + path.filename().string() + ".pgad")).string();
  int error = 0;
  try {
    write_file_atomically(temporary, read_file(source));
    const timespec times[] = {info.st_atim, info.st_mtim};
    ::utimensat(AT_FDCWD, temporary.c_str(), times, 0);
    ::chmod(temporary.c_str(), info.st_mode & 0777);
    error = rename_to_free(temporary, target);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  if (error != 0) ::unlink(temporary.c_str());
  if (error != 0 && error != EEXIST) throw Error(str("'", target, "' cannot be written: ", reason(error)));
  if (error == 0) sync_folder(path.parent_path());
  return error == 0;
}

// Whether the files are the same, or have the same bytes: what a copy that was cut short before the source was removed
// has left.
bool is_copy(const std::string& a, const std::string& b) {
  std::error_code error;
  if (fs::equivalent(a, b, error)) return true;
  const auto first = file_version(a), second = file_version(b);
  return first && second && first->size == second->size && read_file(a) == read_file(b);
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
    const int error = rename_to_free(source, free);
    if (error == 0) return;
    if (error != EEXIST && error != EXDEV)
      throw Error(str("'", source, "' cannot be moved to '", free, "': ", reason(error)));
    if (error == EEXIST ? is_copy(source, free) : copy_over(source, free)) {
      if (::unlink(source.c_str()) != 0) throw Error(str("'", source, "' cannot be removed: ", reason(errno)));
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
    if (::symlink(source.c_str(), free.c_str()) == 0) return;
    const int error = errno;
    if (leads_to_source(free)) return;
    if (error != EEXIST) throw Error(str("'", free, "' cannot be made a link: ", reason(error)));
  }
}

}  // namespace pgad
