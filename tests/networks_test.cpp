// Generator, discriminator, objectives: sizes, fades, minibatch-stddev, and the derivatives of whole losses.

#include <gtest/gtest.h>

#include "layers/adam.h"
#include "layers/network.h"
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
    EXPECT_EQ(count(make_generator(exec, c, 1)->parameters()), row.g) << row.resolution;
    EXPECT_EQ(count(make_discriminator(exec, c, 1)->parameters()), row.d) << row.resolution;
  }
}

// Optimizer and moving average work on the flat tensor's beginning: what a size uses lies there, and what only larger
// sizes use does not.
TEST(Networks, ParametersLieBySize) {
  Exec exec;
  const NetworkConfig c = small_network(32, 3);
  const std::shared_ptr<const Network> networks[] = {make_generator(exec, c, 1), make_discriminator(exec, c, 1)};
  for (const auto& network : networks) {
    std::int64_t end = 0;
    for (const Parameter& p : network->parameters()) {
      const Tensor& value = p.var.value();
      EXPECT_GE(value.first(), end) << p.name;
      EXPECT_EQ(value.first() % 64, 0) << p.name;
      EXPECT_EQ(value.data<float>(), network->flat().data<float>() + value.first()) << p.name;
      end = value.first() + value.numel();
    }
    EXPECT_LE(end, network->flat().numel());
    std::int64_t before = 0;
    for (int level = 2; level <= 5; ++level)
      for (const bool fading : {true, false}) {
        if (level == 2 && fading) continue;
        const std::int64_t active = Parameters::end_of(network->active_parameters(level, fading));
        EXPECT_GE(active, before);
        EXPECT_EQ(active == before, !fading && level > 2) << level;
        before = active;
      }
    EXPECT_EQ(before, end);
  }
}

TEST(Networks, GradientsOfSeveralLossesAddUp) {
  Exec exec;
  const NetworkConfig c = small_network(16, 1);
  const auto g = make_generator(exec, c, 1);
  const Var z(exec, random_tensor(exec, {2, c.latent()}, 1, DType::kF32));
  const Stage stage{3, constant(exec, 0.4)};
  const auto loss = [&](double factor) { return scale(mean(square(g->forward(z, stage))), factor); };
  Gradients sum(exec, g->active_parameters(3, true)), whole(exec, g->active_parameters(3, true));
  sum.add(loss(1));
  sum.add(loss(0.5));
  whole.add(loss(1.5));
  EXPECT_LT(sum.flat().numel(), g->flat().numel());
  double largest = 0;
  for (std::int64_t i = 0; i < sum.flat().numel(); ++i) {
    EXPECT_NEAR(sum.flat().span<float>()[static_cast<std::size_t>(i)],
                whole.flat().span<float>()[static_cast<std::size_t>(i)], 1e-6);
    largest = std::max(largest, std::fabs(static_cast<double>(whole.flat().data<float>()[i])));
  }
  EXPECT_GT(largest, 1e-3);
}

// Gradients of the encoder's loss through E, G and D, in double.
TEST(Networks, EncoderGradientThroughAllThree) {
  Exec exec;
  const NetworkConfig c = small_network(8, 3);
  const auto g = make_generator(exec, c, 1, DType::kF64);
  const auto d = make_discriminator(exec, c, 2, DType::kF64);
  const auto encoder = make_encoder(exec, c, 3, 3, DType::kF64);
  const Var x(exec, random_tensor(exec, {2, 8, 8, 3}, 1)), stddev = scalar(exec, 0.3);
  const auto loss = [&] {
    const Var drawn = g->forward(encoder->forward(x), {3, {}});
    return encoder_loss(x, drawn, d->forward(x, {3, {}}, stddev).features, d->forward(drawn, {3, {}}, stddev).features,
                        0.7);
  };
  for (const Parameter& p : encoder->parameters()) {
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
      const auto g = make_generator(exec, c, 1);
      const auto d = make_discriminator(exec, c, 1);
      const HistoryScope off(false);
      const Var z(exec, random_tensor(exec, {2, c.latent()}, 1, DType::kF32));
      for (int level = 2; (1 << level) <= resolution; ++level) {
        const Var image = g->forward(z, {level, {}});
        EXPECT_EQ(image.shape(), Shape({2, 1 << level, 1 << level, channels}));
        EXPECT_EQ(d->forward(image, {level, {}}).score.shape(), Shape({2}));
      }
    }
}

