#include "layers/discriminator.h"

#include "autograd/ops.h"
#include "layers/names.h"

namespace pgad {

std::int64_t stddev_group_size(std::int64_t batch) {
  for (std::int64_t g = 4; g > 1; --g)
    if (batch % g == 0) return g;
  return 1;
}

Discriminator::Discriminator(Exec& exec, const NetworkConfig& c, Seed seed, DType dtype)
    : conv_(exec, dtype, "d.4x4.conv", c.feature_maps(1) + 1, c.feature_maps(1), 3, kGain, kLeak, seed),
      dense0_(exec, dtype, "d.4x4.dense0", 16 * c.feature_maps(1), c.feature_maps(0), c.feature_maps(0),
              FileOrder::kDenseFromMap, kGain, seed),
      dense1_(exec, dtype, "d.4x4.dense1", c.feature_maps(0), 1, 1, FileOrder::kPlain, 1.0, seed) {
  for (int level = 2; level <= c.log2_resolution(); ++level) {
    const int in = c.feature_maps(level - 1), out = c.feature_maps(level - 2);
    const std::string name = "d." + side_name(level);
    from_rgb_.emplace_back(exec, dtype, name + ".from_rgb", c.channels, in, 1, kGain, kLeak, seed);
    if (level > 2)
      blocks_.push_back({EqualizedConv(exec, dtype, name + ".conv0", in, in, 3, kGain, kLeak, seed),
                         EqualizedConv(exec, dtype, name + ".conv1", in, out, 3, kGain, kLeak, seed)});
  }
}

Discriminator::Output Discriminator::forward(const Var& image, int level, const Var& old_weight,
                                             const Var& statistic) const {
  PGAD_CHECK(level >= 2 && level - 2 < static_cast<int>(from_rgb_.size()), "level ", level);
  PGAD_CHECK(image.shape()[1] == (1 << level), "image ", image.shape(), " at level ", level);
  Var x = from_rgb_[static_cast<std::size_t>(level - 2)](image);
  for (int l = level; l >= 3; --l) {
    const Block& block = blocks_[static_cast<std::size_t>(l - 3)];
    x = sum_pool2x(block.conv1(block.conv0(x)), 0.25);
    if (l == level && old_weight.defined())
      x = fade(x, from_rgb_[static_cast<std::size_t>(level - 3)](sum_pool2x(image, 0.25)), old_weight);
  }
  Output out;
  out.features = x;
  const std::int64_t n = x.shape()[0];
  out.statistic = statistic.defined() ? statistic : minibatch_stddev(x, n / stddev_group_size(n));
  x = conv_(append_map(x, out.statistic));
  x = reshape(x, {n, x.shape().numel() / n});
  x = bias_act(dense0_.product(x), dense0_.bias.var, kLeak);
  out.score = reshape(bias_act(dense1_.product(x), dense1_.bias.var, 1.0), {n});
  return out;
}

std::vector<Parameter> Discriminator::parameters() const {
  std::vector<Parameter> all;
  for (std::size_t i = from_rgb_.size(); i-- > 0;) {
    all.insert(all.end(), {from_rgb_[i].weight, from_rgb_[i].bias});
    if (i > 0)
      for (const EqualizedConv* conv : {&blocks_[i - 1].conv0, &blocks_[i - 1].conv1})
        all.insert(all.end(), {conv->weight, conv->bias});
  }
  all.insert(all.end(), {conv_.weight, conv_.bias, dense0_.weight, dense0_.bias, dense1_.weight, dense1_.bias});
  return all;
}

std::vector<Parameter> Discriminator::active_parameters(int level, bool fading) const {
  std::vector<Parameter> active;
  for (int l = level; l >= (fading ? level - 1 : level); --l) {
    const EqualizedConv& rgb = from_rgb_[static_cast<std::size_t>(l - 2)];
    active.insert(active.end(), {rgb.weight, rgb.bias});
  }
  for (int l = level; l >= 3; --l) {
    const Block& block = blocks_[static_cast<std::size_t>(l - 3)];
    for (const EqualizedConv* conv : {&block.conv0, &block.conv1})
      active.insert(active.end(), {conv->weight, conv->bias});
  }
  active.insert(active.end(), {conv_.weight, conv_.bias, dense0_.weight, dense0_.bias, dense1_.weight, dense1_.bias});
  return active;
}

}  // namespace pgad
