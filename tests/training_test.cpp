// Schedule, training step, and what known abnormals do to the generator.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <limits>
#include <utility>

#include "autograd/ops.h"
#include "engine/rng.h"
#include "model/config_io.h"
#include "tests/temp_dir.h"
#include "training/checkpoint.h"
#include "training/encoder_trainer.h"
#include "training/schedule.h"
#include "training/train_step.h"
#include "training/trainer.h"
#include "training/training_time.h"

namespace pgad::test {
namespace {

// A run whose true times are known: each size takes `factor` times the cost per step (the cost model may be wrong by
// that), plus noise and now and then a long step. Returns the worst ratio of estimate and truth between `from` and `to`
// of the time.
double worst_estimate(const std::vector<TrainingTime::Kind>& kinds, const std::vector<double>& factors, double from,
                      double to) {
  std::vector<std::pair<std::size_t, double>> steps;
  Rng rng(5, 0);
  double all = 0;
  for (std::size_t k = 0; k < kinds.size(); ++k)
    for (std::int64_t i = 0; i < kinds[k].steps; ++i) {
      double seconds = kinds[k].cost * factors[k] * (0.9 + 0.2 * rng.uniform());
      if (i == 0) seconds *= 5;                                             // recording
      if (rng.uniform() < 0.01) seconds += kinds[1].cost * factors[1] * 5;  // a checkpoint
      steps.emplace_back(k, seconds);
      all += seconds;
    }
  TrainingTime time(kinds);
  EXPECT_FALSE(time.seconds_left().has_value());
  double done = 0, worst = 1;
  for (const auto& [kind, seconds] : steps) {
    time.step(kind, seconds);
    done += seconds;
    if (done < from * all || done > to * all) continue;
    const double ratio = *time.seconds_left() / (all - done);
    worst = std::max({worst, ratio, 1 / ratio});
  }
  EXPECT_NEAR(*time.seconds_left(), 0, 1e-9);
  return worst;
}

TEST(TrainingTime, BelievableFromTheBeginning) {
  // Four sizes, each four times as dear as the one before.
  const std::vector<TrainingTime::Kind> kinds = {{2000, 0.01}, {2000, 0.04}, {2000, 0.16}, {1000, 0.64}};
  EXPECT_LT(worst_estimate(kinds, {1, 1, 1, 1}, 0.01, 0.9), 1.2);
  // A cost model that is wrong by a fifth in either direction.
  EXPECT_LT(worst_estimate(kinds, {1, 1.2, 0.9, 1.1}, 0.1, 0.9), 1.3);
  EXPECT_LT(worst_estimate(kinds, {1.2, 1, 1.15, 1}, 0.1, 0.9), 1.3);
  // Much slower than the last run: the unit of the costs does not matter.
  EXPECT_LT(worst_estimate(kinds, {900, 1000, 1100, 1000}, 0.1, 0.9), 1.3);
}

TEST(TrainingTime, KindsOfAConfiguration) {
  Config config = preset("tiny");
  config.network.channels = 1;
  const auto estimates = estimate_training(config, Device{});
  const TrainingKinds all = training_kinds(config, estimates, 0);
  EXPECT_EQ(all.levels, (std::vector<int>{2, 3, 4, 5}));
  std::int64_t steps = 0;
  for (std::size_t i = 0; i < all.kinds.size(); ++i) {
    steps += all.kinds[i].steps;
    EXPECT_GT(all.kinds[i].cost, i == 0 ? 0 : all.kinds[i - 1].cost);
  }
  EXPECT_EQ(steps, 64'000 / 16);
  const TrainingKinds rest = training_kinds(config, estimates, 63'000);
  EXPECT_EQ(rest.levels, std::vector<int>{5});
  EXPECT_EQ(rest.kinds[0].steps, 63);  // 62.5
  EXPECT_TRUE(training_kinds(config, estimates, 64'000).kinds.empty());
}

// PGGAN's published schedule: 1024x1024, 600 kimg per phase.
TEST(Schedule, PublishedValues) {
  const Config c = preset("pggan");
  struct Row {
    double kimg, lod;
    int resolution, batch;
    double alpha, lr;
  };
  for (const Row& row :
       {Row{0, 8, 4, 128, 1, .001}, Row{600, 8, 4, 128, 1, .001}, Row{601, 8 - 1 / 600.0, 8, 128, 1 / 600.0, .001},
        Row{900, 7.5, 8, 128, .5, .001}, Row{1200, 7, 8, 128, 1, .001}, Row{4500, 4.5, 64, 32, .5, .001},
        Row{9300, .5, 1024, 4, .5, .0015}, Row{9600, 0, 1024, 4, 1, .0015}, Row{11999, 0, 1024, 4, 1, .0015}}) {
    const Phase p = phase_at(c.schedule, 10, static_cast<std::int64_t>(row.kimg * 1000));
    EXPECT_NEAR(p.lod, row.lod, 1e-9) << row.kimg;
    EXPECT_EQ(1 << p.level, row.resolution) << row.kimg;
    EXPECT_NEAR(p.alpha, row.alpha, 1e-9) << row.kimg;
    EXPECT_EQ(p.batch, row.batch) << row.kimg;
    EXPECT_EQ(p.lr, row.lr) << row.kimg;
  }
}

TEST(Schedule, WithoutFadesAndWithALaterStart) {
  ScheduleConfig s;
  s.fade_kimg = 0;
  s.stable_kimg = 1;
  s.start_resolution = 8;
  EXPECT_EQ(phase_at(s, 5, 0).level, 3);
  EXPECT_EQ(phase_at(s, 5, 999).level, 3);
  EXPECT_EQ(phase_at(s, 5, 1000).level, 4);
  EXPECT_EQ(phase_at(s, 5, 2000).level, 5);
  EXPECT_FALSE(phase_at(s, 5, 1000).fading());
  s.stable_kimg = 0;
  EXPECT_EQ(phase_at(s, 5, 0).level, 5);
}

struct Rig {
  Exec exec;
  NetworkConfig network;
  ObjectiveConfig objective;
  Networks networks;
  TrainStep step;

  Rig(const NetworkConfig& n, const ObjectiveConfig& o, const TrainStepShape& shape, int threads = 2)
      : exec(Device{}, threads),
        network(n),
        objective(o),
        networks(exec, n, {}, 3),
        step(exec, networks, n, o, shape) {}

  TrainStepResult run(double lr = 0.002) {
    networks.d_adam.prepare(lr);
    networks.g_adam.prepare(lr);
    const TrainStepResult r = step.run();
    networks.d_adam.advance();
    networks.g_adam.advance();
    return r;
  }
};

NetworkConfig tiny_network() {
  NetworkConfig n;
  n.resolution = 8;
  n.fmap_max = 16;
  return n;
}

void fill(std::span<float> values, std::uint64_t stream) {
  Rng rng(11, stream);
  for (float& v : values) v = static_cast<float>(2 * rng.uniform() - 1);
}

void fill_all(TrainStep& step, std::uint64_t number) {
  fill(step.real(), 10 * number);
  if (step.shape().with_abnormal) fill(step.abnormal(), 10 * number + 1);
  fill(step.d_latents().span<float>(), 10 * number + 2);
  fill(step.g_latents().span<float>(), 10 * number + 3);
  Rng rng(12, number);
  for (float& v : step.mix()) v = static_cast<float>(rng.uniform());
  for (float& v : step.pick()) v = rng.uniform() < 0.5 ? 1.f : 0.f;
  step.set_alpha(0.7);
  step.set_ema_weight(0.01);
}

std::vector<float> weights(const Networks& n) {
  std::vector<float> all;
  for (const auto& parameters : {n.g->parameters(), n.d->parameters(), n.g_ema->parameters()})
    for (const Parameter& p : parameters)
      all.insert(all.end(), p.var.value().data<float>(), p.var.value().data<float>() + p.var.value().numel());
  return all;
}

// Replays compute what fresh recordings of every step would have, to the bit.
TEST(TrainStep, ReplayEqualsRecording) {
  for (const Loss loss : {Loss::kLogistic, Loss::kWganGp}) {
    ObjectiveConfig o;
    o.loss = loss;
    const TrainStepShape shape{3, true, 8, true};
    Rig replayed(tiny_network(), o, shape);
    for (std::uint64_t i = 0; i < 4; ++i) {
      fill_all(replayed.step, i);
      replayed.run();
    }
    Rig fresh(tiny_network(), o, shape);
    for (std::uint64_t i = 0; i < 4; ++i) {
      TrainStep step(fresh.exec, fresh.networks, fresh.network, o, shape);
      fill_all(step, i);
      fresh.networks.d_adam.prepare(0.002);
      fresh.networks.g_adam.prepare(0.002);
      step.run();
      fresh.networks.d_adam.advance();
      fresh.networks.g_adam.advance();
    }
    EXPECT_EQ(weights(replayed.networks), weights(fresh.networks));
  }
}

TEST(TrainStep, SteadyStepAllocatesNothing) {
  Rig rig(tiny_network(), {}, {3, false, 8, true});
  fill_all(rig.step, 0);
  rig.run();
  const auto before = rig.exec.memory();
  for (std::uint64_t i = 1; i < 4; ++i) {
    fill_all(rig.step, i);
    rig.run();
  }
  EXPECT_EQ(rig.exec.memory().requests, before.requests);
  EXPECT_EQ(rig.exec.memory().system_allocations, before.system_allocations);
}

TEST(TrainStep, FastEqualsReference) {
  for (const Loss loss : {Loss::kLogistic, Loss::kWganGp}) {
    ObjectiveConfig o;
    o.loss = loss;
    std::vector<TrainStepResult> results;
    for (const Implementation implementation : {Implementation::kFastest, Implementation::kReference}) {
      Exec exec(Device{}, 2, implementation);
      Networks networks(exec, tiny_network(), {}, 3);
      TrainStep step(exec, networks, tiny_network(), o, {3, true, 8, true});
      fill_all(step, 0);
      networks.d_adam.prepare(0.001);
      networks.g_adam.prepare(0.001);
      results.push_back(step.run());
    }
    const auto& a = results[0];
    const auto& b = results[1];
    EXPECT_NEAR(a.d_loss, b.d_loss, 1e-4 * std::fabs(b.d_loss));
    EXPECT_NEAR(a.penalty, b.penalty, 1e-4 * std::fabs(b.penalty));
    EXPECT_NEAR(a.d_grad_norm, b.d_grad_norm, 1e-4 * b.d_grad_norm);
    EXPECT_NEAR(a.g_grad_norm, b.g_grad_norm, 1e-3 * b.g_grad_norm);  // behind D's update
  }
}

TEST(TrainStep, NonFiniteGradientsChangeNothing) {
  Rig rig(tiny_network(), {}, {3, false, 8, false});
  fill_all(rig.step, 0);
  rig.run();
  const auto before = weights(rig.networks);
  fill_all(rig.step, 1);
  rig.step.set_ema_weight(0);
  rig.step.real()[0] = std::nanf("");
  rig.step.g_latents().span<float>()[0] = std::nanf("");
  const TrainStepResult r = rig.run();
  EXPECT_TRUE(r.d_skipped);
  EXPECT_TRUE(r.g_skipped);
  EXPECT_EQ(weights(rig.networks), before);
}

// The trainer reads the next step's images while a step is under way. Images that have become unreadable by then are
// the next step's error: a run that is stopped before it ends as if nothing had happened, another is saved first.
TEST(Trainer, AnUnreadableNextImageDoesNotCostTheStepUnderWay) {
  const TempDir dir;
  const std::string good = dir / "data/train/good";
  std::filesystem::create_directories(good);
  for (int i = 0; i < 300; ++i)
    write_png(good + "/" + std::to_string(i) + ".png",
              Image{8, 8, 1, std::vector<float>(64, 0.003f * static_cast<float>(i))});
  Config config = preset("tiny");
  config.network = tiny_network();
  config.schedule.total_kimg = 100;
  config.schedule.batch = {{4, 64}};
  config.data.path = dir / "data";
  config.run.out = dir / "run";
  TrainingImagesOptions read_each_time;
  read_each_time.byte_limit = 0;
  const Dataset data = Dataset::open(config.data, Purpose::kTrain);
  for (const bool stopped : {true, false}) {
    std::filesystem::remove_all(config.run.out);
    Exec exec(Device{}, 2);
    Trainer trainer(exec, config, data, read_each_time);
    std::atomic<bool> stop = false;
    int steps = 0;
    const auto train = [&] {
      return trainer.run(stop, [&](const TrainingProgress&) {
        // Some images of the step after the next may have been read ahead, hardly all 64.
        if (++steps == 1) std::filesystem::rename(good, good + ".gone");
        stop = stopped && steps == 2;
      });
    };
    if (stopped) {
      EXPECT_EQ(train(), StopReason::kInterrupted);
      EXPECT_EQ(trainer.state().images, 128);
      EXPECT_EQ(list_checkpoints(config.run.out).size(), 1u);
    } else {
      const std::string error = error_of([&] { train(); });
      EXPECT_NE(error.find("No such file"), std::string::npos) << error;
      EXPECT_NE(error.find("the run is saved"), std::string::npos) << error;
      EXPECT_GE(steps, 2);
      const auto saved = list_checkpoints(config.run.out);
      ASSERT_EQ(saved.size(), 1u);
      EXPECT_EQ(saved.begin()->first, trainer.state().images);
      EXPECT_EQ(checkpoint_origin(saved.begin()->second).split.train, data.split.train);
    }
    std::filesystem::rename(good + ".gone", good);
  }
}

TEST(Adam, MovesByTheLearningRateAtFirst) {  // with beta1 = 0 the first step is lr * sign(gradient)
  Exec exec;
  const Tensor w = exec.from<float>(std::vector<float>{1, -2, 3}, {3});
  Adam adam(exec, {}, w);
  adam.prepare(0.1);
  // The third weight is beyond the active ones.
  adam.apply(exec.from<float>(std::vector<float>{5, -0.01f}, {2}), exec.zeros({1}));
  adam.advance();
  EXPECT_NEAR(w.data<float>()[0], 0.9, 1e-5);
  EXPECT_NEAR(w.data<float>()[1], -1.9, 1e-4);
  EXPECT_EQ(w.data<float>()[2], 3);
  EXPECT_EQ(adam.steps(), 1);
  adam.reset();
  EXPECT_EQ(adam.steps(), 0);
  EXPECT_EQ(adam.v().data<float>()[0], 0.f);
}

// A world of two numbers: images whose left half is one grey value and whose right half another. Normal images fill the
// square [-.8, .8]^2 evenly; the known abnormals fill its part where the left value is below 0. By eq 23 the generator
// must leave that part to the abnormals for gamma < 1 (there p_d / gamma < (1 - gamma) / gamma p_an), and fill the
// whole square for gamma = 1. Returns the share of what it draws below -0.1.
double share_drawn_among_abnormals(double gamma) {
  NetworkConfig network = tiny_network();
  ObjectiveConfig objective;
  objective.gamma = gamma;
  objective.r1_weight = 0.3;
  const int batch = 32;
  Rig rig(network, objective, {2, false, batch, gamma < 1});
  Rng rng(21, 0);
  const auto draw = [&](std::span<float> images, bool abnormal) {
    for (std::size_t n = 0; n < batch; ++n) {
      const double left = abnormal ? -0.8 * rng.uniform() : 1.6 * rng.uniform() - 0.8,
                   right = 1.6 * rng.uniform() - 0.8;
      for (std::size_t i = 0; i < 16; ++i) images[n * 16 + i] = static_cast<float>(i % 4 < 2 ? left : right);
    }
  };
  for (int i = 0; i < 1200; ++i) {
    draw(rig.step.real(), false);
    if (gamma < 1) draw(rig.step.abnormal(), true);
    for (const Tensor& latents : {rig.step.d_latents(), rig.step.g_latents()})
      for (float& v : latents.span<float>()) v = static_cast<float>(2 * rng.uniform() - 1);
    rig.step.set_ema_weight(0.02);
    rig.run(0.003);
  }
  const std::int64_t count = 512;
  const Tensor z = rig.exec.empty({count, network.latent()});
  for (float& v : z.span<float>()) v = static_cast<float>(2 * rng.uniform() - 1);
  const HistoryScope off(false);
  const Var images = rig.networks.g_ema->forward(Var(rig.exec, z), {2, {}});
  int among = 0;
  for (std::int64_t n = 0; n < count; ++n) {
    double left = 0;
    for (int i = 0; i < 16; ++i) left += i % 4 < 2 ? images.value().data<float>()[n * 16 + i] / 8 : 0;
    among += left < -0.1;
  }
  return among / static_cast<double>(count);
}

TEST(Toy, GeneratorStaysAwayFromKnownAbnormals) { EXPECT_LT(share_drawn_among_abnormals(0.1), 0.05); }
TEST(Toy, WithoutThemItDrawsThere) { EXPECT_GT(share_drawn_among_abnormals(1.0), 0.25); }

struct EncoderRig {
  Exec exec;
  Model model;
  EncoderRig() {
    model.config.network.resolution = 32;
    model.config.network.fmap_max = 32;
    model.level = 5;
    model.stddev = 0.3;
    model.g = make_generator(exec, model.config.network, 1);
    model.d = make_discriminator(exec, model.config.network, 1);
  }
  void draw(std::span<float> images) {
    Rng rng(3, 3);
    for (float& v : images) v = static_cast<float>(2 * rng.uniform() - 1);
  }
};

std::int64_t preparations(const StepGraph& graph) {
  return std::ranges::count_if(graph.calls(),
                               [](const RecordedCall& c) { return std::string(c.kernel) == "conv2d_prepare"; });
}

TEST(EncoderStep, FrozenWeightsArePreparedOnce) {
  EncoderRig rig;
  const auto encoder = make_encoder(rig.exec, rig.model.config.network, 5, 3);
  EncoderStep step(rig.exec, rig.model, *encoder, 4);
  rig.draw(step.images());
  step.run(0.001);
  // The encoder's own weights change: each step prepares them anew.
  const Tensor images = rig.exec.zeros({4, 32, 32, 1});
  const StepGraph alone(rig.exec, [&] {
    const Var z = encoder->forward(Var(rig.exec, images));
    std::vector<Var> leaves;
    for (const Parameter& p : encoder->parameters()) leaves.push_back(p.var);
    grad(sum(z), leaves);
  });
  if (preparations(alone) == 0) GTEST_SKIP() << "no vector code for this processor";
  EXPECT_EQ(preparations(step.graph()), preparations(alone));
}

// The loss can be finite where the gradients, or their squares in Adam's second moment, are not.
TEST(EncoderStep, GradientsThatAreNotFiniteAreSkipped) {
  EncoderRig rig;
  const auto encoder = make_encoder(rig.exec, rig.model.config.network, 5, 3);
  const auto weights = [&] {
    std::vector<std::vector<float>> all;
    for (const Parameter& p : encoder->parameters()) all.push_back(rig.exec.read<float>(p.var.value()));
    return all;
  };
  const auto scale_images = [&](float factor) {  // the generator's
    for (const Parameter& p : rig.model.g->parameters())
      if (p.name.find("to_rgb") != std::string::npos)
        for (float& w : p.var.value().span<float>()) w *= factor;
  };
  const auto before = weights();
  scale_images(0x1p40f);
  {
    // A step of its own: the frozen weights are prepared when it is made.
    EncoderStep step(rig.exec, rig.model, *encoder, 4);
    rig.draw(step.images());
    const AdamStep::Result r = step.run(0.001);
    EXPECT_TRUE(std::isfinite(r.loss)) << "the test needs another factor";
    EXPECT_TRUE(r.skipped);
    EXPECT_EQ(weights(), before);
  }
  scale_images(0x1p-40f);
  EncoderStep step(rig.exec, rig.model, *encoder, 4);
  rig.draw(step.images());
  // Adam's moments stay clean too: the steps after a skipped one learn.
  const float pixel = std::exchange(step.images()[5], std::numeric_limits<float>::quiet_NaN());
  EXPECT_TRUE(step.run(0.001).skipped);
  EXPECT_EQ(weights(), before);
  step.images()[5] = pixel;
  double loss = 0, first = 0;
  for (int i = 0; i < 30; ++i) {
    const AdamStep::Result next = step.run(0.001);
    EXPECT_FALSE(next.skipped);
    loss = next.loss;
    if (i == 0) first = loss;
  }
  EXPECT_LT(loss, first);
  EXPECT_NE(weights(), before);
}

}  // namespace
}  // namespace pgad::test
