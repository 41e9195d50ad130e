#pragma once

#include <span>
#include <vector>

#include "layers/patch_critic.h"

namespace pgad {

// What the patch critic says of an image.
struct PatchJudgement {
  int rows = 0, columns = 0;  // of cells; those at the far borders may reach beyond the image
  std::vector<float> logits;  // [rows, columns]
  double odds = 0;            // log of the mean odds of the cells, log(mean(exp(logit)))
  double area = 0;            // mean of the largest 5 % of the logits, of one at least
  // The logits at the size of the image that was judged, [height, width], bilinear between the cells' centres.
  std::vector<float> map(int height, int width, int cell) const;
};

// pixels [height, width, channels] in [-1,1]; critics: alike, one at least, their logits are averaged. Large images are
// judged in windows that overlap by what a logit may depend on, so that these do not show; memory does not grow with
// the image beyond its own. The same bits for any number of threads.
PatchJudgement judge_patches(Exec& exec, std::span<const std::shared_ptr<const PatchCritic>> critics,
                             std::span<const float> pixels, int height, int width, int channels);

}  // namespace pgad
