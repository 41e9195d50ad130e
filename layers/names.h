#pragma once
#include <string>

namespace pgad {

// "32x32" for level 5.
inline std::string side_name(int level) {
  const std::string side = std::to_string(1 << level);
  return side + "x" + side;
}

}  // namespace pgad
