#pragma once
// What the tests of metrics, thresholds and fits share.

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "engine/check.h"

namespace pgad::test {

using Labels = std::vector<std::uint8_t>;
using Scores = std::vector<double>;

inline constexpr double kInf = std::numeric_limits<double>::infinity();
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Runs `action` and expects an Error that contains `part`.
template <class Action>
void expect_error(Action action, const std::string& part) {
  try {
    action();
    ADD_FAILURE() << "nothing thrown; expected '" << part << "'";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << "'" << part << "' is not in: " << e.what();
  }
}

}  // namespace pgad::test
