#pragma once

#include <cstdint>
#include <string>

#include "engine/check.h"

namespace pgad {

// Counts the steps of a training whose gradients were not finite, and ends it where there are too many in a row.
class SkippedSteps {
 public:
  // what: that is trained, and option: that should be lowered then, for the message.
  SkippedSteps(std::string what, std::string option, int most_in_row)
      : what_(std::move(what)), option_(std::move(option)), most_in_row_(most_in_row) {}

  // After each step; images: shown so far. Throws Error after so many in a row, and after the last step if none took
  // place.
  void add(bool skipped, std::int64_t images, bool last) {
    in_row_ = skipped ? in_row_ + 1 : 0;
    taken_ += !skipped;
    if (in_row_ >= most_in_row_ || (last && taken_ == 0))
      throw Error(str(what_, " diverged: ", in_row_, " steps in a row had gradients that are not finite, after ",
                      images, " images; lower ", option_));
  }
  std::int64_t taken() const { return taken_; }

 private:
  std::string what_, option_;
  int most_in_row_, in_row_ = 0;
  std::int64_t taken_ = 0;
};

}  // namespace pgad
