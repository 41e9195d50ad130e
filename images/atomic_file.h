#pragma once
// Whole files in, whole files out. A reader of a path written here sees the old content or the new, never a
// part: also after a crash, a full disk or a power cut. Errors name the path and the system's reason.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace pgad {

// The bytes of a regular file, or its first `most`. Throws Error if it is missing, unreadable, or a directory, pipe or
// device.
std::string read_file(const std::string& path, std::size_t most = std::string::npos);

// Sink of write_file_atomically's callback and of AtomicFile; buffers, so that many small writes are cheap.
class FileWriter {
 public:
  FileWriter(int fd, const std::string& path);
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(const void* data, std::size_t bytes);
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }
  void flush();
  // What is written next stands at `offset` from the file's beginning; what was not flushed is dropped. Not for pipes
  // and devices.
  void seek(std::uint64_t offset);
  // Flushes and ends the file there.
  void truncate();

 private:
  void write_through(const char* data, std::size_t bytes);

  int fd_;
  const std::string& path_;
  std::string buffer_;
};

// kHidden: a name of its own, which remove_stale_temporaries() knows. kPart: `path`.part, replacing one that is there:
// for a file whose parts are worth something. It stays after a crash or a commit() that fails; the caller sees to it
// that there is one writer (FolderLock).
enum class Temporary { kHidden, kPart };

// A file that grows beside `path` under a temporary name. commit() fsyncs it, gives it its name and fsyncs the
// directory; without a commit the temporary file is removed and the old file stays. A symbolic link is kept and its
// target replaced; a device or pipe (/dev/stdout) is written in place, for it must not be replaced.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path, Temporary kind = Temporary::kHidden);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  FileWriter& writer() { return *writer_; }
  bool in_place() const { return temporary_.empty(); }
  // Where the folder has vanished meanwhile it is made anew. Where the name cannot be given (the old file is open on
  // another machine), the finished file stays under a name that the Error says.
  void commit();
  // kPart only: the destructor leaves it.
  void keep_part() { keep_ = true; }

 private:
  int close();  // returns errno or 0
  std::string keep_finished();

  std::string path_, target_, temporary_;  // temporary_: empty where written in place, and once it has its name
  const Temporary kind_;
  bool keep_ = false;  // the temporary file, whatever happens
  int fd_ = -1;
  std::optional<FileWriter> writer_;
};

// The whole file at once. Whatever fails, the callback's exceptions included, the old file stays.
void write_file_atomically(const std::string& path, const std::function<void(FileWriter&)>& write);
void write_file_atomically(const std::string& path, std::string_view bytes);

// Removes what writers that were killed left behind in the directory: temporary files of processes that no longer run.
// Does nothing where there is no such directory.
void remove_stale_temporaries(const std::string& directory);

// Creates the directory and its parents where missing, durably. Throws Error if the path is a file or not writable.
void ensure_directory(const std::string& path);

}  // namespace pgad
