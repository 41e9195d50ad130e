#pragma once
// Images with their masks beside them, in one folder or in folders of kinds.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "images/listing.h"

namespace pgad {

struct PairedImage {
  std::string image, mask;          // paths; mask: empty if there is none that counts
  std::string kind;                 // of the defect; empty: normal
  bool train = false;               // by its folder's name
  std::optional<double> threshold;  // the mask has several values: those above are anomalous
};

struct PairedImages {
  std::vector<PairedImage> images;
  std::vector<std::string> notes;
  LeftOut left_out;
};

bool holds_pairs(const std::string& source);

// `normal`: names of folders, comma-separated; empty: those that sound so. Kinds are the folders' names in small
// letters without what all begin with ("MT_"). Where most folders hold normal and defective images they are no kinds,
// nor are folders called train, test and val: a black mask then means normal, and all else is the kind "defect".
//
// Reads every mask. check_stop is called before each and may throw. Throws UsageError where there are no pairs and for
// unknown folders, DataError for a mask that cannot be read and for files of which the mask cannot be told.
PairedImages read_pairs(const std::string& source, const std::string& normal, const std::function<void()>& check_stop);

}  // namespace pgad
