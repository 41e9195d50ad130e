#include "apps/data/atomic_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "engine/check.h"

namespace pgad {
namespace {

constexpr const char* kTemporaryPrefix = ".pgad-tmp-";  // then the process and a number
constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

[[noreturn]] void fail(const std::string& what, const std::string& path, int error) {
  throw Error(str(what, " '", path, "': ", std::generic_category().message(error)));
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  int get() const { return fd_; }
  // Network file systems report a failed write only here. Returns errno or 0.
  int close() {
    const int result = ::close(fd_) == 0 ? 0 : errno;
    fd_ = -1;
    return result;
  }

 private:
  int fd_;
};

// Removes the file unless it was renamed away.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string path) : path_(std::move(path)) {}
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  void release() { path_.clear(); }

 private:
  std::string path_;
};

std::string directory_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

// Some file systems (FAT, some network mounts) cannot sync a directory or a pipe: that is no failure of ours.
bool sync_unsupported(int error) { return error == EINVAL || error == ENOTSUP || error == EROFS; }

void write_in_place(const std::string& path, const std::function<void(FileWriter&)>& write) {
  FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (file.get() < 0) fail("cannot write", path, errno);
  FileWriter writer(file.get(), path);
  write(writer);
  writer.flush();
  if (const int error = file.close()) fail("cannot write", path, error);
}

}  // namespace

std::string read_file(const std::string& path) {
  // Non-blocking, because opening a pipe without a writer would wait for ever.
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) fail("cannot open", path, errno);
  struct stat info;
  if (::fstat(file.get(), &info) != 0) fail("cannot read", path, errno);
  if (S_ISDIR(info.st_mode)) throw Error(str("cannot read '", path, "': it is a directory, expected a file"));
  if (!S_ISREG(info.st_mode)) throw Error(str("cannot read '", path, "': not a regular file"));
  std::string bytes(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t done = 0;
  while (true) {
    // One byte more than the size, so that a file which grows meanwhile, or whose size reads as 0, is read
    // whole.
    if (done == bytes.size()) bytes.resize(done + std::max<std::size_t>(1, done / 8));
    const ssize_t n = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("cannot read", path, errno);
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  bytes.resize(done);
  return bytes;
}

FileWriter::FileWriter(int fd, const std::string& path) : fd_(fd), path_(path) {}

void FileWriter::write_through(const char* data, std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t n = ::write(fd_, data, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("cannot write", path_, errno);
    data += n;  // a short write is no error yet: the next one tells why
    bytes -= static_cast<std::size_t>(n);
  }
}

void FileWriter::write(const void* data, std::size_t bytes) {
  const char* chars = static_cast<const char*>(data);
  if (buffer_.size() + bytes > kBufferBytes) flush();
  if (bytes >= kBufferBytes) {
    write_through(chars, bytes);
  } else {
    buffer_.append(chars, bytes);
  }
}

void FileWriter::flush() {
  write_through(buffer_.data(), buffer_.size());
  buffer_.clear();
}

void write_file_atomically(const std::string& path, const std::function<void(FileWriter&)>& write) {
  if (path.empty()) throw Error("cannot write a file: its name is empty");
  struct stat info;
  const bool exists = ::stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) {
    throw Error(str("cannot write '", path, "': it is a directory, expected a file"));
  }
  if (exists && !S_ISREG(info.st_mode)) return write_in_place(path, write);

  std::string target = path;
  struct stat link;
  if (exists && ::lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode)) {
    std::error_code error;
    target = std::filesystem::canonical(path, error).string();
    if (error) fail("cannot write", path, error.value());
  }
  const std::string directory = directory_of(target);

  static std::atomic<unsigned> counter{0};
  std::string temporary;
  int fd = -1;
  do {
    // Short and independent of the target's name, which may be as long as the file system allows.
    temporary = str(directory, "/", kTemporaryPrefix, ::getpid(), "-", counter++);
    fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (fd < 0 && errno == EEXIST);
  if (fd < 0) fail("cannot write", path, errno);
  TemporaryFile cleanup(temporary);
  FileDescriptor file(fd);
  if (exists) {
    // Best effort: the replaced file's permissions carry over where the system lets us.
    (void)!::fchmod(fd, info.st_mode & 07777);
  }

  FileWriter writer(fd, path);
  write(writer);
  writer.flush();
  if (::fsync(fd) != 0 && !sync_unsupported(errno)) fail("cannot write", path, errno);
  if (const int error = file.close()) fail("cannot write", path, error);
  if (::rename(temporary.c_str(), target.c_str()) != 0) fail("cannot write", path, errno);
  cleanup.release();

  FileDescriptor folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // A directory that may be written but not read cannot be synced; the file itself is complete.
  if (folder.get() >= 0 && ::fsync(folder.get()) != 0 && !sync_unsupported(errno)) {
    fail("cannot sync the directory of", path, errno);
  }
}

void write_file_atomically(const std::string& path, std::string_view bytes) {
  write_file_atomically(path, [bytes](FileWriter& out) { out.write(bytes); });
}

void remove_stale_temporaries(const std::string& directory) {
  std::error_code ignored;
  for (std::filesystem::directory_iterator it(directory, ignored), end; it != end; it.increment(ignored)) {
    const std::string name = it->path().filename().string();
    if (!name.starts_with(kTemporaryPrefix)) continue;
    const pid_t owner = std::atoi(name.c_str() + std::strlen(kTemporaryPrefix));
    if (owner > 0 && ::kill(owner, 0) != 0 && errno == ESRCH) std::filesystem::remove(it->path(), ignored);
  }
}

void ensure_directory(const std::string& path) {
  if (path.empty()) throw Error("cannot create a directory: its name is empty");
  std::error_code error;
  std::filesystem::create_directories(path, error);
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) fail("cannot create the directory", path, error ? error.value() : errno);
  if (!S_ISDIR(info.st_mode)) throw Error(str("'", path, "' is a file, expected a directory"));
  if (::faccessat(AT_FDCWD, path.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    fail("cannot write into the directory", path, errno);
  }
}

}  // namespace pgad
