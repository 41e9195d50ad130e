#pragma once
// One table of everything that can be configured. Options of the programs, JSON in, JSON out, help and
// validation are all read off it: a new member of Config needs one entry in fields.cpp, nothing else.

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "model/config.h"

namespace pgad {

enum class Group { kNetwork, kObjective, kData, kSchedule, kOptimizer, kEncoder, kPatchCritic, kScoring, kRun };

const char* group_title(Group group);

struct Field {
  std::string name;        // "fade-kimg": --fade-kimg on the command line, "fade-kimg" in JSON
  std::string short_name;  // pgad_infer's name where that differs ("gamma" for "score-gamma"), else the same
  Group group;
  std::string help;      // meaning and unit, no range
  std::string expected;  // type and range in words, for help and errors: "a number in (0, 1]"
  bool is_flag;          // takes no value on the command line: --mirror, --no-mirror

  std::function<nlohmann::json(const Config&)> get;  // NaN becomes null
  // Both return false, and leave the config alone, where the value has the wrong type or does not parse. They
  // do not look at the range.
  std::function<bool(Config&, const nlohmann::json&)> set_json;
  std::function<bool(Config&, const std::string&)> set_text;
  std::function<bool(const Config&)> in_range;
};

// In the order of the help; names are unique.
const std::vector<Field>& all_fields();

}  // namespace pgad
