#pragma once

namespace pgad {

// The patch critic and its training.
struct PatchCriticConfig {
  bool train = false;
  double kimg = 200;   // thousands of crops
  double lr = 0.02;    // after a short rise; falls to nearly 0
  int maps = 16;       // at the image's size; twice as many at each halving, no more than most_maps
  int most_maps = 64;
  int levels = 5;  // sizes that it looks at, each half the one before
  int cell = 4;    // side of the squares that it judges, pixels; a power of two below 2^levels
};

}  // namespace pgad
