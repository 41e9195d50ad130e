#pragma once
// Training losses. Known abnormal images are one more kind of fake: D sees p_N = gamma p_g + (1 - gamma) p_an
// (Kimura & Yanagihara eq 15-23, with the weighting of docs/method.md).

#include <functional>

#include "layers/network.h"
#include "layers/objective_config.h"

namespace pgad {

// What one discriminator step sees; constants in the graph's eyes. NHWC, one batch size n throughout.
struct DiscriminatorBatch {
  Var real;      // [n,h,w,c], faded like the generator's images
  Var fake;      // G(z), detached
  Var abnormal;  // known abnormals, faded likewise; undefined: gamma counts as 1
  Var mix;       // [n] in [0,1], wgan-gp: where on the line between real and p_N each sample's penalty is taken
  Var pick;      // [n] 0 or 1, wgan-gp: the line ends at the fake (1, with probability gamma) or the abnormal (0)
};

struct DiscriminatorLoss {
  Var total;                 // [1], what D minimises
  Var real, fake, abnormal;  // [1], mean score of each kind; abnormal may be undefined
  Var penalty;               // [1], logistic: mean ||dD/dx||^2; wgan-gp: mean (norm - target)^2
  Var stddev;                // [groups], minibatch-stddev of the real batch
  Var gradient;              // dD/dx of the penalty's images, [n,h,w,c]
};

// norm_divisor: 2^floor(lod), by which wgan-gp divides the gradient's norm at sizes below the full one
// (docs/method.md). on_part: is given each part of the total (they add up to it) as soon as it is computed, to take its
// gradient; then the result holds values only, and each part's graph has gone before the next is made. That bounds the
// memory.
DiscriminatorLoss discriminator_loss(const ObjectiveConfig& config, const Discriminator& d,
                                     const DiscriminatorBatch& batch, const Stage& stage, double norm_divisor,
                                     const std::function<void(const Var&)>& on_part = {});

// -> [1]; logistic: mean softplus(-D(G(z))), wgan-gp: -mean D(G(z)).
Var generator_loss(const ObjectiveConfig& config, const Var& score);

}  // namespace pgad
