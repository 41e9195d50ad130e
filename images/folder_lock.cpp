#include "images/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "engine/check.h"

namespace pgad {
namespace {

// Whether the path still leads to the open file: its last owner may have removed it between our open() and flock().
bool still_there(int fd, const std::string& path) {
  struct stat open, named;
  return ::fstat(fd, &open) == 0 && ::stat(path.c_str(), &named) == 0 && open.st_ino == named.st_ino &&
         open.st_dev == named.st_dev;
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "?";
}

// The owner as written in the file; the lock may be held for a moment before that is done.
std::string owner_of(int fd) {
  char text[512];
  const ssize_t n = ::pread(fd, text, sizeof text, 0);
  std::string owner(text, n > 0 ? static_cast<std::size_t>(n) : 0);
  while (!owner.empty() && owner.back() == '\n') owner.pop_back();
  return owner.empty() ? "unknown" : owner;
}

}  // namespace

FolderLock::FolderLock(const std::string& folder) : path_((std::filesystem::path(folder) / ".pgad-lock").string()) {
  while (true) {
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd_ < 0) throw Error(str("cannot lock '", path_, "': ", std::generic_category().message(errno)));
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
      const int error = errno;
      if (error == EWOULDBLOCK) {
        const std::string owner = owner_of(fd_);
        ::close(fd_);
        throw Error(
            str("another run writes to '", folder, "' (process ", owner, "): wait for its end, or give another --out"));
      }
      if (error == EINTR) {
        ::close(fd_);
        continue;
      }
      note_ = str("'", folder, "' cannot be locked (", std::generic_category().message(error),
                  "): see to it that no other run writes to it");
      return;
    }
    if (still_there(fd_, path_)) break;
    ::close(fd_);
  }
  const std::string owner = str(::getpid(), " on ", host_name(), "\n");
  // Only for the message: a full disk is no obstacle.
  if (::ftruncate(fd_, 0) == 0) (void)!::pwrite(fd_, owner.data(), owner.size(), 0);
}

FolderLock::FolderLock(FolderLock&& other) noexcept
    : path_(std::move(other.path_)), note_(std::move(other.note_)), fd_(std::exchange(other.fd_, -1)) {}

FolderLock::~FolderLock() {
  if (fd_ < 0) return;
  ::unlink(path_.c_str());  // while it is locked: nobody else's
  ::close(fd_);
}

}  // namespace pgad
