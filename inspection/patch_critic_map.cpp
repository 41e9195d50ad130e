#include "inspection/patch_critic_map.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "images/preprocess.h"
#include "images/surface.h"
#include "images/tiles.h"
#include "inspection/image_queue.h"

namespace pgad {
namespace {

constexpr int kWindow = 512;  // side of what one window judges, pixels
constexpr int kBeyond = 8;    // pixels of mirror image around the image, as in training
constexpr double kAreaCells = 0.05;
constexpr int kOddsCells = 32;  // side of the square whose mean odds count (measured: docs/results.md)

constexpr int kBorderCells = 6;

int cells_from_border(const PatchJudgement& j, int row, int column) {
  return std::min({row, column, j.rows - 1 - row, j.columns - 1 - column});
}

// Of all squares of kOddsCells cells, or of what the image has of one, the largest log of the mean odds.
double largest_odds(const PatchJudgement& j) {
  const int height = std::min(j.rows, kOddsCells), width = std::min(j.columns, kOddsCells);
  const double most = *std::ranges::max_element(j.logits);  // comes off first, so that no odds overflow
  const auto columns = static_cast<std::size_t>(j.columns) + 1;
  // Sums of all that lies above and to the left. The largest square's sum is at least 1: differences lose nothing of
  // it.
  std::vector<double> sums(static_cast<std::size_t>(j.rows + 1) * columns);
  for (std::size_t at = columns, cell = 0; at < sums.size(); ++at)
    if (at % columns != 0)
      sums[at] = std::exp(j.logits[cell++] - most) + sums[at - 1] + sums[at - columns] - sums[at - columns - 1];
  double largest = 0;
  for (int bottom = height; bottom <= j.rows; ++bottom)
    for (int right = width; right <= j.columns; ++right) {
      const std::size_t at = static_cast<std::size_t>(bottom) * columns + static_cast<std::size_t>(right),
                        above = at - static_cast<std::size_t>(height) * columns, left = static_cast<std::size_t>(width);
      largest = std::max(largest, sums[at] - sums[at - left] - sums[above] + sums[above - left]);
    }
  return most + std::log(largest / (height * width));
}

void silence(PatchJudgement& j, std::span<const std::uint8_t> ignored, int height, int width, int cell) {
  std::vector<char> silent(j.logits.size());
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      if (ignored[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) + static_cast<std::size_t>(x)] == 0)
        continue;
      for (int row = std::max(0, y / cell - 1); row <= std::min(j.rows - 1, y / cell + 1); ++row)
        for (int column = std::max(0, x / cell - 1); column <= std::min(j.columns - 1, x / cell + 1); ++column)
          silent[static_cast<std::size_t>(row * j.columns + column)] = 1;
    }
  float lowest = std::numeric_limits<float>::infinity();
  for (std::size_t i = 0; i < silent.size(); ++i)
    if (silent[i] == 0) lowest = std::min(lowest, j.logits[i]);
  if (!std::isfinite(lowest)) lowest = *std::ranges::min_element(j.logits);  // hardly anything is left
  for (std::size_t i = 0; i < silent.size(); ++i)
    if (silent[i] != 0) j.logits[i] = lowest;
}

double mean_of_share(const std::vector<float>& values, double share) {
  const std::vector<double> all(values.begin(), values.end());
  return mean_of_largest(all, std::max(1, static_cast<int>(share * static_cast<double>(all.size()))));
}

}  // namespace

void BorderOdds::add(const PatchJudgement& normal) {
  odds_.resize(kBorderCells + 1);
  cells_.resize(kBorderCells + 1);
  for (int row = 0; row < normal.rows; ++row)
    for (int column = 0; column < normal.columns; ++column) {
      const auto at = static_cast<std::size_t>(std::min(kBorderCells, cells_from_border(normal, row, column)));
      odds_[at] +=
          std::exp(static_cast<double>(normal.logits[static_cast<std::size_t>(row * normal.columns + column)]));
      ++cells_[at];
    }
}

std::vector<float> BorderOdds::finish() const {
  std::vector<float> ratios;
  for (int at = 0; at < kBorderCells && !cells_.empty(); ++at) {
    const auto i = static_cast<std::size_t>(at);
    const bool known = cells_[i] > 0 && cells_.back() > 0;
    const double ratio = known ? std::log(odds_[i] / cells_[i]) - std::log(odds_.back() / cells_.back()) : 0;
    ratios.push_back(static_cast<float>(std::max(0.0, ratio)));
  }
  return ratios;
}

