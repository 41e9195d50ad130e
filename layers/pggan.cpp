#include "layers/pggan.h"

#include "autograd/ops.h"
#include "layers/equalized.h"
#include "layers/names.h"

namespace pgad {
namespace {

template <class Layer>
void append(std::vector<Parameter>& to, const Layer& layer) {
  to.insert(to.end(), {layer.weight, layer.bias});
}

struct Block {  // two convolutions at side 2^level, level >= 3
  EqualizedConv conv0, conv1;
};
void append(std::vector<Parameter>& to, const Block& block) {
  append(to, block.conv0);
  append(to, block.conv1);
}

EqualizedConv conv3(Exec& exec, DType dtype, const std::string& name, int ci, int co) {
  return EqualizedConv(exec, dtype, name, ci, co, 3, kGain, kLeak);
}

class PgganGenerator final : public Generator {
 public:
  PgganGenerator(Exec& exec, const NetworkConfig& c, Seed seed, DType dtype)
      : dense_(exec, dtype, "g.dense", c.latent(), 16 * c.feature_maps(1), c.feature_maps(1), FileOrder::kDenseToMap,
               kGain / 4),
        conv_(conv3(exec, dtype, "g.4x4.conv", c.feature_maps(1), c.feature_maps(1))) {
    std::vector<Parameter> all;
    append(all, dense_);
    append(all, conv_);
    for (int level = 2; level <= c.log2_resolution(); ++level) {
      const int in = c.feature_maps(level - 2), out = c.feature_maps(level - 1);
      const std::string name = "g." + side_name(level);
      if (level > 2) {
        blocks_.push_back(
            {conv3(exec, dtype, name + ".conv0", in, out), conv3(exec, dtype, name + ".conv1", out, out)});
        append(all, blocks_.back());
      }
      to_rgb_.emplace_back(exec, dtype, name + ".to_rgb", out, c.channels, 1, 1.0, 1.0);
      append(all, to_rgb_.back());
    }
    parameters_ = Parameters(exec, std::move(all), seed);
  }

  Var forward(const Var& z, const Stage& stage) const override {
    const int level = stage.level;
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
    if (!stage.fading() || level == 2) return image;
    return fade(upsample2x(to_rgb_[static_cast<std::size_t>(level - 3)](before)), image, stage.alpha);
  }

  std::vector<Parameter> active_parameters(int level, bool fading) const override {
    std::vector<Parameter> active;
    append(active, dense_);
    append(active, conv_);
    for (int l = 3; l <= level; ++l) append(active, blocks_[static_cast<std::size_t>(l - 3)]);
    for (int l = fading ? level - 1 : level; l <= level; ++l) append(active, to_rgb_[static_cast<std::size_t>(l - 2)]);
    return active;
  }

 private:
  EqualizedDense dense_;
  EqualizedConv conv_;                 // 4x4
  std::vector<Block> blocks_;          // from 8x8
  std::vector<EqualizedConv> to_rgb_;  // from 4x4
};

// Image -> 4x4 map with nf(1) channels: from_rgb at the image's size, then two convolutions and a pooling per size.
class Trunk {
 public:
  // Takes images of sides 2^lowest to 2^highest. Adds its parameters, by size, to `all`.
  Trunk(Exec& exec, DType dtype, const std::string& prefix, const NetworkConfig& c, int lowest, int highest,
        std::vector<Parameter>& all)
      : lowest_(lowest) {
    for (int level = 2; level <= highest; ++level) {
      const int in = c.feature_maps(level - 1), out = c.feature_maps(level - 2);
      const std::string name = prefix + side_name(level);
      if (level >= lowest) {
        from_rgb_.emplace_back(exec, dtype, name + ".from_rgb", c.channels, in, 1, kGain, kLeak);
        append(all, from_rgb_.back());
      }
      if (level > 2) {
        blocks_.push_back({conv3(exec, dtype, name + ".conv0", in, in), conv3(exec, dtype, name + ".conv1", in, out)});
        append(all, blocks_.back());
      }
    }
  }

  // seen: receives what there is at each size before it is halved.
  Var operator()(const Var& image, const Stage& stage, std::vector<Var>* seen = nullptr) const {
    const int level = stage.level;
    PGAD_CHECK(level >= lowest_ && level - lowest_ < static_cast<int>(from_rgb_.size()), "level ", level);
    PGAD_CHECK(image.shape()[1] == (1 << level), "image ", image.shape(), " at level ", level);
    Var x = from_rgb(level)(image);
    for (int l = level; l >= 3; --l) {
      const Block& block = blocks_[static_cast<std::size_t>(l - 3)];
      x = block.conv1(block.conv0(x));
      if (seen != nullptr) seen->push_back(x);
      x = sum_pool2x(x, 0.25);
      if (l == level && stage.fading()) x = fade(from_rgb(level - 1)(sum_pool2x(image, 0.25)), x, stage.alpha);
    }
    return x;
  }

  void append_active(int level, bool fading, std::vector<Parameter>& to) const {
    for (int l = fading ? level - 1 : level; l <= level; ++l) append(to, from_rgb(l));
    for (int l = 3; l <= level; ++l) append(to, blocks_[static_cast<std::size_t>(l - 3)]);
  }

