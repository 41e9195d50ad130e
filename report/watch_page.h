#pragma once
// OUT/index.html: the last images of a folder that is watched and how many there were, for a screen beside the line. It
// loads itself anew and needs no network; its pictures lie in OUT/thumbnails.

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "inspection/scorer.h"
#include "model/model.h"

namespace pgad {

class WatchPage {
 public:
  struct State {
    std::int64_t waiting = 0;                 // images that have come and are not judged
    std::optional<double> images_per_second;  // while there are any
    std::string trouble;                      // what stops or disturbs it; empty: nothing
    bool ended = false;
  };

  // input: the folder's name, for the title. threshold: NaN without decisions.
  WatchPage(const Model& model, std::string out, std::string input, double threshold, double map_sigma);

  // A row, of an earlier run or of this one; `image`, if given, gives its picture.
  void add(const nlohmann::ordered_json& row, const ScoredImage* image);
  // Writes the page if it has changed and has not been written for two seconds, and every half minute in any case.
  // Throws Error if it cannot be written.
  void update(const State& state);

 private:
  using Clock = std::chrono::steady_clock;
  std::string html(const State& state) const;

  const Model& model_;
  const std::string out_, input_;
  const double threshold_, map_sigma_;
  std::map<std::string, std::int64_t> counts_;  // by decision
  std::int64_t rows_ = 0;
  std::deque<std::pair<std::int64_t, nlohmann::ordered_json>> last_;  // the newest first, with their numbers
  bool changed_ = true;
  std::optional<Clock::time_point> written_;
};

// normal, anomalous, undecided or unreadable.
std::string decision_of(const nlohmann::ordered_json& row);

}  // namespace pgad
