#pragma once
// What the programs say of a calibration, and pgad_infer's `calibrate`.

#include <string>
#include <vector>

#include "apps/progress.h"
#include "inspection/calibration.h"
#include "model/config_io.h"

namespace pgad {

// AUROC of the scores, warnings, and the threshold that follows.
void report_calibration(const Calibration& calibration, double rate, const std::string& path, Progress& progress);

struct CalibrateOptions {
  std::string model, out;
  std::vector<std::string> data, abnormal;  // as of list_inputs()
  std::string ignore_mask;                  // a file (ignore_mask.h), none, or empty: the model's
  GivenOptions given;
};

// Calibrates a model anew, on images that did not train it, and saves it under another name. Returns the exit code.
// Throws UsageError for a file that is there already and for data sets instead of images.
int calibrate_model(const CalibrateOptions& options);

}  // namespace pgad
