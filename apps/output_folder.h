#pragma once

#include <string>

#include "apps/progress.h"
#include "images/folder_lock.h"
#include "images/listing.h"

namespace pgad {

// A program's --out: made where it is missing, marked as holding results, and this call's alone while the lock lives.
inline FolderLock lock_output(const std::string& out, Progress& progress) {
  ensure_output_directory(out);
  FolderLock lock(out);
  if (!lock.note().empty()) progress.say("note: " + lock.note());
  return lock;
}

}  // namespace pgad
