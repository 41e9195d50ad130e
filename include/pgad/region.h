#pragma once
/// \file
/// A place of a picture that is not as on normal ones.

#include <cstdint>
#include <vector>

namespace pgad {

/// Connected pixels (8 neighbours) of the anomaly map above .75 of a threshold that one of them at least exceeds; of a
/// picture that is judged anomalous and has no such region, its highest place. In pixels of the picture.
struct Region {
  int left = 0;           ///< of its box
  int top = 0;            ///< the same
  int width = 0;          ///< the same
  int height = 0;         ///< the same
  std::int64_t area = 0;  ///< pixels
  double peak = 0;        ///< largest value of the map in it
  int peak_x = 0;         ///< where that is
  int peak_y = 0;         ///< the same
  double mean = 0;        ///< of the map in it
  /// Its borders along the edges of pixels: the outer one, clockwise, then those of holes. Each is x, y, x, y, ... of
  /// its corners, not closed; the pixel at the top left has its corners at (0, 0) and (1, 1). A point is inside if a
  /// ray from it crosses these an odd number of times.
  std::vector<std::vector<int>> contours;
};

}  // namespace pgad
