#include "layers/encoder.h"

#include "autograd/ops.h"
#include "layers/names.h"

namespace pgad {

Encoder::Encoder(Exec& exec, const NetworkConfig& c, int level, Seed seed, DType dtype)
    : level_(level),
      from_rgb_(exec, dtype, "e." + side_name(level) + ".from_rgb", c.channels, c.feature_maps(level - 1), 1, kGain,
                kLeak, seed),
      conv_(exec, dtype, "e.4x4.conv", c.feature_maps(1), c.feature_maps(1), 3, kGain, kLeak, seed),
      dense0_(exec, dtype, "e.4x4.dense0", 16 * c.feature_maps(1), c.feature_maps(0), c.feature_maps(0),
              FileOrder::kDenseFromMap, kGain, seed),
      dense1_(exec, dtype, "e.4x4.dense1", c.feature_maps(0), c.latent(), c.latent(), FileOrder::kPlain, 1.0, seed) {
  for (int l = level; l >= 3; --l) {
    const int in = c.feature_maps(l - 1), out = c.feature_maps(l - 2);
    const std::string name = "e." + side_name(l);
    blocks_.push_back({EqualizedConv(exec, dtype, name + ".conv0", in, in, 3, kGain, kLeak, seed),
                       EqualizedConv(exec, dtype, name + ".conv1", in, out, 3, kGain, kLeak, seed)});
  }
}

Var Encoder::forward(const Var& image) const {
  PGAD_CHECK(image.shape()[1] == (1 << level_), "image ", image.shape(), " at level ", level_);
  Var x = from_rgb_(image);
  for (const Block& block : blocks_) x = sum_pool2x(block.conv1(block.conv0(x)), 0.25);
  x = conv_(x);
  const std::int64_t n = x.shape()[0];
  x = reshape(x, {n, x.shape().numel() / n});
  x = bias_act(dense0_.product(x), dense0_.bias.var, kLeak);
  x = bias_act(dense1_.product(x), dense1_.bias.var, 1.0);
  return pixelnorm(x);  // mean square 1: radius sqrt(d)
}

std::vector<Parameter> Encoder::parameters() const {
  std::vector<Parameter> all = {from_rgb_.weight, from_rgb_.bias};
  for (const Block& block : blocks_)
    for (const EqualizedConv* conv : {&block.conv0, &block.conv1}) all.insert(all.end(), {conv->weight, conv->bias});
  all.insert(all.end(), {conv_.weight, conv_.bias, dense0_.weight, dense0_.bias, dense1_.weight, dense1_.bias});
  return all;
}

Var encoder_loss(const Var& image, const Var& drawn, const Var& features, const Var& drawn_features,
                 double feature_weight) {
  return axpby(mean(square(sub(image, drawn))), mean(square(sub(features, drawn_features))), 1, feature_weight);
}

}  // namespace pgad
