#pragma once
// What TensorBoard shows of a run: scalars, images and histograms, appended to a file of its format (records as
// TensorFlow frames them, each a protobuf Event). Both formats are written here by hand: the few fields that are needed
// are less to carry than a library.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "images/image.h"

namespace pgad {

// Each record is appended by itself and whole, so a run that is killed leaves a file that can be read. TensorBoard
// joins the files of a folder: a run that goes on writes another one. Every call throws Error naming the file if it
// cannot be written; no more should be added then, since a part of a record may stand at its end. One thread at a time,
// one EventFile per folder.
class EventFile {
 public:
  // Begins a new file, FOLDER/events.out.tfevents.<seconds>.<host>; the folder is made where missing. What other files
  // of the folder say of first_step and later steps is void: the run will take them again.
  explicit EventFile(const std::string& folder, std::int64_t first_step = 0);

  const std::string& path() const { return path_; }

  // Rounded to float; infinite values and NaN are written as they are.
  void add_scalar(std::string_view tag, std::int64_t step, double value);
  void add_image(std::string_view tag, std::int64_t step, const Image& image);
  // In 30 bins of equal width from the least to the greatest value. Values that are not finite are left out; if no
  // other is there, nothing is written.
  void add_histogram(std::string_view tag, std::int64_t step, std::span<const double> values);

 private:
  void append(std::string_view records);

  std::string path_, head_;  // head_: the records that a file begins with
};

}  // namespace pgad