 private:
  const EqualizedConv& from_rgb(int level) const { return from_rgb_[static_cast<std::size_t>(level - lowest_)]; }

  int lowest_;
  std::vector<EqualizedConv> from_rgb_;  // from 2^lowest
  std::vector<Block> blocks_;            // from 8x8
};

// 4x4 map -> vector: a convolution and two dense layers.
class Head {
 public:
  Head(Exec& exec, DType dtype, const std::string& prefix, const NetworkConfig& c, int maps, int outputs,
       std::vector<Parameter>& all)
      : conv_(conv3(exec, dtype, prefix + "4x4.conv", maps, c.feature_maps(1))),
        dense0_(exec, dtype, prefix + "4x4.dense0", 16 * c.feature_maps(1), c.feature_maps(0), c.feature_maps(0),
                FileOrder::kDenseFromMap, kGain),
        dense1_(exec, dtype, prefix + "4x4.dense1", c.feature_maps(0), outputs, outputs, FileOrder::kPlain, 1.0) {
    append_active(all);
  }

  Var operator()(const Var& map) const {  // [n, outputs]
    Var x = conv_(map);
    const std::int64_t n = x.shape()[0];
    x = reshape(x, {n, x.shape().numel() / n});
    x = bias_act(dense0_.product(x), dense0_.bias.var, kLeak);
    return bias_act(dense1_.product(x), dense1_.bias.var, 1.0);
  }

  void append_active(std::vector<Parameter>& to) const {
    append(to, conv_);
    append(to, dense0_);
    append(to, dense1_);
  }

 private:
  EqualizedConv conv_;
  EqualizedDense dense0_, dense1_;
};

class PgganDiscriminator final : public Discriminator {
 public:
  PgganDiscriminator(Exec& exec, const NetworkConfig& c, Seed seed, DType dtype)
      : PgganDiscriminator(exec, c, seed, dtype, {}) {}

  Output forward(const Var& image, const Stage& stage, const Var& stddev, std::vector<Var>* maps) const override {
    Output out;
    out.features = trunk_(image, stage, maps);
    const std::int64_t n = out.features.shape()[0];
    out.stddev = stddev.defined() ? stddev : minibatch_stddev(out.features, n / stddev_group_size(n));
    out.score = reshape(head_(append_map(out.features, out.stddev)), {n});
    return out;
  }

  std::vector<Var> feature_maps(const Var& image, const Stage& stage) const override {
    std::vector<Var> maps;
    trunk_(image, stage, &maps);
    return maps;
  }

  std::vector<Parameter> active_parameters(int level, bool fading) const override {
    std::vector<Parameter> active;
    head_.append_active(active);
    trunk_.append_active(level, fading, active);
    return active;
  }

 private:
  PgganDiscriminator(Exec& exec, const NetworkConfig& c, Seed seed, DType dtype, std::vector<Parameter> all)
      : head_(exec, dtype, "d.", c, c.feature_maps(1) + 1, 1, all),
        trunk_(exec, dtype, "d.", c, 2, c.log2_resolution(), all) {
    parameters_ = Parameters(exec, std::move(all), seed);
  }

  Head head_;
  Trunk trunk_;
};

// The discriminator's layers at one size, without minibatch-stddev, and a latent instead of a score at the end.
class PgganEncoder final : public Encoder {
 public:
  PgganEncoder(Exec& exec, const NetworkConfig& c, int level, Seed seed, DType dtype)
      : PgganEncoder(exec, c, level, seed, dtype, {}) {}

  Var forward(const Var& image) const override {
    return pixelnorm(head_(trunk_(image, {level_, {}})));  // mean square 1: radius sqrt(d)
  }
  std::vector<Parameter> active_parameters(int, bool) const override { return parameters(); }

 private:
  PgganEncoder(Exec& exec, const NetworkConfig& c, int level, Seed seed, DType dtype, std::vector<Parameter> all)
      : Encoder(level),
        head_(exec, dtype, "e.", c, c.feature_maps(1), c.latent(), all),
        trunk_(exec, dtype, "e.", c, level, level, all) {
    parameters_ = Parameters(exec, std::move(all), seed);
  }

  Head head_;
  Trunk trunk_;
};

}  // namespace

const Architecture kPggan = {
    "pggan",
    [](Exec& exec, const NetworkConfig& c, Seed seed, DType dtype) -> std::shared_ptr<const Generator> {
      return std::make_shared<PgganGenerator>(exec, c, seed, dtype);
    },
    [](Exec& exec, const NetworkConfig& c, Seed seed, DType dtype) -> std::shared_ptr<const Discriminator> {
      return std::make_shared<PgganDiscriminator>(exec, c, seed, dtype);
    },
    [](Exec& exec, const NetworkConfig& c, int level, Seed seed, DType dtype) -> std::shared_ptr<const Encoder> {
      return std::make_shared<PgganEncoder>(exec, c, level, seed, dtype);
    }};

}  // namespace pgad
