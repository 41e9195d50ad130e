#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "layers/patch_critic.h"

namespace pgad {

// What the patch critic says of an image.
struct PatchJudgement {
  int rows = 0, columns = 0;  // of cells; those at the far borders may reach beyond the image
  std::vector<float> logits;  // [rows, columns]
  double odds = 0;            // largest log of the mean odds, log(mean(exp(logit))), in a square of 32 cells
  double area = 0;            // mean of the largest 5 % of the logits, of one at least
  // The logits at the size of the image that was judged, [height, width], bilinear between the cells' centres.
  std::vector<float> map(int height, int width, int cell) const;
};

// Cells near an image's border look odd to the critics, on normal images too: their surroundings are made up. What the
// odds there are beside those of the inside, over normal images, is subtracted from their logits.
class BorderOdds {
 public:
  void add(const PatchJudgement& normal);
  // By the distance from the border, in cells: log of the ratio of the mean odds, or 0 if they are lower. Empty if
  // nothing was added.
  std::vector<float> finish() const;

 private:
  std::vector<double> odds_, cells_;  // by distance, the inside last
};

// pixels [height, width, channels] in [-1,1]; critics: alike, one at least, their logits are averaged; border_odds: of
// BorderOdds::finish(), may be empty. Large images are
// judged in windows that overlap by what a logit may depend on, so that these do not show; memory does not grow with
// the image beyond its own. ignored [height, width], or empty: cells that lie in marked pixels or beside such cells get
// the lowest logit of the others, so that they never count. The same bits for any number of threads.
PatchJudgement judge_patches(Exec& exec, std::span<const std::shared_ptr<const PatchCritic>> critics,
                             std::span<const float> border_odds, std::span<const float> pixels, int height, int width,
                             int channels, std::span<const std::uint8_t> ignored = {});

}  // namespace pgad
