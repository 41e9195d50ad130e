#include "training/patch_critic_trainer.h"

#include <chrono>
#include <cmath>
#include <future>
#include <numbers>
#include <numeric>

#include "autograd/ops.h"
#include "training/skipped_steps.h"

namespace pgad {
namespace {

constexpr std::uint64_t kMemberSeeds = 0x9e3779b97f4a7c15;  // between members: far from a user's other seeds
constexpr int kProgressEvery = 10;                          // steps
constexpr double kRise = 50;                                // steps in which the learning rate rises
constexpr double kConstantUntil = 0.3, kEnd = 0.03;         // then it falls like a cosine, to this share

double rate_at(std::int64_t step, double progress) {
  const double fallen = std::max(0.0, (progress - kConstantUntil) / (1 - kConstantUntil));
  const double share = kEnd + (1 - kEnd) * 0.5 * (1 + std::cos(std::numbers::pi * fallen));
  return share * std::min(1.0, (static_cast<double>(step) + 1) / kRise);
}

}  // namespace

Var patch_critic_loss(const Var& logits, const Var& targets, const Var& weights) {
  return sum(mul(weights, sub(softplus(logits), mul(targets, logits))));
}

PatchCriticStep::PatchCriticStep(Exec& exec, const PatchCritic& critic, std::int64_t batch, int side)
    : exec_(exec),
      critic_(critic),
      adam_(exec, {0.9, 0.99, 1e-8}, critic.flat()),
      inputs_(exec, {batch, side, side, critic.channels()}),
      targets_(exec, {batch, side / critic.cell(), side / critic.cell(), 1}),
      weights_(exec, {batch, side / critic.cell(), side / critic.cell(), 1}) {}

void PatchCriticStep::step() {
  const Var loss = patch_critic_loss(critic_.forward(Var(exec_, inputs_.tensor())), Var(exec_, targets_.tensor()),
                                     Var(exec_, weights_.tensor()));
  Gradients gradients(exec_, critic_.parameters());
  gradients.add(loss);
  adam_.update(loss.value(), gradients.flat());
}

AdamStep::Result PatchCriticStep::run(double lr) {
  inputs_.upload();
  targets_.upload();
  weights_.upload();
  return adam_.run(lr, [this] { step(); });
}

namespace {

// Of what has been trained before this one: done, of all.
struct Part {
  std::int64_t before, all;
};

std::shared_ptr<const PatchCritic> train_member(Exec& exec, const Config& config, CriticCrops& crops, int member,
                                                std::uint64_t seed, Part part,
                                                const std::function<void(const NetworkProgress&)>& on_progress) {
  using Clock = std::chrono::steady_clock;
  const PatchCriticConfig& own = config.patch_critic;
  const std::int64_t total = std::llround(own.kimg * 1000), batch = std::min(kCriticBatch, total);
  auto critic = std::make_shared<PatchCritic>(exec, own, crops.channels(), seed, member);
  PatchCriticStep step(exec, *critic, batch, crops.side());

  struct Batch {
    std::vector<float> inputs, targets, weights;
  };
  // The next batch is made while the device, or the other threads, are at this one.
  const auto make = [&](std::int64_t first) {
    Batch b{std::vector<float>(step.inputs().size()), std::vector<float>(step.targets().size()),
            std::vector<float>(step.weights().size())};
    crops.fetch(first, b.inputs, b.targets, b.weights);
    const float all = std::accumulate(b.weights.begin(), b.weights.end(), 0.f);
    for (float& w : b.weights) w /= std::max(all, 1e-6f);
    return b;
  };
  std::future<Batch> next = std::async(std::launch::async, make, 0);
  const auto begin = Clock::now();
  double recent = 0;  // loss
  SkippedSteps steps("the patch critic", "--patch-critic-lr", config.optimizer.max_skipped_steps);
  for (std::int64_t done = 0, number = 0; done < total; done += batch, ++number) {
    const Batch b = next.get();
    if (done + batch < total) next = std::async(std::launch::async, make, done + batch);
    std::ranges::copy(b.inputs, step.inputs().begin());
    std::ranges::copy(b.targets, step.targets().begin());
    std::ranges::copy(b.weights, step.weights().begin());
    const double progress = static_cast<double>(done) / static_cast<double>(total);
    const AdamStep::Result r = step.run(own.lr * rate_at(number, progress));
    steps.add(r.skipped, done + batch, done + batch >= total);
    if (!r.skipped) recent = steps.taken() == 1 ? r.loss : 0.98 * recent + 0.02 * r.loss;
    if (on_progress && number % kProgressEvery == 0) {
      const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
      on_progress(
          {part.before + done + batch, part.all, recent, static_cast<double>(done + batch) / std::max(1e-9, seconds)});
    }
  }
  return critic;
}

}  // namespace

void train_patch_critics(Exec& exec, Model& model, TrainingImages& normal, TrainingImages& abnormal,
                         const std::function<void(const NetworkProgress&)>& on_progress) {
  const Config& config = model.config;
  const std::int64_t each = std::llround(config.patch_critic.kimg * 1000), members = config.patch_critic.members;
  std::vector<std::shared_ptr<const PatchCritic>> critics;
  for (int member = 0; member < members; ++member) {
    const std::uint64_t seed = config.run.seed + static_cast<std::uint64_t>(member) * kMemberSeeds;
    CriticCrops crops(normal, abnormal, config.data, config.patch_critic,
                      config.data.synthetic_abnormal && member % 2 == 0, seed);
    critics.push_back(train_member(exec, config, crops, member, seed, {member * each, members * each}, on_progress));
  }
  model.patch_critics = std::move(critics);
}

}  // namespace pgad
