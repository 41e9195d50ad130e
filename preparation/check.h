#pragma once
// A data set looked through before hours of training are spent on it.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "images/data_config.h"

namespace pgad {

enum class Severity {
  kError,    // training or its figures would be wrong
  kWarning,  // probably not what is meant
  kNote,
};

struct Finding {
  Severity severity;
  std::string code;                // a word for programs: "unreadable", "duplicate", ...
  std::string text;                // a sentence for people, without the files
  std::vector<std::string> files;  // paths; of duplicates "A = B"
};

struct CheckOptions {
  DataConfig data;
  double false_reject_rate = 0.05;  // asked of the threshold
  int held_out_needed = 0;          // normal images that bound it at this rate: scores_needed() (inspection/metrics.h)
  int threads = 0;                  // 0: one for each available processor
};

struct CheckReport {
  std::string path, layout;
  std::map<std::string, long> images;  // "train normal", "train abnormal", "calibration ...", "test KIND" -> count
  std::map<std::string, long> sizes;   // "WIDTHxHEIGHT" -> count
  long grey = 0, colour = 0;           // by the files' channels
  std::map<int, long> bits;            // of the files' values -> count
  long masks = 0;                      // that fit
  double median_defect = 0;            // share of its image that a mask marks, median; 0 without masks
  std::vector<Finding> findings;       // errors first

  bool failed() const;  // whether there are errors
};

// Reads every image and mask that training and evaluation would read, as they would. Finds
//   unreadable          files that cannot be decoded, truncated ones among them
//   mask                masks that cannot be used or have another size than their image
//   empty-mask, orphan-mask, no-mask
//   duplicate           the same pixels twice: an error between training and test, and between normal and abnormal
//                       images, else a warning
//   near-duplicate      nearly the same picture, as saved anew, resized or brightened (below): a warning
//   sizes, channels, bits, orientation, constant, small
//   few-normal          too few normal images to bound the threshold at the rate asked for
//   no-test, no-train
//   set-note, file-note what training would be told of the set (files that are no images) and of files
//
// Near duplicates are told by their fine detail: the picture less its mean over 3x3, brought to 32x32 and, where that
// agrees, to at most 512x512 pixels. Its correlation is above .9 in both (.98 in pictures of less than 64 pixels a
// side: digits are alike by chance). Pictures of different parts differ in it by their texture and noise even where one
// camera sees them in one place. Each image is compared with all whose coarse gradients agree in all but ten of 64
// bits; of these the three most alike on each side of the split are compared at the larger size, and it is reported
// with one partner, of the other side of the split where there is one.
//
// Memory: some 2 kB an image, and one decoded image a thread. Throws UsageError and Error as Dataset::open() where
// there is no data set, and Error where `stop` says so.
CheckReport check_data(const CheckOptions& options, const std::function<void(long done, long total)>& progress,
                       const std::function<bool()>& stop);

// For people, in lines; at most `most_files` files a finding.
std::string check_report_text(const CheckReport& report, std::size_t most_files = 5);
// For programs: docs/formats.md.
std::string check_report_json(const CheckReport& report);

}  // namespace pgad
