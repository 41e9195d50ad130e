#include "layers/patch_critic.h"

#include <bit>

#include "autograd/ops.h"
#include "layers/names.h"

namespace pgad {
namespace {

constexpr double kHeadGain = 0.1;  // first logits near 0

}  // namespace

PatchCritic::PatchCritic(Exec& exec, const PatchCriticConfig& c, int channels, Seed seed, int member, DType dtype)
    : cell_(c.cell), granularity_(1 << (c.levels - 1)), channels_(channels), cell_level_(level_of(c.cell)) {
  if (!std::has_single_bit(static_cast<unsigned>(c.cell)) || cell_level_ >= c.levels)
    throw UsageError(
        str("--patch-critic-cell: ", c.cell, ", expected a power of two below 2^patch-critic-levels, ", 1 << c.levels));
  const auto maps = [&](int level) { return std::min(c.maps << level, c.most_maps); };
  const std::string prefix = member == 0 ? "p." : str("p", member, ".");
  std::vector<Parameter> all;
  const auto conv = [&](std::vector<EqualizedConv>& to, const std::string& name, int in, int out, int k, double gain,
                        double slope) {
    to.emplace_back(exec, dtype, prefix + name, in, out, k, gain, slope);
    all.push_back(to.back().weight);
    all.push_back(to.back().bias);
  };
  const int wide = maps(cell_level_);
  int in = channels;
  for (int l = 0; l < c.levels; ++l) {
    Level& level = levels_.emplace_back();
    const std::string name = str("level", l);
    // The coarsest of several has one convolution: two are no better, and it reaches far enough.
    const int count = l > 0 && l == c.levels - 1 ? 1 : 2;
    for (int i = 0; i < count; ++i) {
      conv(level.convolutions, str(name, ".conv", i), in, maps(l), 3, kGain, kLeak);
      in = maps(l);
    }
    if (l >= cell_level_) conv(level.lateral, name + ".lateral", maps(l), wide, 1, 1.0, 1.0);
    if (l >= cell_level_ && l < c.levels - 1) conv(level.merge, name + ".merge", wide, wide, 3, kGain, kLeak);
  }
  conv(head_, "head", wide, 1, 1, kHeadGain, 1.0);
  parameters_ = Parameters(exec, std::move(all), seed);
}

Var PatchCritic::forward(const Var& image) const {
  const Shape& s = image.shape();
  PGAD_CHECK(s[3] == channels_ && s[1] % granularity_ == 0 && s[2] % granularity_ == 0, "image ", s, ", multiples of ",
             granularity_);
  std::vector<Var> maps;
  Var x = image;
  for (std::size_t l = 0; l < levels_.size(); ++l) {
    const auto& convolutions = levels_[l].convolutions;
    if (l > 0) x = sum_pool2x(x, 0.25);
    for (std::size_t i = 0; i < convolutions.size(); ++i)
      x = l > 0 && i + 1 == convolutions.size() ? convolutions[i].normalised(x) : convolutions[i](x);
    maps.push_back(x);
  }
  x = levels_.back().lateral[0](maps.back());
  for (std::size_t l = levels_.size() - 1; l-- > static_cast<std::size_t>(cell_level_);)
    x = levels_[l].merge[0].normalised(add(upsample2x(x), levels_[l].lateral[0](maps[l])));
  return head_[0](x);
}

}  // namespace pgad
