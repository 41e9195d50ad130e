#include "inspection/search_time.h"

#include <algorithm>
#include <numeric>

namespace pgad {

// Of the mean time of a step: what lies further back counts less and less.
constexpr std::int64_t kRememberedSteps = 500;

SearchTime::SearchTime(std::int64_t images, int slots, double longest)
    : images_(images), slots_(slots), longest_(longest) {}

void SearchTime::step(double seconds) {
  // The first step is recorded, which takes longer.
  if (steps_++ > 0 || seconds_per_step_ == 0)
    seconds_per_step_ +=
        (seconds - seconds_per_step_) / static_cast<double>(std::clamp<std::int64_t>(steps_ - 1, 1, kRememberedSteps));
}

void SearchTime::image(int steps) {
  ++done_;
  if (steps == 0) return;
  ++searched_;
  if (ended_.size() <= static_cast<std::size_t>(steps)) ended_.resize(static_cast<std::size_t>(steps) + 1);
  ++ended_[static_cast<std::size_t>(steps)];
}

std::vector<double> SearchTime::survival(std::span<const int> taken) const {
  std::vector<std::int64_t> under_way(ended_.size() + 1);  // by steps taken; the last: all beyond
  for (const int t : taken) ++under_way[std::min(static_cast<std::size_t>(t), ended_.size())];
  std::vector<double> share;
  auto at_risk = static_cast<double>(searched_ + static_cast<std::int64_t>(taken.size()));
  double alive = 1;
  for (std::size_t t = 0; t < ended_.size(); ++t) {
    if (at_risk > 0) alive *= 1 - static_cast<double>(ended_[t]) / at_risk;
    at_risk -= static_cast<double>(ended_[t] + under_way[t]);
    share.push_back(alive);
  }
  return share;
}

double SearchTime::steps_per_image(const std::vector<double>& survival) const {
  if (survival.empty()) return longest_;
  const double mean = std::accumulate(survival.begin(), survival.end(), 0.0);
  return mean * static_cast<double>(searched_) / static_cast<double>(done_);
}

// Images to come go to the slot that is free first. As all are taken to need the same, whole rounds shift every slot
// alike, and what is left of a round goes to those that are free first. A step costs the same with empty slots.
std::optional<double> SearchTime::seconds_left(std::span<const int> taken) const {
  if (steps_ == 0) return std::nullopt;
  const std::vector<double> share = survival(taken);
  const double each = steps_per_image(share);
  // What an image needs that has taken t steps: the mean of those that needed more; where there are none, who knows.
  const auto rest_of = [&](int t) {
    const std::size_t at = static_cast<std::size_t>(t);
    const double more = std::accumulate(share.begin() + std::min(at, share.size()), share.end(), 0.0);
    if (share.empty()) return std::max(0.0, longest_ - t);
    return more > 0 && share[at] > 0 ? more / share[at] : std::min(each / 2, std::max(0.0, longest_ - t));
  };
  const std::int64_t to_come = images_ - done_ - static_cast<std::int64_t>(taken.size());
  std::vector<double> rest(static_cast<std::size_t>(std::max<std::int64_t>(slots_, 1)), 0.0);  // by slot
  for (std::size_t i = 0; i < taken.size() && i < rest.size(); ++i) rest[i] = rest_of(taken[i]);
  std::ranges::sort(rest);
  const auto rounds = static_cast<double>(to_come / slots_);
  const auto over = static_cast<std::size_t>(to_come % slots_);
  const double last = over > 0 ? std::max(rest.back(), rest[over - 1] + each) : rest.back();
  return seconds_per_step_ * (rounds * each + last);
}

std::optional<double> SearchTime::seconds_per_image(std::span<const int> taken) const {
  if (steps_ == 0) return std::nullopt;
  return seconds_per_step_ * steps_per_image(survival(taken)) / static_cast<double>(slots_);
}

}  // namespace pgad
