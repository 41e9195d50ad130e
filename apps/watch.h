#pragma once
// pgad_infer's `watch`: images of a folder are judged as they come.

#include <cmath>
#include <string>

#include "model/config_io.h"

namespace pgad {

struct WatchOptions {
  std::string model, input, out;
  GivenOptions given;
  std::string move_to, link_to;  // folders for the images by decision; at most one
  bool maps = false, json_lines = false;
  double threshold = std::nan(""), region_threshold = std::nan("");
  double rescan = 60;  // seconds
};

// Until a signal ends it; then 0. Throws UsageError for folders that lie in one another.
int watch(const WatchOptions& options);

}  // namespace pgad
