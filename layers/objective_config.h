#pragma once
// What the discriminator and generator minimise (docs/method.md).

namespace pgad {

enum class Loss { kLogistic, kWganGp };
// kMixture: real 1, fake gamma, abnormal 1 - gamma (the theory of eq 18-23); kEq15: real gamma too (eq 15 literally).
enum class Weighting { kMixture, kEq15 };

struct ObjectiveConfig {
  Loss loss = Loss::kLogistic;
  Weighting weighting = Weighting::kMixture;
  double gamma = 0.1;       // share of the generator in p_N = gamma p_g + (1 - gamma) p_an; in (0, 1], 1 = no abnormals
  double r1_weight = 1.0;   // logistic: r1_weight / 2 * E ||dD/dx||^2 on reals
  double gp_weight = 10.0;  // wgan-gp: lambda
  double gp_target = 1.0;   // wgan-gp: wanted gradient norm
  double drift = 0.001;     // wgan-gp: drift * E D(real)^2
};

}  // namespace pgad
