#include "synthesis/ir_mnist.h"

#include <algorithm>
#include <numeric>

#include "engine/check.h"
#include "engine/rng.h"

namespace pgad {

PuzzleMaker::PuzzleMaker(const PuzzleOptions& options, const IdxImages& images, const std::vector<std::uint8_t>& labels)
    : options_(options), images_(images) {
  if (static_cast<long>(labels.size()) != images.count)
    throw DataError(
        str("'", images.path, "' holds ", images.count, " images, but there are ", labels.size(), " labels"));
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] > 9)
      throw DataError(str("'", images.path, "': label ", int{labels[i]}, ", expected a digit, 0 to 9"));
    (labels[i] == options.anomaly ? anomalies_ : normal_).push_back(static_cast<long>(i));
  }
  if (anomalies_.empty()) throw DataError(str("'", images.path, "' holds no ", options.anomaly));
  if (normal_.empty()) throw DataError(str("'", images.path, "' holds nothing but ", options.anomaly, "s"));
}

Puzzle PuzzleMaker::draw(std::uint64_t number, bool abnormal) const {
  const int grid = options_.grid, rows = images_.rows, cols = images_.cols;
  const auto cells = static_cast<std::uint32_t>(grid) * static_cast<std::uint32_t>(grid);
  Rng rng(options_.seed, 2 * number + (abnormal ? 1 : 0));
  const auto one_of = [&](const std::vector<long>& places) {
    return places[rng.below(static_cast<std::uint32_t>(places.size()))];
  };
  std::vector<long> digits(cells);
  for (long& digit : digits) digit = one_of(normal_);
  std::vector<std::uint32_t> order(cells);  // its first `count`: the cells of anomalies
  std::iota(order.begin(), order.end(), 0u);
  const std::uint32_t count =
      abnormal ? 1 + rng.below(static_cast<std::uint32_t>(std::clamp<int>(options_.most_anomalies, 1, grid * grid)))
               : 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    std::swap(order[i], order[i + rng.below(cells - i)]);
    digits[order[i]] = one_of(anomalies_);
  }

  Puzzle puzzle;
  puzzle.image = {grid * rows, grid * cols, 1, {}};
  puzzle.image.pixels.resize(puzzle.image.size());
  if (abnormal) puzzle.mask.resize(puzzle.image.size());
  const auto width = static_cast<std::size_t>(grid * cols);
  const auto each_pixel = [&](std::uint32_t cell, const auto& set) {
    const std::uint8_t* digit = images_.pixels.data() + digits[cell] * rows * cols;
    for (int y = 0; y < rows; ++y)
      for (int x = 0; x < cols; ++x) {
        const auto row =
            cell / static_cast<std::uint32_t>(grid) * static_cast<std::uint32_t>(rows) + static_cast<std::uint32_t>(y);
        const auto col =
            cell % static_cast<std::uint32_t>(grid) * static_cast<std::uint32_t>(cols) + static_cast<std::uint32_t>(x);
        set(row * width + col, digit[y * cols + x]);
      }
  };
  for (std::uint32_t cell = 0; cell < cells; ++cell)
    each_pixel(cell, [&](std::size_t at, std::uint8_t v) { puzzle.image.pixels[at] = static_cast<float>(v) / 255.0f; });
  for (std::uint32_t i = 0; i < count; ++i)
    each_pixel(order[i], [&](std::size_t at, std::uint8_t v) { puzzle.mask[at] = !options_.mark_strokes || v > 0; });
  return puzzle;
}

}  // namespace pgad
