#pragma once
// One writer per results folder: two runs with the same --out would overwrite each other's files.

#include <string>

namespace pgad {

// Holds the folder from construction to destruction by flock() on FOLDER/.pgad-lock, which says whose it is. A process
// that dies gives its lock back by itself; the file that it leaves is no obstacle. Movable, not copyable.
class FolderLock {
 public:
  // The folder must exist. Throws Error naming the folder and the other process if it is taken, or if the file cannot
  // be made.
  explicit FolderLock(const std::string& folder);
  ~FolderLock();
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;

  // What the user should know: that the file system has no locks. Empty otherwise.
  const std::string& note() const { return note_; }

 private:
  std::string path_, note_;
  int fd_ = -1;
};

}  // namespace pgad