// At alpha 0 the networks are the previous size's, at 1 the new size's: to the bit.
TEST(Networks, FadeEndsAreTheOldAndTheNewNetwork) {
  Exec exec;
  const NetworkConfig c = small_network(16, 3);
  const auto g = make_generator(exec, c, 1, DType::kF64);
  const auto d = make_discriminator(exec, c, 1, DType::kF64);
  const Var z(exec, random_tensor(exec, {4, c.latent()}, 1));
  const auto equal = [](const Var& a, const Var& b) {
    EXPECT_EQ(a.shape(), b.shape());
    return std::equal(a.value().data<double>(), a.value().data<double>() + a.value().numel(), b.value().data<double>());
  };
  for (int level = 3; level <= 4; ++level) {
    const Var old_image = upsample2x(g->forward(z, {level - 1, {}})), new_image = g->forward(z, {level, {}});
    EXPECT_TRUE(equal(g->forward(z, {level, scalar(exec, 0)}), old_image));
    EXPECT_TRUE(equal(g->forward(z, {level, scalar(exec, 1)}), new_image));
    EXPECT_FALSE(equal(g->forward(z, {level, scalar(exec, 0.5)}), new_image));
    EXPECT_TRUE(equal(d->forward(new_image, {level, scalar(exec, 0)}).score,
                      d->forward(sum_pool2x(new_image, 0.25), {level - 1, {}}).score));
    EXPECT_TRUE(equal(d->forward(new_image, {level, scalar(exec, 1)}).score, d->forward(new_image, {level, {}}).score));
    EXPECT_FALSE(
        equal(d->forward(new_image, {level, scalar(exec, 0.5)}).score, d->forward(new_image, {level, {}}).score));
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
  // The extra map brings each sample its own group's stddev.
  const Var y = append_map(Var(exec, x), s);
  for (int n = 0; n < 8; ++n) EXPECT_EQ(y.value().data<double>()[2 * n + 1], s.value().data<double>()[n % 2]);
  // One sample alone: finite.
  EXPECT_TRUE(std::isfinite(minibatch_stddev(Var(exec, exec.zeros({1, 4, 4, 2})), 1).item()));
}

TEST(Networks, ConstantStatisticMakesScoresIndependentOfTheBatch) {
  Exec exec;
  const NetworkConfig c = small_network(8, 1);
  const auto d = make_discriminator(exec, c, 1, DType::kF64);
  const Tensor four = random_tensor(exec, {4, 8, 8, 1}, 3);
  const Var stddev = scalar(exec, 0.4);
  const Var together = d->forward(Var(exec, four), {3, {}}, stddev).score;
  for (std::int64_t n = 0; n < 4; ++n) {
    const Tensor one = exec.from<double>(std::span<const double>(four.data<double>() + n * 64, 64), {1, 8, 8, 1});
    EXPECT_EQ(d->forward(Var(exec, one), {3, {}}, stddev).score.item(), together.value().data<double>()[n]);
  }
}

// The whole discriminator loss, penalty included, against finite differences in every parameter: the second
// derivatives go through all layers, minibatch-stddev among them.
struct LossCase {
  Loss loss;
  Weighting weighting;
  double alpha;  // 1: no fade
  bool abnormal;
};

class WholeLoss : public testing::TestWithParam<LossCase> {};

TEST_P(WholeLoss, ParameterGradient) {
  const LossCase p = GetParam();
  Exec exec(Device{}, 1);
  const NetworkConfig c = small_network(8, 2);
  const auto d = make_discriminator(exec, c, 5, DType::kF64);
  DiscriminatorBatch batch;
  const Shape shape = {4, 8, 8, 2};
  batch.real = Var(exec, random_tensor(exec, shape, 1));
  batch.fake = Var(exec, random_tensor(exec, shape, 2));
  if (p.abnormal) batch.abnormal = Var(exec, random_tensor(exec, shape, 3));
  batch.mix = Var(exec, exec.from<double>(std::vector<double>{0.1, 0.4, 0.7, 0.9}, {4}));
  batch.pick = Var(exec, exec.from<double>(std::vector<double>{1, 0, 1, 0}, {4}));
  const Stage stage{3, p.alpha < 1 ? scalar(exec, p.alpha) : Var()};
  ObjectiveConfig objective;
  objective.loss = p.loss;
  objective.weighting = p.weighting;
  objective.gamma = 0.3;
  objective.r1_weight = 3;
  std::vector<Var> leaves;
  const auto parameters = d->active_parameters(3, stage.fading());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    // Biases start at zero; anywhere else is a better test.
    if (parameters[i].var.shape().rank() == 1)
      for (double& b : parameters[i].var.value().span<double>()) b = 0.1 * static_cast<double>(i % 5) - 0.2;
    leaves.push_back(parameters[i].var);
  }
  const Function total = [&](std::span<const Var>) { return discriminator_loss(objective, *d, batch, stage, 2).total; };
  expect_gradient("whole loss", total, leaves, 1e-6);
  const Function penalty = [&](std::span<const Var>) {
    return discriminator_loss(objective, *d, batch, stage, 2).penalty;
  };
  expect_gradient("penalty", penalty, leaves, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(All, WholeLoss,
                         testing::Values(LossCase{Loss::kLogistic, Weighting::kMixture, 1, true},
                                         LossCase{Loss::kLogistic, Weighting::kEq15, 0.6, true},
                                         LossCase{Loss::kLogistic, Weighting::kMixture, 1, false},
                                         LossCase{Loss::kWganGp, Weighting::kMixture, 0.6, true},
                                         LossCase{Loss::kWganGp, Weighting::kEq15, 1, true},
                                         LossCase{Loss::kWganGp, Weighting::kMixture, 1, false}));

TEST(Objective, GeneratorGradientThroughBothNetworks) {
  Exec exec(Device{}, 1);
  const NetworkConfig c = small_network(8, 1);
  const auto g = make_generator(exec, c, 5, DType::kF64);
  const auto d = make_discriminator(exec, c, 6, DType::kF64);
  std::vector<Var> leaves = {Var(exec, random_tensor(exec, {2, c.latent()}, 1), true)};
  for (const Parameter& p : g->active_parameters(3, true)) leaves.push_back(p.var);
  for (const Loss loss : {Loss::kLogistic, Loss::kWganGp}) {
    ObjectiveConfig objective;
    objective.loss = loss;
    const Function f = [&](std::span<const Var> v) {
      const Stage stage{3, scalar(exec, 0.7)};
      return generator_loss(objective, d->forward(g->forward(v[0], stage), stage).score);
    };
    expect_gradient("generator loss", f, leaves, 1e-6);
  }
}

// Without abnormals gamma counts as 1, whatever it is set to.
TEST(Objective, WithoutAbnormalsGammaIsOne) {
  Exec exec;
  const NetworkConfig c = small_network(8, 1);
  const auto d = make_discriminator(exec, c, 5, DType::kF64);
  DiscriminatorBatch batch;
  batch.real = Var(exec, random_tensor(exec, {4, 8, 8, 1}, 1));
  batch.fake = Var(exec, random_tensor(exec, {4, 8, 8, 1}, 2));
  batch.mix = batch.pick = Var(exec, exec.zeros({4}, DType::kF64));
  ObjectiveConfig a, b;
  a.gamma = 0.1;
  b.gamma = 1;
  EXPECT_EQ(discriminator_loss(a, *d, batch, {3, {}}, 1).total.item(),
            discriminator_loss(b, *d, batch, {3, {}}, 1).total.item());
}

}  // namespace
}  // namespace pgad::test
