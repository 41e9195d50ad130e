#include "layers/stage.h"

#include "autograd/ops.h"

namespace pgad {

Stage make_stage(Exec& exec, int level, double alpha) { return {level, alpha < 1 ? constant(exec, alpha) : Var()}; }

Var fade_real(const Var& image, const Stage& stage) {
  return stage.fading() ? fade(upsample2x(sum_pool2x(image, 0.25)), image, stage.alpha) : image;
}

}  // namespace pgad
