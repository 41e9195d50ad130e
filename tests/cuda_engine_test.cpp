// The engine's path for GPUs: memory, transfers, graphs, and whole training and search steps beside the reference; in
// emulation, or on a GPU (test_device.h). (Whole networks and their gradients beside PyTorch's: golden_test.)

#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <thread>

#include "autograd/ops.h"
#include "engine/log.h"
#include "engine/rng.h"
#include "inspection/latent_search.h"
#include "kernels/elementwise/elementwise.h"
#include "model/model.h"
#include "simt/emulator.h"
#include "tests/temp_dir.h"
#include "tests/test_device.h"
#include "training/patch_critic_trainer.h"
#include "training/train_step.h"

namespace pgad::test {
namespace {

void fill(std::span<float> values, std::uint64_t stream) {
  Rng rng(11, stream);
  for (float& v : values) v = static_cast<float>(2 * rng.uniform() - 1);
}

NetworkConfig toy_network(int resolution = 8, int maps = 8) {
  NetworkConfig n;
  n.resolution = resolution;
  n.fmap_max = maps;
  return n;
}

TEST(CudaEngine, TransfersArriveAndFreedBlocksServeAgain) {
  Exec exec(test_device());
  const std::vector<float> values = {1, 2, 3, 4, 5};
  const Tensor t = exec.from<float>(values, {5});
  EXPECT_EQ(exec.read<float>(t), values);
  exec.upload<float>(std::vector<float>{7, 8}, t, 3);
  EXPECT_EQ(exec.read<float>(t, 2, 3), (std::vector<float>{3, 7, 8}));
  exec.clear(t);
  EXPECT_EQ(exec.read<float>(t), std::vector<float>(5, 0.f));
  { const Tensor other = exec.empty({1000}); }
  const auto before = exec.memory().system_allocations;
  { const Tensor other = exec.empty({1000}); }
  EXPECT_EQ(exec.memory().system_allocations, before);
}

TEST(CudaEngine, GuardLinesAndBadIndicesAreSeen) {
  Exec exec(test_device());
  exec.guard_memory();
  {
    const Tensor t = exec.empty({3});
    exec.runtime()->fill(t.data<float>() + 3, 1, 4);  // one past the end
  }
  EXPECT_EQ(exec.memory().overruns, 1u);
  const Tensor t = exec.zeros({3});
  EXPECT_THROW(exec.upload<float>(std::vector<float>{1, 2}, t, 2), Error);
  EXPECT_THROW(exec.read<float>(t, -1, 2), Error);
  EXPECT_THROW(t.span<float>(), Error);
}

TEST(CudaEngineDeathTest, TheHostCannotTouchDeviceMemory) {
  PGAD_EMULATION_ONLY("what an access does there depends on the driver");
  EXPECT_DEATH(
      {
        Exec exec(test_device());
        const Tensor t = exec.zeros({3});
        t.data<float>()[0] = 1;
      },
      "");
}

TEST(CudaEngine, OutOfMemorySaysHowMuch) {
  PGAD_EMULATION_ONLY("the emulated device has 8 GiB");
  Exec exec(test_device());
  try {
    const Tensor t = exec.empty({1 << 20, 1 << 12});
    FAIL() << "16 GiB of " << exec.runtime()->free_bytes();
  } catch (const OutOfMemory& e) {
    EXPECT_NE(std::string(e.what()).find("17179869184 bytes wanted"), std::string::npos) << e.what();
  }
}

TEST(CudaEngine, CachedBlocksAreGivenBackBeforeMemoryIsOut) {
  PGAD_EMULATION_ONLY("the emulated device has 8 GiB");
  Exec exec(test_device());
  { const Tensor t = exec.empty({5 << 20, 256}); }  // 5 GiB of 8, cached
  EXPECT_NO_THROW(exec.empty({7 << 20, 256}));
}

// A recorded step's calls use blocks that nothing holds any more: memory for another tensor must not come from them.
TEST(CudaEngine, OutOfMemoryWhileRecordingLeavesTheGraphItsMemory) {
  PGAD_EMULATION_ONLY("the emulated device has 8 GiB");
  Exec exec(test_device());
  const auto gib = [&](double count) { return exec.empty({static_cast<std::int64_t>(count * (1 << 20)), 256}); };
  const auto write = [&](const Tensor& t) {  // its first element
    run(kFill, exec, FillArgs<float>{1, t.data<float>(), 1.f});
  };
  Tensor between;
  StepGraph graph(exec, [&] {
    const Tensor first = gib(1);
    write(first);
    between = gib(1);
    write(gib(2));
  });
  // 4 GiB are left, 5 with what the graph still writes to, in two pieces.
  EXPECT_THROW(StepGraph(
                   exec, [&] { gib(5); }, &graph),
               OutOfMemory);
  {
    const Tensor outside = gib(1);
    exec.upload<float>(std::vector<float>{5}, outside, 0);
    graph.replay();
    EXPECT_EQ(exec.read<float>(outside, 0, 1)[0], 5.f);
  }
  // What is cached outside the graph is given back.
  { const Tensor cached = gib(3); }
  EXPECT_NO_THROW(StepGraph(
      exec, [&] { gib(3.5); }, &graph));
}

// CUDA's current device belongs to the calling thread: each call and each launch must make its own device that.
TEST(CudaEngine, TwoDevicesInOneProcessAndOneOnAnotherThread) {
  if (on_gpu() && cuda_device_count(nullptr) < 2) GTEST_SKIP() << "one GPU only";
  const auto device = [](int index) { return Device{on_gpu() ? DeviceType::kCuda : DeviceType::kCudaEmulated, index}; };
  struct Work {
    Exec exec;
    Tensor x;
    Mirror mirror;
    StagedInput staged;
    Var y;
    std::optional<StepGraph> graph;
    explicit Work(Device d)
        : exec(d), x(exec.from<float>(std::vector<float>{1, 2}, {2})), mirror(exec, {2}), staged(exec, {2}) {}
    // x + mirror + staged, matmul for what keeps library handles.
    std::vector<float> go(float a, float b) {
      for (float& v : mirror.host()) v = a;
      mirror.upload();
      for (float& v : staged.host()) v = b;
      staged.send();
      staged.receive();
      if (graph)
        graph->replay();
      else
        graph.emplace(exec, [&] {
          const Var one(exec, exec.empty({1, 1}));
          run(kFill, exec, FillArgs<float>{1, one.value().data<float>(), 1.f});
          const Var sum = add(add(Var(exec, x), Var(exec, mirror.tensor())), Var(exec, staged.tensor()));
          y = reshape(matmul(reshape(sum, {2, 1}), one), {2});
        });
      exec.synchronize();
      mirror.download();
      const Tensor more = exec.zeros({3});
      exec.trim();
      return exec.read<float>(y.value());
    }
  };
  Work first(device(0)), second(device(1));
  for (const float a : {1.f, 2.f}) {  // recorded, then replayed
    EXPECT_EQ(first.go(a, 10), (std::vector<float>{11 + a, 12 + a}));
    EXPECT_EQ(second.go(a, 20), (std::vector<float>{21 + a, 22 + a}));
  }
  std::thread([&] { EXPECT_EQ(second.go(3, 20), (std::vector<float>{24, 25})); }).join();
  EXPECT_EQ(first.go(3, 10), (std::vector<float>{14, 15}));
  // The calls one by one, too.
  std::thread([&] { EXPECT_NO_THROW(second.graph->profile(1)); }).join();
}

TEST(CudaEngine, EmulationRefusesWhatBelongsToAnotherDevice) {
  PGAD_EMULATION_ONLY("of the emulator");
  Exec exec(Device{DeviceType::kCudaEmulated, 1});
  const Tensor x = exec.zeros({2});
  StepGraph graph(exec, [&] { add(Var(exec, x), Var(exec, x)); });
  simt::current_device() = 0;
  EXPECT_THROW(static_cast<simt::Stream*>(exec.stream())->submit([] {}), simt::Error);
  EXPECT_NO_THROW(graph.replay());
}

// The emulator ends the program where page-locked memory goes while a copy may still read it, or never goes.
TEST(CudaEngine, PageLockedMemoryIsKeptUntilItHasBeenRead) {
  Exec exec(test_device());
  Mirror mirror(exec, {1000});
  mirror.upload();
  mirror = Mirror();
  StagedInput staged(exec, {1000});
  staged.send();
  staged = StagedInput();
}

TEST(CudaEngine, NothingIsLeftWhereAnEventCannotBeMade) {
  PGAD_EMULATION_ONLY("of the emulator");
  for (const std::size_t events : {0, 1}) {
    Exec exec(test_device());
    simt::options().max_events = events;
    if (events == 0) {
      EXPECT_THROW(Mirror(exec, {10}), Error);
    }
    EXPECT_THROW(StagedInput(exec, {10}), Error);
    simt::options() = {};
    EXPECT_NO_THROW(StagedInput(exec, {10}));
  }
}

TEST(CudaEngineDeathTest, EmulationSeesPageLockedMemoryThatGoesTooSoonOrNever) {
  PGAD_EMULATION_ONLY("of the emulator");
  const auto wrong = [](bool release) {
    Exec exec(test_device());
    const Tensor t = exec.zeros({4});
    void* block = exec.runtime()->allocate_host(16);
    exec.runtime()->copy_in(t.data<float>(), block, 16);
    if (release) exec.runtime()->release_host(block);
  };
  EXPECT_DEATH(wrong(true), "while a copy may still read it");
  EXPECT_DEATH(wrong(false), "never released");
}

TEST(CudaEngine, LoadingAModelWritesItsWeightsOnce) {
  PGAD_EMULATION_ONLY("it counts bytes");
  const TempDir dir;
  Exec cpu, exec(test_device());
  Model model;
  model.config.network = toy_network();
  model.preprocessing.resolution = 8;
  model.level = 3;
  model.g = make_generator(cpu, model.config.network, 1);
  model.d = make_discriminator(cpu, model.config.network, 1);
  model.encoder = make_encoder(cpu, model.config.network, 3, 1);
  save_model(dir / "model", model);
  const std::int64_t before = simt::statistics().bytes_in;
  const Model loaded = load_model(exec, dir / "model");
  std::size_t weights = 0;
  for (const auto& [a, b] : {std::pair{model.g->parameters(), loaded.g->parameters()},
                             {model.d->parameters(), loaded.d->parameters()},
                             {model.encoder->parameters(), loaded.encoder->parameters()}})
    for (std::size_t i = 0; i < a.size(); ++i) {
      weights += a[i].var.value().bytes();
      EXPECT_EQ(cpu.read<float>(a[i].var.value()), exec.read<float>(b[i].var.value())) << a[i].name;
    }
  EXPECT_EQ(simt::statistics().bytes_in - before, static_cast<std::int64_t>(weights));
}

TEST(Dry, CountsMemoryWithoutHavingAny) {
  Device dry;
  dry.dry = true;
  Exec exec(dry);
  const Tensor t = exec.empty({1 << 30, 1 << 10});  // 4 TiB
  EXPECT_GE(exec.memory().reserved_bytes, std::size_t{1} << 42);
  EXPECT_EQ(exec.read<float>(t, 5, 2), (std::vector<float>{0, 0}));
}

struct Trained {
  std::vector<TrainStepResult> results;
  std::vector<std::vector<float>> weights;
};

// pipelined: as the trainer does it, the inputs of a step being written while the device is at the one before.
Trained train(Exec& exec, const NetworkConfig& network, const ObjectiveConfig& objective, const TrainStepShape& shape,
              int steps, bool pipelined = false) {
  Networks networks(exec, network, {}, 3);
  TrainStep step(exec, networks, network, objective, shape);
  const auto fill_inputs = [&](int i) {
    const auto stream = static_cast<std::uint64_t>(10 * i);
    fill(step.real(), stream);
    if (shape.with_abnormal) fill(step.abnormal(), stream + 1);
    std::uint64_t of_latents = stream + 2;
    for (const Tensor& z : {step.d_latents(), step.g_latents()}) {
      std::vector<float> values(static_cast<std::size_t>(z.numel()));
      fill(values, of_latents++);
      exec.upload<float>(values, z);
    }
    Rng rng(12, stream);
    for (float& v : step.mix()) v = static_cast<float>(rng.uniform());
    for (float& v : step.pick()) v = rng.uniform() < 0.5 ? 1.f : 0.f;
    step.set_alpha(0.7 - 0.01 * i);
    step.set_ema_weight(0.01);
    step.send_inputs();
  };
  Trained t;
  for (int i = 0; i < steps; ++i) {
    if (i == 0 || !pipelined) fill_inputs(i);
    networks.d_adam.prepare(0.002);
    networks.g_adam.prepare(0.002);
    step.start();
    if (pipelined && i + 1 < steps) fill_inputs(i + 1);
    t.results.push_back(step.finish());
    networks.d_adam.advance();
    networks.g_adam.advance();
  }
  for (const auto& parameters : {networks.g->parameters(), networks.d->parameters(), networks.g_ema->parameters()})
    for (const Parameter& p : parameters) t.weights.push_back(exec.read<float>(p.var.value()));
  return t;
}

// Whether copies are made when they are put into the queue or not before they are waited for.
TEST(CudaEngine, InputsWrittenDuringAStepAreTheNextStepsOnly) {
  const TrainStepShape shape{3, true, 4, true};
  Exec one(test_device());
  const Trained plain = train(one, toy_network(8, 4), {}, shape, 2);
  for (const bool late : {true, false}) {
    const auto before = std::exchange(simt::options().late_copies, late);
    Exec other(test_device());
    EXPECT_EQ(train(other, toy_network(8, 4), {}, shape, 2, true).weights, plain.weights) << late;
    simt::options().late_copies = before;
  }
}

TEST(CudaEngine, StagedInputsArriveInOrder) {
  Exec exec(test_device());
  StagedInput input(exec, {3});
  const auto write = [&](float value) {
    for (float& v : input.host()) v = value;
    input.send();
  };
  write(1);
  input.receive();
  write(2);
  EXPECT_EQ(exec.read<float>(input.tensor()), std::vector<float>({1, 1, 1}));
  input.receive();
  EXPECT_EQ(exec.read<float>(input.tensor()), std::vector<float>({2, 2, 2}));
  write(3);  // on its way when the input ends
}

// The emulator sees what a GPU would do now and then: a host that does not wait changes what is under way.
TEST(CudaEngine, EmulationSeesAMissingWait) {
  Exec exec(Device{DeviceType::kCudaEmulated});
  StagedInput input(exec, {1});
  const std::span<float> host = input.host();
  host[0] = 1;
  input.send();
  host[0] = 2;  // without asking for host() again
  input.receive();
  EXPECT_EQ(exec.read<float>(input.tensor())[0], 2.f);
}

// The first step is recorded, the others are replayed graphs. Every objective, with its second-order penalty.
TEST(CudaEngine, TrainingStepsEqualReference) {
  for (const Loss loss : {Loss::kLogistic, Loss::kWganGp})
    for (const Weighting weighting : {Weighting::kMixture, Weighting::kEq15}) {
      ObjectiveConfig objective;
      objective.loss = loss;
      objective.weighting = weighting;
      const TrainStepShape shape{3, true, 4, true};
      Exec gpu(test_device(), 1), reference(Device{}, 1, Implementation::kReference);
      gpu.guard_memory();
      const Trained a = train(gpu, toy_network(), objective, shape, 3);
      const Trained b = train(reference, toy_network(), objective, shape, 3);
      EXPECT_EQ(gpu.memory().overruns, 0u);
      for (std::size_t i = 0; i < a.results.size(); ++i) {
        const TrainStepResult &x = a.results[i], &y = b.results[i];
        const auto near = [&](const char* what, double u, double v) {
          EXPECT_NEAR(u, v, 2e-4 * std::max(0.1, std::fabs(v))) << what << " of step " << i;
        };
        near("d_loss", x.d_loss, y.d_loss);
        near("g_loss", x.g_loss, y.g_loss);
        near("penalty", x.penalty, y.penalty);
        near("d_real", x.d_real, y.d_real);
        near("d_fake", x.d_fake, y.d_fake);
        near("d_abnormal", x.d_abnormal, y.d_abnormal);
        near("d_grad_norm", x.d_grad_norm, y.d_grad_norm);
        near("g_grad_norm", x.g_grad_norm, y.g_grad_norm);
        near("gradient_norm", x.gradient_norm, y.gradient_norm);
        near("statistic", x.stddev, y.stddev);
      }
      // Adam's first step moves a weight by the rate in its gradient's direction, however small the gradient: where its
      // sign hangs on rounding, two correct runs differ by twice the rate. That few do is what can be asked.
      std::size_t all = 0, apart = 0;
      for (std::size_t k = 0; k < a.weights.size(); ++k)
        for (std::size_t i = 0; i < a.weights[k].size(); ++i) {
          ++all;
          apart += std::fabs(a.weights[k][i] - b.weights[k][i]) > 1e-4;
        }
      EXPECT_LT(static_cast<double>(apart), 0.01 * static_cast<double>(all)) << all << " weights";
    }
}

TEST(CudaEngine, PatchCriticStepsEqualReference) {
  PatchCriticConfig config;
  config.maps = 4;
  const auto train_critic = [&](Exec& exec) {
    const PatchCritic critic(exec, config, 2, 1);
    PatchCriticStep step(exec, critic, 2, 16);
    std::vector<AdamStep::Result> results;
    for (std::uint64_t i = 0; i < 3; ++i) {
      fill(step.inputs(), i);
      for (std::size_t k = 0; k < step.targets().size(); ++k) {
        step.targets()[k] = (k + i) % 3 == 0 ? 1.f : 0.f;
        step.weights()[k] = 1.f / static_cast<float>(step.weights().size());
      }
      results.push_back(step.run(0.01));
    }
    return results;
  };
  Exec gpu(test_device(), 1), reference(Device{}, 1, Implementation::kReference);
  gpu.guard_memory();
  const auto a = train_critic(gpu), b = train_critic(reference);
  EXPECT_EQ(gpu.memory().overruns, 0u);
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i].loss, b[i].loss, 1e-3) << i;
    EXPECT_FALSE(a[i].skipped);
  }
  EXPECT_NE(a[0].loss, a[2].loss);
}

