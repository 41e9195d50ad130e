#include "images/atomic_file.h"

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
#include <utility>
#include <vector>

#include "engine/check.h"

namespace pgad {
namespace {

constexpr const char* kTemporaryPrefix = ".pgad-tmp-";  // then the process and a number
constexpr const char* kPartEnding = ".part";
constexpr std::size_t kBufferBytes = std::size_t{1} << 20;

[[noreturn]] void fail(const std::string& what, const std::string& path, int error) {
  throw Error(str(what, " '", path, "': ", std::generic_category().message(error)));
}

[[noreturn]] void fail_reading(const std::string& what, const std::string& path, int error) {
  throw DataError(str(what, " '", path, "': ", std::generic_category().message(error)));
}

// Closed at the end of its scope.
struct FileDescriptor {
  int fd;
  ~FileDescriptor() {
    if (fd >= 0) ::close(fd);
  }
};

std::string directory_of(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

// Some file systems (FAT, some network mounts) cannot sync a directory or a pipe: that is no failure of ours.
bool sync_unsupported(int error) { return error == EINVAL || error == ENOTSUP || error == EROFS; }

// A directory that may be written but not read cannot be synced; the file itself is complete.
void sync_directory(const std::string& directory, const std::string& path) {
  const FileDescriptor folder{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.fd >= 0 && ::fsync(folder.fd) != 0 && !sync_unsupported(errno))
    fail("cannot sync the directory of", path, errno);
}

void copy_content(int from, FileWriter& to, const std::string& path) {
  std::vector<char> chunk(kBufferBytes);
  for (off_t done = 0;;) {
    const ssize_t n = ::pread(from, chunk.data(), chunk.size(), done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("cannot write", path, errno);
    if (n == 0) return;
    to.write(chunk.data(), static_cast<std::size_t>(n));
    done += n;
  }
}

}  // namespace

std::string read_file(const std::string& path, std::size_t most) {
  // Non-blocking, because opening a pipe without a writer would wait for ever.
  const FileDescriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) fail_reading("cannot open", path, errno);
  struct stat info;
  if (::fstat(file.fd, &info) != 0) fail_reading("cannot read", path, errno);
  if (S_ISDIR(info.st_mode)) throw DataError(str("cannot read '", path, "': it is a directory, expected a file"));
  if (!S_ISREG(info.st_mode)) throw DataError(str("cannot read '", path, "': not a regular file"));
  std::string bytes(std::min(most, static_cast<std::size_t>(info.st_size)), '\0');
  std::size_t done = 0;
  while (done < most) {
    // One byte more than the size, so that a file which grows meanwhile, or whose size reads as 0, is read
    // whole.
    if (done == bytes.size()) bytes.resize(std::min(most, done + std::max<std::size_t>(1, done / 8)));
    const ssize_t n = ::read(file.fd, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_reading("cannot read", path, errno);
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

void FileWriter::seek(std::uint64_t offset) {
  buffer_.clear();
  if (::lseek(fd_, static_cast<off_t>(offset), SEEK_SET) < 0) fail("cannot write", path_, errno);
}

void FileWriter::truncate() {
  flush();
  const off_t end = ::lseek(fd_, 0, SEEK_CUR);
  if (end < 0 || ::ftruncate(fd_, end) != 0) fail("cannot write", path_, errno);
}

AtomicFile::AtomicFile(const std::string& path, Temporary kind) : path_(path), target_(path), kind_(kind) {
  if (path.empty()) throw Error("cannot write a file: its name is empty");
  struct stat info;
  const bool exists = ::stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) {
    throw Error(str("cannot write '", path, "': it is a directory, expected a file"));
  }
  if (exists && !S_ISREG(info.st_mode)) {
    fd_ = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  } else {
    struct stat link;
    if (exists && ::lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode)) {
      std::error_code error;
      target_ = std::filesystem::canonical(path, error).string();
      if (error) fail("cannot write", path, error.value());
    }
    static std::atomic<unsigned> counter{0};
    std::string temporary = target_ + kPartEnding;
    // Readable too: commit() may have to copy it.
    if (kind == Temporary::kPart) fd_ = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    while (kind == Temporary::kHidden) {
      // Short and independent of the target's name, which may be as long as the file system allows.
      temporary = str(directory_of(target_), "/", kTemporaryPrefix, ::getpid(), "-", counter++);
      fd_ = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (fd_ >= 0 || errno != EEXIST) break;
    }
    if (fd_ >= 0) temporary_ = temporary;
  }
  if (fd_ < 0) fail("cannot write", path, errno);
  if (exists && !temporary_.empty()) {
    // Best effort: the replaced file's permissions carry over where the system lets us.
    (void)!::fchmod(fd_, info.st_mode & 07777);
  }
  writer_.emplace(fd_, path_);
}

AtomicFile::~AtomicFile() {
  close();
  if (!temporary_.empty() && !keep_) ::unlink(temporary_.c_str());
}

// Network file systems report a failed write only here.
int AtomicFile::close() {
  const int result = fd_ < 0 || ::close(fd_) == 0 ? 0 : errno;
  fd_ = -1;
  return result;
}

void AtomicFile::commit() {
  keep_ = kind_ == Temporary::kPart;
  writer_->flush();
  const FileDescriptor content{in_place() ? -1 : ::dup(fd_)};
  if (!in_place() && ::fsync(fd_) != 0 && !sync_unsupported(errno)) fail("cannot write", path_, errno);
  if (const int error = close()) fail("cannot write", path_, error);
  if (in_place()) return;
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) {
    const int error = errno;
    if (error == ENOENT && content.fd >= 0) {  // the folder was removed or moved away
      ensure_directory(directory_of(target_));
      AtomicFile again(target_);
      copy_content(content.fd, again.writer(), path_);
      again.commit();
      temporary_.clear();
      return;
    }
    if (error == ENAMETOOLONG) fail("cannot write", path_, error);  // no name to give it by hand
    const std::string kept = keep_finished();
    throw Error(str("cannot write '", path_, "': ", std::generic_category().message(error),
                    " (it may be open elsewhere); the finished file is '", kept, "': give it that name by hand"));
  }
  temporary_.clear();
  sync_directory(directory_of(target_), path_);
}

// Under a name that can be seen and that no clearing up removes; where even that fails, under its temporary one.
std::string AtomicFile::keep_finished() {
  std::string kept = std::exchange(temporary_, "");
  if (kept.ends_with(kPartEnding)) return kept;
  std::string name = target_ + ".new";
  std::error_code ignored;
  for (int number = 2; std::filesystem::exists(name, ignored); ++number) name = str(target_, ".new", number);
  return ::rename(kept.c_str(), name.c_str()) == 0 ? name : kept;
}

void write_file_atomically(const std::string& path, const std::function<void(FileWriter&)>& write) {
  AtomicFile file(path);
  write(file.writer());
  file.commit();
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
  std::error_code error, ignored;
  std::vector<std::filesystem::path> missing;
  for (std::filesystem::path p = path; !p.empty() && !std::filesystem::exists(p, ignored); p = p.parent_path())
    missing.push_back(p);
  std::filesystem::create_directories(path, error);
  // What is synced inside them would be lost with them.
  if (!error)
    for (const auto& created : missing) sync_directory(directory_of(created.string()), created.string());
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) fail("cannot create the directory", path, error ? error.value() : errno);
  if (!S_ISDIR(info.st_mode)) throw Error(str("'", path, "' is a file, expected a directory"));
  if (::faccessat(AT_FDCWD, path.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    fail("cannot write into the directory", path, errno);
  }
}

}  // namespace pgad
