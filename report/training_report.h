#pragma once
// OUT/report.html of a training: curves, images over time, calibration, in one file that a browser shows without a
// network, and loads anew while the training goes on.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/model.h"

namespace pgad {

struct TrainingReport {
  std::string out;       // log.jsonl and samples/ lie there
  std::string state;     // where it stands: a sentence
  bool running = true;   // the page loads itself anew
  std::string subtitle;  // device, version
  nlohmann::json options;
  std::vector<std::string> warnings;
  const Calibration* calibration = nullptr;  // if there is one
  double false_reject_rate = 0;
};

// From the files in `out`. Throws Error if it cannot be written; a log or sheets that cannot be read are left out.
void write_training_report(const TrainingReport& report);

}  // namespace pgad