// On a GPU the orders are nothing we choose: there it is the same twice.
TEST(CudaEngine, TheSameTrainingTwiceGivesTheSameBits) {
  std::vector<Trained> runs;
  for (const simt::Order order : {simt::Order::kForward, simt::Order::kReverse}) {
    simt::options().order = order;
    Exec exec(test_device(), 1);
    runs.push_back(train(exec, toy_network(), {}, {3, false, 4, true}, 2));
  }
  simt::options() = {};
  EXPECT_EQ(runs[0].weights, runs[1].weights);
}

TEST(CudaEngine, SearchStepsEqualReference) {
  NetworkConfig network = toy_network(8, 16);
  struct Found {
    std::vector<SearchScores> scores;
    std::vector<std::vector<float>> latents;
  };
  std::vector<Found> found;
  for (const bool gpu : {true, false}) {
    Exec exec = gpu ? Exec(test_device(), 1) : Exec(Device{}, 1, Implementation::kReference);
    const auto g = make_generator(exec, network, 1);
    const auto d = make_discriminator(exec, network, 1);
    ScoringConfig scoring;
    scoring.gamma = 0.5;
    scoring.steps = 10;
    LatentSearch search(exec, {g.get(), d.get(), network, Loss::kLogistic, 3, 1, 0.3, 0.1}, scoring, 3);
    for (int i = 0; i < 3; ++i) fill(search.image(i), static_cast<std::uint64_t>(100 + i));
    search.run();
    Found f;
    for (int i = 0; i < 3; ++i) {
      f.scores.push_back(search.scores(i));
      f.latents.push_back(search.best_latent(i));
    }
    found.push_back(f);
  }
  for (std::size_t i = 0; i < 3; ++i) {
    const SearchScores &a = found[0].scores[i], &b = found[1].scores[i];
    EXPECT_NEAR(a.residual, b.residual, 1e-5);
    EXPECT_NEAR(a.feature, b.feature, 1e-5);
    EXPECT_NEAR(a.latent_critic, b.latent_critic, 1e-5);
    EXPECT_NEAR(a.paper, b.paper, 1e-5);
    EXPECT_NEAR(a.critic, b.critic, 1e-5);
    for (std::size_t k = 0; k < found[0].latents[i].size(); ++k)
      EXPECT_NEAR(found[0].latents[i][k], found[1].latents[i][k], 2e-3);
  }
}

