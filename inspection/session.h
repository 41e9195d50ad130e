#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/exec.h"
#include "inspection/regions.h"
#include "inspection/scorer.h"
#include "model/config_io.h"
#include "model/model.h"

namespace pgad {

// A model file on the device that computes with it, the options of this call laid over its own.
struct Session {
  std::unique_ptr<Exec> exec;
  RunConfig run;
  Model model;
  Config config;

  // `given`: by pgad_infer's names. Throws UsageError for their values, Error for the file or the device.
  Session(const std::string& model_file, const GivenOptions& given);

  // What the user should know of the scores to come. threshold_given: the model's does not decide.
  std::vector<std::string> notes(bool threshold_given) const;
  // Of `combined`: the given one unless that is NaN, else the model's; NaN where there is none.
  double threshold(double given) const;
  // How regions are found: above the given threshold unless that is NaN, else above the model's.
  std::optional<RegionOptions> regions(double given) const;
  // How this model's images are decoded, and what of them is ignored.
  void set_up(ImageSource& source) const;
  // `combined` of an image that has scores, NaN without calibration; its regions are found where `regions` says how. An
  // image whose map the memory does not suffice for gets an error.
  double judge(ScoredImage& image, double threshold, std::optional<RegionOptions> regions) const;
};

}  // namespace pgad
