#include "images/line_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "engine/check.h"

namespace pgad {
namespace {

[[noreturn]] void fail(const std::string& path, const char* what) {
  throw Error(str("'", path, "' ", what, ": ", std::generic_category().message(errno)));
}

}  // namespace

LineFile::LineFile(const std::string& path, const std::function<void(std::string_view)>& see) : path_(path) {
  fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd_ < 0) fail(path_, "cannot be opened");
  std::string rest, chunk(std::size_t{1} << 18, '\0');
  while (true) {
    const ssize_t got = ::read(fd_, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int error = errno;
      ::close(fd_);
      errno = error;
      fail(path_, "cannot be read");
    }
    if (got == 0) break;
    rest.append(chunk, 0, static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (std::size_t end; (end = rest.find('\n', begin)) != std::string::npos; begin = end + 1)
      see(std::string_view(rest).substr(begin, end - begin));
    end_ += static_cast<std::int64_t>(begin);
    rest.erase(0, begin);
  }
  if (!rest.empty() && ::ftruncate(fd_, end_) != 0) {
    const int error = errno;
    ::close(fd_);
    errno = error;
    fail(path_, "cannot be cut to its last whole line");
  }
}

LineFile::~LineFile() { ::close(fd_); }

void LineFile::append(std::string_view line) {
  const std::string bytes = std::string(line) + "\n";
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t wrote =
        ::pwrite(fd_, bytes.data() + done, bytes.size() - done, end_ + static_cast<std::int64_t>(done));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) break;
    done += static_cast<std::size_t>(wrote);
  }
  // Some systems tell only now that the disk is full.
  if (done < bytes.size() || ::fdatasync(fd_) != 0) {
    const int error = errno;
    if (::ftruncate(fd_, end_) != 0) errno = error;
    errno = error;
    fail(path_, "cannot be written");
  }
  end_ += static_cast<std::int64_t>(bytes.size());
}

}  // namespace pgad