TEST(CudaEngine, WithoutGraphsKernelsAreLaunchedOneByOneAfterOneWarning) {
  PGAD_EMULATION_ONLY("a GPU makes graphs");
  const auto weights = [] {
    Exec exec(test_device(), 1);
    return train(exec, toy_network(), {}, {3, false, 4, true}, 3).weights;
  };
  const auto with_graphs = weights();
  simt::options().graphs = false;
  std::vector<std::string> said;
  set_log([&](const std::string& text) { said.push_back(text); });
  const auto one_by_one = weights(), again = weights();
  set_log({});
  simt::options() = {};
  EXPECT_EQ(one_by_one, with_graphs);
  EXPECT_EQ(again, with_graphs);
  ASSERT_EQ(said.size(), 2u);  // once for each Exec
  EXPECT_EQ(said[0].find("no graph of this step"), 0u) << said[0];
}

// A steady step takes no memory, and no transfer but its inputs' and results'.
TEST(CudaEngine, SteadyStepsAllocateNothing) {
  Exec exec(test_device(), 1);
  Networks networks(exec, toy_network(), {}, 3);
  TrainStep step(exec, networks, toy_network(), {}, {3, false, 4, true});
  step.run();
  const auto before = exec.memory();
  const std::size_t free = exec.runtime()->free_bytes();
  for (int i = 0; i < 3; ++i) step.run();
  EXPECT_EQ(exec.memory().requests, before.requests);
  if (!on_gpu()) {  // a GPU has other users
    EXPECT_EQ(exec.runtime()->free_bytes(), free);
  }
}

}  // namespace
}  // namespace pgad::test
