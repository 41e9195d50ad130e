#pragma once
// JSON text that may come from anyone. nlohmann::json::parse() silently keeps the last of two equal keys;
// this one refuses them, so that what a file says is what is used.

#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/check.h"

namespace pgad {

// Throws Error naming `source` and the position, or the key that occurs twice in one object (at any depth).
inline nlohmann::json parse_strict_json(std::string_view text, const std::string& source) {
  std::vector<std::set<std::string>> open_objects;
  const auto refuse_duplicates = [&](int, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    switch (event) {
      case nlohmann::json::parse_event_t::object_start:
        open_objects.emplace_back();
        break;
      case nlohmann::json::parse_event_t::object_end:
        open_objects.pop_back();
        break;
      case nlohmann::json::parse_event_t::key:
        if (!open_objects.back().insert(value.get<std::string>()).second)
          throw DataError(str(source, ": key \"", value.get<std::string>(), "\" occurs twice"));
        break;
      default:
        break;
    }
    return true;
  };
  try {
    return nlohmann::json::parse(text.begin(), text.end(), refuse_duplicates);
  } catch (const nlohmann::json::exception& e) {
    throw DataError(str(source, ": not valid JSON: ", e.what()));
  }
}

}  // namespace pgad
