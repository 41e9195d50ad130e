#pragma once
// Where a growing network stands (PGGAN section 2).

#include "autograd/var.h"

namespace pgad {

// The size that networks work at, and how far it has faded in. alpha lies in device memory, so that a recorded step
// follows its changes.
struct Stage {
  int level;  // log2 of the image's side
  Var alpha;  // [1], in [0, 1]: the weight of this size's path beside the previous size's; undefined: 1, faded in

  bool fading() const { return alpha.defined(); }
};

// alpha: 1 where the size has faded in.
Stage make_stage(Exec& exec, int level, double alpha);

// Real images [n,s,s,c], s = 2^level, as the networks of this moment could draw them: while a size fades in, blended
// with what the previous size leaves of them.
Var fade_real(const Var& image, const Stage& stage);

}  // namespace pgad
