#pragma once
// What tests of files share: a folder that goes away with its test, quick writing, and the text of an error.

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "engine/check.h"

namespace pgad::test {

// An empty folder under the system's one for temporary files, removed with all it holds by the destructor.
class TempDir {
 public:
  TempDir() {
    path_ = (std::filesystem::temp_directory_path() / "pgad-test-XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) throw Error("mkdtemp failed");
    ::chmod(path_.c_str(), 0755);  // tests that drop root must get in
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Without the fsync of write_file_atomically: tests write hundreds of files.
inline void put(const std::string& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

// What the call's Error says, "usage: " before it if it is a UsageError; "no error" if it returns.
inline std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const UsageError& e) {
    return std::string("usage: ") + e.what();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

// Runs `call` as a user who is not root; false if that is not possible.
inline bool unprivileged(const std::function<void()>& call) {
  const bool root = ::geteuid() == 0;
  if (root && ::seteuid(65534) != 0) return false;
  call();
  if (root && ::seteuid(0) != 0) throw Error("cannot become root again");
  return true;
}

}  // namespace pgad::test
