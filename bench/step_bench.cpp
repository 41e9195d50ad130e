// Times a training step or a search step on random data; prints one JSON line. bench/compare_pytorch.sh sets it beside
// PyTorch.

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/inspection/latent_search.h"
#include "apps/profile.h"
#include "apps/training/train_step.h"
#include "engine/rng.h"

namespace {

void fill_uniform(std::span<float> values, std::uint64_t stream) {
  pgad::Rng rng(1, stream);
  for (float& v : values) v = static_cast<float>(2 * rng.uniform() - 1);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Times one training or search step on random data.");
  std::string mode = "train";
  pgad::NetworkConfig network;
  network.fmap_max = 32;
  int batch = 16, threads = 0;
  double seconds = 5;
  bool reference = false, profile = false;
  app.add_option("--mode", mode)->check(CLI::IsMember({"train", "search"}));
  app.add_option("--resolution", network.resolution);
  app.add_option("--fmap-max", network.fmap_max);
  app.add_option("--channels", network.channels);
  app.add_option("--batch", batch);
  app.add_option("--threads", threads);
  app.add_option("--seconds", seconds);
  app.add_flag("--reference", reference, "plain-loop kernels");
  app.add_flag("--profile", profile, "print the time of each kernel");
  CLI11_PARSE(app, argc, argv);

  using Clock = std::chrono::steady_clock;
  pgad::Exec exec({}, threads, reference ? pgad::Implementation::kReference : pgad::Implementation::kFastest);
  pgad::Networks networks(exec, network, {}, 1);
  const int level = network.log2_resolution();
  pgad::ObjectiveConfig objective;

  std::function<void()> step;
  std::optional<pgad::TrainStep> train;
  std::optional<pgad::LatentSearch> search;
  if (mode == "train") {
    train.emplace(exec, networks, network, objective, pgad::TrainStepShape{level, false, batch, true});
    fill_uniform(train->real(), 1);
    fill_uniform(train->abnormal(), 2);
    fill_uniform(train->d_latents(), 3);
    fill_uniform(train->g_latents(), 4);
    train->set_ema_weight(0.001);
    step = [&] {
      networks.d_adam.prepare(0.001);
      networks.g_adam.prepare(0.001);
      train->run();
      networks.d_adam.advance();
      networks.g_adam.advance();
    };
  } else {
    pgad::ScoringConfig scoring;
    scoring.gamma = 0.5;
    scoring.steps = 1 << 30;
    pgad::SearchModel model{&networks.g, &networks.d, network, pgad::Loss::kLogistic, level};
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
  std::vector<double> times;
  const auto begin = Clock::now();
  while (std::chrono::duration<double>(Clock::now() - begin).count() < seconds) {
    const auto t0 = Clock::now();
    step();
    times.push_back(std::chrono::duration<double, std::milli>(Clock::now() - t0).count());
  }
  std::sort(times.begin(), times.end());
  const double median = times[times.size() / 2];
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  nlohmann::ordered_json line = {{"program", "pgad"},
                                 {"mode", mode},
                                 {"resolution", network.resolution},
                                 {"fmap_max", network.fmap_max},
                                 {"batch", batch},
                                 {"threads", exec.threads()},
                                 {"steps", times.size()},
                                 {"ms_per_step", median},
                                 {"images_per_s", 1000.0 * batch / median},
                                 {"peak_rss_mb", static_cast<double>(usage.ru_maxrss) / 1024}};
  std::cout << line.dump() << "\n";

  if (profile) std::cout << profile_table(train ? train->graph() : search->graph(), exec, 10);
  return 0;
}
