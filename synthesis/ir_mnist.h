#pragma once
// IR-MNIST of Kimura & Yanagihara (2018): puzzles of digits, in which one digit is the anomaly.

#include <cstdint>
#include <string>
#include <vector>

#include "images/idx.h"
#include "images/image.h"

namespace pgad {

struct PuzzleOptions {
  int grid = 11;              // cells a side, 1 or more
  int anomaly = 3;            // the digit that normal puzzles do not hold
  int most_anomalies = 5;     // an abnormal puzzle holds 1 to so many of it, uniformly; at most grid * grid
  bool mark_strokes = false;  // the mask marks what is drawn of such a digit (values above 0); false: its whole cell
  std::uint64_t seed = 1;
};

struct Puzzle {
  Image image;                     // grey, of 8 bits; sides of grid times the digits' sides
  std::vector<std::uint8_t> mask;  // [height, width], 0 or 1; empty for a normal puzzle
};

// Draws puzzles of one set of digits. Thread-safe.
class PuzzleMaker {
 public:
  // Throws Error for counts of images and labels that differ, for a label above 9, and where the anomaly, or every
  // other digit, is missing. `images` must outlive this.
  PuzzleMaker(const PuzzleOptions& options, const IdxImages& images, const std::vector<std::uint8_t>& labels);

  // Puzzle `number` of an endless row: a function of the options, the digits, the number and its kind alone. Each cell
  // holds a digit drawn uniformly from all digits that are not the anomaly; in an abnormal one some cells do, without
  // repetition.
  Puzzle draw(std::uint64_t number, bool abnormal) const;

 private:
  PuzzleOptions options_;
  const IdxImages& images_;
  std::vector<long> normal_, anomalies_;  // places of the digits
};

}  // namespace pgad
