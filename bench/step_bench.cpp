// Times a training step or a search step on random data; prints one JSON line. bench/compare_pytorch.sh sets it beside
// PyTorch. On a GPU a time is that of ten steps between two waits for the device.

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/profile.h"
#include "engine/rng.h"
#include "inspection/latent_search.h"
#include "kernels/random/random.h"
#include "model/tuning_file.h"
#include "training/train_step.h"

namespace {

void fill_uniform(std::span<float> values, std::uint64_t stream) {
  pgad::Rng rng(1, stream);
  for (float& v : values) v = static_cast<float>(2 * rng.uniform() - 1);
}

struct Options {
  std::string mode = "train", device = "cpu", precision = "fp32", tuning;
  pgad::NetworkConfig network;
  int batch = 16, threads = 0;
  double seconds = 5;
  bool reference = false, profile = false;
};

void bench(const Options& o) {
  using Clock = std::chrono::steady_clock;
  pgad::Exec exec(pgad::parse_device(o.device), o.threads,
                  o.reference ? pgad::Implementation::kReference : pgad::Implementation::kFastest,
                  pgad::parse_precision(o.precision));
  pgad::load_tuning(exec, o.tuning);
  const pgad::NetworkConfig& network = o.network;
  const int batch = o.batch;
  const int level = network.log2_resolution();
  pgad::ObjectiveConfig objective;

  std::function<void()> step;
  std::optional<pgad::Networks> networks;
  std::shared_ptr<const pgad::Generator> g;
  std::shared_ptr<const pgad::Discriminator> d;
  std::optional<pgad::TrainStep> train;
  std::optional<pgad::LatentSearch> search;
  if (o.mode == "train") {
    networks.emplace(exec, network, pgad::AdamConfig(), 1);
    train.emplace(exec, *networks, network, objective, pgad::TrainStepShape{level, false, batch, true});
    fill_uniform(train->real(), 1);
    fill_uniform(train->abnormal(), 2);
    for (const pgad::Tensor& z : {train->d_latents(), train->g_latents()})
      pgad::run(pgad::kDrawLatents, exec, pgad::DrawLatentsArgs<float>{1, 3, z.numel(), true, z.data<float>()});
    train->set_ema_weight(0.001);
    step = [&] {
      networks->d_adam.prepare(0.001);
      networks->g_adam.prepare(0.001);
      train->run();
      networks->d_adam.advance();
      networks->g_adam.advance();
    };
  } else {
    pgad::ScoringConfig scoring;
    scoring.gamma = 0.5;
    scoring.steps = 1 << 30;
    g = pgad::make_generator(exec, network, 1);
    d = pgad::make_discriminator(exec, network, 1);
    pgad::SearchModel model{&*g, &*d, network, pgad::Loss::kLogistic, level};
    search.emplace(exec, model, scoring, batch);
    std::vector<int> slots;
    for (int i = 0; i < batch; ++i) {
      fill_uniform(search->image(i), static_cast<std::uint64_t>(i));
      slots.push_back(i);
    }
    search->begin(slots);
    step = [&] { search->step(); };
  }

  for (int i = 0; i < 3; ++i) step();
  exec.synchronize();
  const int steps = exec.device().type == pgad::DeviceType::kCuda ? 10 : 1;
  std::vector<double> times;
  const auto begin = Clock::now();
  while (times.empty() || std::chrono::duration<double>(Clock::now() - begin).count() < o.seconds) {
    const auto t0 = Clock::now();
    for (int i = 0; i < steps; ++i) step();
    exec.synchronize();
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - t0).count() / steps);
  }
  std::sort(times.begin(), times.end());
  const double median = times[times.size() / 2];
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  nlohmann::ordered_json line = {{"program", "pgad"},
                                 {"mode", o.mode},
                                 {"device", exec.description()},
                                 {"precision", o.precision},
                                 {"tuned", !o.tuning.empty()},
                                 {"resolution", network.resolution},
                                 {"fmap_max", network.fmap_max},
                                 {"channels", network.channels},
                                 {"batch", batch},
                                 {"threads", exec.threads()},
                                 {"steps", steps * static_cast<int>(times.size())},
                                 {"ms_per_step", median},
                                 {"images_per_s", 1000.0 * batch / median},
                                 {"peak_rss_mb", static_cast<double>(usage.ru_maxrss) / 1024}};
  if (exec.runtime()) {
    constexpr double kMiB = 1 << 20;
    line["peak_device_mb"] = static_cast<double>(exec.memory().peak_bytes) / kMiB;  // in tensors
    line["peak_device_reserved_mb"] = static_cast<double>(exec.memory().peak_reserved_bytes) / kMiB;
  }
  std::cout << line.dump() << "\n" << std::flush;

  pgad::save_tuning(exec, o.tuning);
  if (o.profile) std::cout << profile_table(train ? train->graph() : *search->graph(), exec, 10);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Times one training or search step on random data.");
  Options o;
  o.network.fmap_max = 32;
  app.add_option("--mode", o.mode)->check(CLI::IsMember({"train", "search"}));
  app.add_option("--resolution", o.network.resolution);
  app.add_option("--fmap-max", o.network.fmap_max);
  app.add_option("--channels", o.network.channels);
  app.add_option("--batch", o.batch);
  app.add_option("--threads", o.threads);
  app.add_option("--seconds", o.seconds);
  app.add_option("--device", o.device, "cpu, cuda, cuda:N or cuda-emulated");
  app.add_option("--precision", o.precision, "of convolutions and matrix products on a GPU: fp32, tf32 or bf16");
  app.add_option("--tuning", o.tuning, "file of the tuner's choices; what it lacks is measured and added");
  app.add_flag("--reference", o.reference, "plain-loop kernels");
  app.add_flag("--profile", o.profile, "print the time of each kernel");
  CLI11_PARSE(app, argc, argv);
  try {
    bench(o);
  } catch (const std::exception& e) {
    std::cerr << "step_bench: " << e.what() << "\n";
    return 1;
  }
  return 0;
}