std::vector<float> PatchJudgement::map(int height, int width, int cell) const {
  const std::vector<float> large = resize(logits, rows, columns, 1, rows * cell, columns * cell);
  std::vector<float> map;
  map.reserve(static_cast<std::size_t>(height) * static_cast<std::size_t>(width));
  for (int y = 0; y < height; ++y) {
    const auto row = large.begin() + std::ptrdiff_t{y} * columns * cell;
    map.insert(map.end(), row, row + width);
  }
  return map;
}

PatchJudgement judge_patches(Exec& exec, std::span<const std::shared_ptr<const PatchCritic>> critics,
                             std::span<const float> border_odds, std::span<const float> pixels, int height, int width,
                             int channels, std::span<const std::uint8_t> ignored) {
  PGAD_CHECK(!critics.empty());
  const PatchCritic& critic = *critics[0];
  const int cell = critic.cell(), grain = critic.granularity();
  const float share = 1 / static_cast<float>(critics.size());
  const auto up = [](int value, int to) { return (value + to - 1) / to * to; };
  const Brightness brightness = brightness_of(pixels, channels);
  PatchJudgement judgement;
  judgement.rows = up(height, cell) / cell;
  judgement.columns = up(width, cell) / cell;
  judgement.logits.resize(static_cast<std::size_t>(judgement.rows) * static_cast<std::size_t>(judgement.columns));
  const HistoryScope off(false);
  const int border = up(kBeyond, cell), reach = up(critic.reach(), cell);
  // One window's part of an axis: cells [first, end), pixels from `start` on.
  struct Part {
    int first, end, start, length;
  };
  const auto parts = [&](int size) {
    std::vector<Part> all;
    const int window = up(kWindow, cell);
    for (int begin = 0; begin < size; begin += window) {
      const int end = std::min(begin + window, up(size, cell));
      const int start = std::max(-border, begin - reach), stop = std::min(up(size, cell) + border, end + reach);
      all.push_back({begin / cell, end / cell, start, up(stop - start, grain)});
    }
    return all;
  };
  for (const Part& y : parts(height))
    for (const Part& x : parts(width)) {
      std::vector<float> window;
      window.reserve(static_cast<std::size_t>(y.length) * static_cast<std::size_t>(x.length * channels));
      for (int row = y.start; row < y.start + y.length; ++row)
        for (int column = x.start; column < x.start + x.length; ++column) {
          const float* from =
              &pixels[(static_cast<std::size_t>(mirrored(row, height)) * static_cast<std::size_t>(width) +
                       static_cast<std::size_t>(mirrored(column, width))) *
                      static_cast<std::size_t>(channels)];
          window.insert(window.end(), from, from + channels);
        }
      // Each window on its own, as a crop in training: an image's border has the same surroundings there and here.
      const std::vector<float> input = critic_input(window, y.length, x.length, channels, brightness);
      const Var seen(exec, exec.from<float>(input, {1, y.length, x.length, channels + 1}));
      for (const auto& member : critics) {
        const std::vector<float> values = exec.read<float>(member->forward(seen).value());
        for (int row = y.first; row < y.end; ++row)
          for (int column = x.first; column < x.end; ++column)
            judgement.logits[static_cast<std::size_t>(row) * static_cast<std::size_t>(judgement.columns) +
                             static_cast<std::size_t>(column)] +=
                share *
                values[static_cast<std::size_t>(row - y.start / cell) * static_cast<std::size_t>(x.length / cell) +
                       static_cast<std::size_t>(column - x.start / cell)];
      }
    }
  for (int row = 0; row < judgement.rows; ++row)
    for (int column = 0; column < judgement.columns; ++column)
      if (const auto at = static_cast<std::size_t>(cells_from_border(judgement, row, column)); at < border_odds.size())
        judgement.logits[static_cast<std::size_t>(row) * static_cast<std::size_t>(judgement.columns) +
                         static_cast<std::size_t>(column)] -= border_odds[at];
  if (!ignored.empty()) silence(judgement, ignored, height, width, cell);
  judgement.odds = largest_odds(judgement);
  judgement.area = mean_of_share(judgement.logits, kAreaCells);
  return judgement;
}

}  // namespace pgad
