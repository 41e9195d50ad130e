// Generator, discriminator, objectives: sizes, fades, minibatch-stddev, and the derivatives of whole losses.

#include <gtest/gtest.h>

#include "layers/encoder.h"
#include "layers/generator.h"
#include "layers/objective.h"
#include "tests/gradcheck.h"

namespace pgad::test {
namespace {

NetworkConfig small_network(int resolution, int channels) {
  NetworkConfig c;
  c.resolution = resolution;
  c.channels = channels;
  c.fmap_base = 24;
  c.fmap_max = 6;
  return c;
}

Var scalar(Exec& exec, double value) { return Var(exec, exec.from<double>(std::vector<double>{value}, {1})); }

std::int64_t count(const std::vector<Parameter>& parameters) {
  std::int64_t n = 0;
  for (const Parameter& p : parameters) n += p.var.shape().numel();
  return n;
}

// Table of docs/method.md (PGGAN's sizes, all toRGB and fromRGB included).
TEST(Networks, ParameterCounts) {
  struct Row {
    int resolution, channels;
    std::int64_t g, d;
  };
  for (const Row& row :
       {Row{32, 1, 20715524, 20722689}, Row{64, 1, 22485765, 22493441}, Row{128, 3, 22933394, 22941313},
        Row{256, 3, 23044309, 23052353}, Row{512, 3, 23072120, 23080225}, Row{1024, 3, 23079115, 23087249},
        Row{1024, 1, 23074009, 23082161}}) {
    Exec exec;
    NetworkConfig c;
    c.resolution = row.resolution;
    c.channels = row.channels;
    EXPECT_EQ(count(Generator(exec, c, 1).parameters()), row.g) << row.resolution;
    EXPECT_EQ(count(Discriminator(exec, c, 1).parameters()), row.d) << row.resolution;
  }
}

// Gradients of the encoder's loss through E, G and D, in double.
TEST(Networks, EncoderGradientThroughAllThree) {
  Exec exec;
  const NetworkConfig c = small_network(8, 3);
  const Generator g(exec, c, 1, DType::kF64);
  const Discriminator d(exec, c, 2, DType::kF64);
  const Encoder encoder(exec, c, 3, 3, DType::kF64);
  const Var x(exec, random_tensor(exec, {2, 8, 8, 3}, 1)), statistic = scalar(exec, 0.3);
  const auto loss = [&] {
    const Var drawn = g.forward(encoder.forward(x), 3);
    return encoder_loss(x, drawn, d.forward(x, 3, {}, statistic).features, d.forward(drawn, 3, {}, statistic).features,
                        0.7);
  };
  for (const Parameter& p : encoder.parameters()) {
    const Var leaf[] = {p.var};
    const Var gradient = grad(loss(), leaf)[0];
    double* w = p.var.value().data<double>();
    for (const std::int64_t i : {std::int64_t{0}, p.var.shape().numel() / 2, p.var.shape().numel() - 1}) {
      const double before = w[i], h = 1e-5;
      w[i] = before + h;
      const double up = loss().item();
      w[i] = before - h;
      const double down = loss().item();
      w[i] = before;
      EXPECT_NEAR(gradient.value().data<double>()[i], (up - down) / (2 * h), 1e-6) << p.name << " " << i;
    }
  }
}

TEST(Networks, EverySizeAndChannelCountRuns) {
  for (const int resolution : {8, 16, 64, 256})
    for (const int channels : {1, 3}) {
      Exec exec;
      NetworkConfig c = small_network(resolution, channels);
      c.fmap_base = 4 * resolution;
      const Generator g(exec, c, 1);
      const Discriminator d(exec, c, 1);
      const HistoryScope off(false);
      const Var z(exec, random_tensor(exec, {2, c.latent()}, 1, DType::kF32));
      for (int level = 2; (1 << level) <= resolution; ++level) {
        const Var image = g.forward(z, level);
        EXPECT_EQ(image.shape(), Shape({2, 1 << level, 1 << level, channels}));
        EXPECT_EQ(d.forward(image, level).score.shape(), Shape({2}));
      }
    }
}

// At weight 1 of the old path the networks are the previous size's, at 0 the new size's: to the bit.
TEST(Networks, FadeEndsAreTheOldAndTheNewNetwork) {
  Exec exec;
  const NetworkConfig c = small_network(16, 3);
  const Generator g(exec, c, 1, DType::kF64);
  const Discriminator d(exec, c, 1, DType::kF64);
  const Var z(exec, random_tensor(exec, {4, c.latent()}, 1));
  const auto equal = [](const Var& a, const Var& b) {
    EXPECT_EQ(a.shape(), b.shape());
    return std::equal(a.value().data<double>(), a.value().data<double>() + a.value().numel(), b.value().data<double>());
  };
  for (int level = 3; level <= 4; ++level) {
    const Var old_image = upsample2x(g.forward(z, level - 1)), new_image = g.forward(z, level);
    EXPECT_TRUE(equal(g.forward(z, level, scalar(exec, 1)), old_image));
    EXPECT_TRUE(equal(g.forward(z, level, scalar(exec, 0)), new_image));
    EXPECT_FALSE(equal(g.forward(z, level, scalar(exec, 0.5)), new_image));
    EXPECT_TRUE(equal(d.forward(new_image, level, scalar(exec, 1)).score,
                      d.forward(sum_pool2x(new_image, 0.25), level - 1).score));
    EXPECT_TRUE(equal(d.forward(new_image, level, scalar(exec, 0)).score, d.forward(new_image, level).score));
    EXPECT_FALSE(equal(d.forward(new_image, level, scalar(exec, 0.5)).score, d.forward(new_image, level).score));
  }
}

TEST(Networks, StddevGroupsAreStrided) {
  EXPECT_EQ(stddev_group_size(16), 4);
  EXPECT_EQ(stddev_group_size(6), 3);
  EXPECT_EQ(stddev_group_size(2), 2);
  EXPECT_EQ(stddev_group_size(7), 1);
  Exec exec;
  // Eight samples, two groups: even samples all equal, odd ones alternate +1, -1 (deviation 1).
  const Tensor x = exec.zeros({8, 1, 1, 1}, DType::kF64);
  for (int n = 1; n < 8; n += 2) x.data<double>()[n] = n % 4 == 1 ? 1 : -1;
  const Var s = minibatch_stddev(Var(exec, x), 2);
  EXPECT_NEAR(s.value().data<double>()[0], 1e-4, 1e-12);  // sqrt(0 + 1e-8)
  EXPECT_NEAR(s.value().data<double>()[1], 1.0, 1e-7);
  // The extra map brings each sample its own group's statistic.
  const Var y = append_map(Var(exec, x), s);
  for (int n = 0; n < 8; ++n) EXPECT_EQ(y.value().data<double>()[2 * n + 1], s.value().data<double>()[n % 2]);
  // One sample alone: finite.
  EXPECT_TRUE(std::isfinite(minibatch_stddev(Var(exec, exec.zeros({1, 4, 4, 2})), 1).item()));
}

TEST(Networks, ConstantStatisticMakesScoresIndependentOfTheBatch) {
  Exec exec;
  const NetworkConfig c = small_network(8, 1);
  const Discriminator d(exec, c, 1, DType::kF64);
  const Tensor four = random_tensor(exec, {4, 8, 8, 1}, 3);
  const Var statistic = scalar(exec, 0.4);
  const Var together = d.forward(Var(exec, four), 3, {}, statistic).score;
  for (std::int64_t n = 0; n < 4; ++n) {
    const Tensor one = exec.from<double>(std::span<const double>(four.data<double>() + n * 64, 64), {1, 8, 8, 1});
    EXPECT_EQ(d.forward(Var(exec, one), 3, {}, statistic).score.item(), together.value().data<double>()[n]);
  }
}

// The whole discriminator loss, penalty included, against finite differences in every parameter: the second
// derivatives go through all layers, minibatch-stddev among them.
struct LossCase {
  Loss loss;
  Weighting weighting;
  double old_weight;  // < 0: no fade
  bool abnormal;
};

class WholeLoss : public testing::TestWithParam<LossCase> {};

TEST_P(WholeLoss, ParameterGradient) {
  const LossCase p = GetParam();
  Exec exec(Device{}, 1);
  const NetworkConfig c = small_network(8, 2);
  const Discriminator d(exec, c, 5, DType::kF64);
  DiscriminatorBatch batch;
  const Shape shape = {4, 8, 8, 2};
  batch.real = Var(exec, random_tensor(exec, shape, 1));
  batch.fake = Var(exec, random_tensor(exec, shape, 2));
  if (p.abnormal) batch.abnormal = Var(exec, random_tensor(exec, shape, 3));
  batch.mix = Var(exec, exec.from<double>(std::vector<double>{0.1, 0.4, 0.7, 0.9}, {4}));
  batch.pick = Var(exec, exec.from<double>(std::vector<double>{1, 0, 1, 0}, {4}));
  const Var old_weight = p.old_weight < 0 ? Var() : scalar(exec, p.old_weight);
  ObjectiveConfig objective;
  objective.loss = p.loss;
  objective.weighting = p.weighting;
  objective.gamma = 0.3;
  objective.r1_weight = 3;
  std::vector<Var> leaves;
  const auto parameters = d.active_parameters(3, p.old_weight >= 0);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    // Biases start at zero; anywhere else is a better test.
    if (parameters[i].var.shape().rank() == 1)
      for (double& b : parameters[i].var.value().span<double>()) b = 0.1 * static_cast<double>(i % 5) - 0.2;
    leaves.push_back(parameters[i].var);
  }
  const Function total = [&](std::span<const Var>) {
    return discriminator_loss(objective, d, batch, 3, old_weight, 2).total;
  };
  expect_gradient("whole loss", total, leaves, 1e-6);
  const Function penalty = [&](std::span<const Var>) {
    return discriminator_loss(objective, d, batch, 3, old_weight, 2).penalty;
  };
  expect_gradient("penalty", penalty, leaves, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(All, WholeLoss,
                         testing::Values(LossCase{Loss::kLogistic, Weighting::kMixture, -1, true},
                                         LossCase{Loss::kLogistic, Weighting::kEq15, 0.4, true},
                                         LossCase{Loss::kLogistic, Weighting::kMixture, -1, false},
                                         LossCase{Loss::kWganGp, Weighting::kMixture, 0.4, true},
                                         LossCase{Loss::kWganGp, Weighting::kEq15, -1, true},
                                         LossCase{Loss::kWganGp, Weighting::kMixture, -1, false}));

TEST(Objective, GeneratorGradientThroughBothNetworks) {
  Exec exec(Device{}, 1);
  const NetworkConfig c = small_network(8, 1);
  const Generator g(exec, c, 5, DType::kF64);
  const Discriminator d(exec, c, 6, DType::kF64);
  std::vector<Var> leaves = {Var(exec, random_tensor(exec, {2, c.latent()}, 1), true)};
  for (const Parameter& p : g.active_parameters(3, true)) leaves.push_back(p.var);
  for (const Loss loss : {Loss::kLogistic, Loss::kWganGp}) {
    ObjectiveConfig objective;
    objective.loss = loss;
    const Function f = [&](std::span<const Var> v) {
      const Var t = scalar(exec, 0.3);
      return generator_loss(objective, d.forward(g.forward(v[0], 3, t), 3, t).score);
    };
    expect_gradient("generator loss", f, leaves, 1e-6);
  }
}

// Without abnormals gamma counts as 1, whatever it is set to.
TEST(Objective, WithoutAbnormalsGammaIsOne) {
  Exec exec;
  const NetworkConfig c = small_network(8, 1);
  const Discriminator d(exec, c, 5, DType::kF64);
  DiscriminatorBatch batch;
  batch.real = Var(exec, random_tensor(exec, {4, 8, 8, 1}, 1));
  batch.fake = Var(exec, random_tensor(exec, {4, 8, 8, 1}, 2));
  batch.mix = batch.pick = Var(exec, exec.zeros({4}, DType::kF64));
  ObjectiveConfig a, b;
  a.gamma = 0.1;
  b.gamma = 1;
  EXPECT_EQ(discriminator_loss(a, d, batch, 3, {}, 1).total.item(),
            discriminator_loss(b, d, batch, 3, {}, 1).total.item());
}

}  // namespace
}  // namespace pgad::test
