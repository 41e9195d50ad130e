#pragma once
// The encoder that gives the search its start: image -> latent, trained after the GAN against its frozen networks
// (f-AnoGAN's izi_f: Schlegl et al., Medical Image Analysis 2019). The discriminator's layers at one size, without
// minibatch-stddev, and a latent instead of a score at the end.

#include <vector>

#include "layers/discriminator.h"
#include "layers/equalized.h"
#include "layers/network_config.h"

namespace pgad {

class Encoder {
 public:
  // level: log2 of the image's side, at least 2.
  Encoder(Exec& exec, const NetworkConfig& config, int level, Seed seed, DType dtype = DType::kF32);

  // x [n, s, s, channels], s = 2^level -> z [n, d] on the sphere of radius sqrt(d), where the search looks.
  Var forward(const Var& x) const;
  int level() const { return level_; }
  std::vector<Parameter> parameters() const;

 private:
  struct Block {
    EqualizedConv conv0, conv1;
  };
  int level_;
  EqualizedConv from_rgb_;
  std::vector<Block> blocks_;  // from the image's size down to 8x8
  EqualizedConv conv_;         // 4x4
  EqualizedDense dense0_, dense1_;
};

// mean |x - G(z)|^2 + feature_weight mean |f(x) - f(G(z))|^2 for images and features of the same shapes.
Var encoder_loss(const Var& image, const Var& drawn, const Var& features, const Var& drawn_features,
                 double feature_weight);

}  // namespace pgad
