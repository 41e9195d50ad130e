#pragma once
// What the tables of results say beside the images.

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "images/listing.h"
#include "inspection/session.h"

namespace pgad {

// The model's file, the options of the search, and what the user was told: of scores.json and metrics.json.
nlohmann::ordered_json header_of(const Session& s, const std::string& model_file, const std::vector<std::string>& notes,
                                 const LeftOut& left_out);

// The same, and what else the scores and decisions depend on.
nlohmann::ordered_json result_header(const Session& s, const std::string& model_file,
                                     const std::vector<std::string>& notes, const LeftOut& left_out, double threshold,
                                     const std::optional<RegionOptions>& regions);

// A warning where the images have left what the model was calibrated on. combined: of images, in the order in which
// they came; threshold: NaN without decisions.
std::optional<std::string> drift_text(const Calibration& calibration, double threshold,
                                      std::span<const double> combined);

}  // namespace pgad
