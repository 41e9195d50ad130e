#include "layers/generator.h"

#include "autograd/ops.h"
#include "layers/names.h"

namespace pgad {
namespace {

EqualizedConv conv3(Exec& exec, DType dtype, const std::string& name, int ci, int co, Seed seed) {
  return EqualizedConv(exec, dtype, name, ci, co, 3, kGain, kLeak, seed);
}

}  // namespace

Generator::Generator(Exec& exec, const NetworkConfig& c, Seed seed, DType dtype)
    : dense_(exec, dtype, "g.dense", c.latent(), 16 * c.feature_maps(1), c.feature_maps(1), FileOrder::kDenseToMap,
             kGain / 4, seed),
      conv_(conv3(exec, dtype, "g.4x4.conv", c.feature_maps(1), c.feature_maps(1), seed)) {
  for (int level = 2; level <= c.log2_resolution(); ++level) {
    const int in = c.feature_maps(level - 2), out = c.feature_maps(level - 1);
    const std::string name = "g." + side_name(level);
    if (level > 2)
      blocks_.push_back(
          {conv3(exec, dtype, name + ".conv0", in, out, seed), conv3(exec, dtype, name + ".conv1", out, out, seed)});
    to_rgb_.emplace_back(exec, dtype, name + ".to_rgb", out, c.channels, 1, 1.0, 1.0, seed);
  }
}

Var Generator::forward(const Var& z, int level, const Var& old_weight) const {
  PGAD_CHECK(level >= 2 && level - 2 < static_cast<int>(to_rgb_.size()), "level ", level);
  const std::int64_t n = z.shape()[0], maps = dense_.bias.var.shape()[0];
  Var x = reshape(dense_.product(pixelnorm(z)), {n, 4, 4, maps});
  x = pixelnorm(bias_act(x, dense_.bias.var, kLeak));
  x = conv_.normalised(x);
  Var before;  // the last size's features
  for (int l = 3; l <= level; ++l) {
    before = x;
    const Block& block = blocks_[static_cast<std::size_t>(l - 3)];
    x = block.conv1.normalised(block.conv0.upsampled_normalised(x));
  }
  const Var image = to_rgb_[static_cast<std::size_t>(level - 2)](x);
  if (!old_weight.defined() || level == 2) return image;
  return fade(image, upsample2x(to_rgb_[static_cast<std::size_t>(level - 3)](before)), old_weight);
}

std::vector<Parameter> Generator::parameters() const {
  std::vector<Parameter> all = {dense_.weight, dense_.bias, conv_.weight, conv_.bias};
  for (std::size_t i = 0; i < to_rgb_.size(); ++i) {
    if (i > 0)
      for (const EqualizedConv* conv : {&blocks_[i - 1].conv0, &blocks_[i - 1].conv1})
        all.insert(all.end(), {conv->weight, conv->bias});
    all.insert(all.end(), {to_rgb_[i].weight, to_rgb_[i].bias});
  }
  return all;
}

std::vector<Parameter> Generator::active_parameters(int level, bool fading) const {
  std::vector<Parameter> active = {dense_.weight, dense_.bias, conv_.weight, conv_.bias};
  for (int l = 3; l <= level; ++l) {
    const Block& block = blocks_[static_cast<std::size_t>(l - 3)];
    for (const EqualizedConv* conv : {&block.conv0, &block.conv1})
      active.insert(active.end(), {conv->weight, conv->bias});
  }
  for (int l = fading ? level - 1 : level; l <= level; ++l) {
    const EqualizedConv& rgb = to_rgb_[static_cast<std::size_t>(l - 2)];
    active.insert(active.end(), {rgb.weight, rgb.bias});
  }
  return active;
}

}  // namespace pgad
