#pragma once
// The images of a data set divided anew into what trains, what is known of defects, and what tests.

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "images/data_config.h"

namespace pgad {

struct DivideOptions {
  DataConfig data;  // path, and for class folders normal_class
  std::string out;
  double train_share = 0.8;        // of the normal images, in (0, 1)
  double known_share = 0.1;        // of each kind of defect, in [0, 1)
  int known_each = -1;             // so many of each kind instead; -1: by known_share
  std::vector<std::string> known;  // kinds that are known; empty: all; "none" alone, where no kind is called so: none
  double contaminated = 0;      // of the normal training images, so many more are defects taken for normal; in [0, 1)
  double validation_share = 0;  // of what neither trains nor is known, in [0, 1); 0: there is no validation set
  // (0, 1): images of a kind whose fine detail correlates above this (preparation/fine_detail.h) are taken for pictures
  // of one part, at other exposures for example, and are not parted; 0: every image for itself.
  double together = 0;
  // Of the normal images that train, and of each kind's known defects: they go to calibration/, in [0, 1); NaN: .1 with
  // `together`, so that no part is on both sides, else 0 (pgad_train draws some).
  double calibration_share = std::numeric_limits<double>::quiet_NaN();
  int threads = 0;  // of the comparison; 0: one per core
  std::uint64_t seed = 1;
  bool copy = false;  // else symbolic links
};

struct Divided {
  std::map<std::string, long> images;  // "test/train/good" -> count
  long masks = 0;
  std::vector<std::string> notes;  // for the user
};

// Pools all images of an inspection folder or of class folders, whatever they were for, by kind, and writes an
// inspection folder `out`, or, with a validation set, two with the same training images: `out`/val for choices and
// `out`/test for reports. Of every kind at least one normal image trains and one tests, and at least one defect tests.
// Known defects are reserved in every kind, also in those that are not known: what is tested does not depend on
// `known`. calibration_share of what trains, and of what is known, goes to calibration/, where a kind has three parts
// or more. Whole parts are taken: as many as fit in the number of images asked for, or the smallest; notes say where
// that makes another number. With n normal training images, round(contaminated * n) defects are put among them, as one
// who sorts images by eye may do: of each kind in turn one that is neither known nor tested then, as long as the kind
// has two. description.json names them, by their paths in each of the data sets. Each kind is shuffled by the seed and
// its own name. An image of train/abnormal belongs to the kind whose name its own begins with ("crack_017.png"), else
// to the kind "abnormal".
//
// Nothing of the source is changed. Throws UsageError for options out of range, unknown kinds, IDX files and flat
// folders; Error as Dataset::open(), and where a file cannot be linked or copied or `stop` says so: what lies in `out`
// is incomplete then.
Divided divide_data(const DivideOptions& options, const std::function<void(long done, long total)>& progress,
                    const std::function<bool()>& stop);

}  // namespace pgad
