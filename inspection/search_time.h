#pragma once
// How long the search of many images will still take, from the steps seen so far.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace pgad {

// A pure function of what it is told; reads no clock. Searches may end early; how many steps they need is estimated
// from those that have ended and those under way together (Kaplan-Meier), for the quick ones end first.
class SearchTime {
 public:
  // images: all; slots: searched at once; longest: steps of a search that does not end early.
  SearchTime(std::int64_t images, int slots, double longest);

  // One step of all slots is done, so many seconds after the one before (loading and starting included).
  void step(double seconds);
  // An image is done, after so many steps; 0 if it could not be read.
  void image(int steps);

  // taken: by the images that are searched at present. Empty before there is anything to judge by.
  std::optional<double> seconds_left(std::span<const int> taken) const;
  std::optional<double> seconds_per_image(std::span<const int> taken) const;

 private:
  // Element t: the share of images that need more than t steps. Empty while none has ended.
  std::vector<double> survival(std::span<const int> taken) const;
  double steps_per_image(const std::vector<double>& survival) const;

  std::int64_t images_, slots_;
  double longest_;
  std::int64_t steps_ = 0;  // of all slots together
  double seconds_per_step_ = 0;
  std::int64_t done_ = 0, searched_ = 0;  // images; without those that could not be read
  std::vector<std::int64_t> ended_;       // images by the steps that they needed
};

}  // namespace pgad
