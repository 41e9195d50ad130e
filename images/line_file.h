#pragma once
// A file of lines that only grows, such as one that a program killed at any moment goes on with.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace pgad {

// One writer at a time. Errors name the path and the system's reason.
class LineFile {
 public:
  // `see` is given each line that is there, without its end. What stands behind the last end of a line was cut off by a
  // crash, and is dropped. Makes the file where there is none.
  LineFile(const std::string& path, const std::function<void(std::string_view)>& see);
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  // The line, without its end, is on the disk when this returns. Throws Error where it cannot be written; then nothing
  // of it stays.
  void append(std::string_view line);

 private:
  const std::string path_;
  int fd_ = -1;
  std::int64_t end_ = 0;
};

}  // namespace pgad
