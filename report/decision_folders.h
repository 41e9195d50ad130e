#pragma once
// Images moved into, or linked from, a folder for each decision.

#include <string>

#include "images/folder_watch.h"

namespace pgad {

// What becomes of an image; unreadable: it has no scores.
inline constexpr const char* kDecisionFolders[] = {"normal", "anomalous", "undecided", "unreadable"};

enum class Sorting { kMove, kLink };

class DecisionFolders {
 public:
  // folder: FOLDER/normal, FOLDER/anomalous and so on are made in it as they are needed.
  DecisionFolders(Sorting how, std::string folder);

  // The image `name` of the folder `from` into FOLDER/decision/name. Done again, it changes nothing: a crash may have
  // come between. Where another file has the name, the name gets a number. Nothing happens where the image is not there
  // any more, or not in this version. Throws Error where it cannot be done; the image stays.
  void put(const std::string& from, const std::string& name, const FileVersion& version, const std::string& decision);

 private:
  void move(const std::string& source, const std::string& target) const;
  void link(const std::string& source, const std::string& name, const std::string& decision) const;

  const Sorting how_;
  const std::string folder_;
};

}  // namespace pgad
