#include "training/estimate.h"

#include <cmath>
#include <cstdio>

#include "training/patch_critic_trainer.h"
#include "training/schedule.h"
#include "training/train_step.h"

namespace pgad {

std::vector<StepEstimate> estimate_training(const Config& config, Device device) {
  device.dry = true;
  Exec exec(device, config.run.threads);
  Networks networks(exec, config.network, {config.optimizer.beta1, config.optimizer.beta2, config.optimizer.epsilon},
                    config.run.seed);
  std::vector<StepEstimate> estimates;
  const int last = config.network.log2_resolution();
  const int first = level_of(config.schedule.start_resolution);
  for (int level = first; level <= last; ++level) {
    const bool fading = level > first && config.schedule.fade_kimg > 0;
    const int batch = value_at(config.schedule.batch, 1 << level);
    exec.trim();
    TrainStep step(exec, networks, config.network, config.objective,
                   {level, fading, batch, config.objective.gamma < 1});
    step.run();
    double parameters = 0, flops = 0;
    for (const auto& set : {networks.g->active_parameters(level, fading), networks.d->active_parameters(level, fading)})
      for (const Parameter& p : set) parameters += static_cast<double>(p.var.shape().numel());
    for (const RecordedCall& call : step.graph().calls()) flops += call.cost.flops;
    estimates.push_back({1 << level, fading, batch, parameters, flops, static_cast<double>(step.graph().calls().size()),
                         static_cast<double>(exec.memory().reserved_bytes)});
  }
  return estimates;
}

PatchCriticEstimate estimate_patch_critics(const Config& config, Device device) {
  device.dry = true;
  Exec exec(device, config.run.threads);
  const PatchCritic critic(exec, config.patch_critic, config.network.channels + 1, config.run.seed);
  PatchCriticStep step(exec, critic, kCriticBatch, config.critic_crop());
  step.run(config.patch_critic.lr);
  double flops = 0;
  for (const RecordedCall& call : step.graph().calls()) flops += call.cost.flops;
  return {{config.critic_crop(), false, static_cast<int>(kCriticBatch),
           static_cast<double>(critic.flat().shape().numel()), flops, static_cast<double>(step.graph().calls().size()),
           static_cast<double>(exec.memory().reserved_bytes)},
          config.patch_critic.members * std::ceil(config.patch_critic.kimg * 1000 / kCriticBatch)};
}

std::string estimate_table(const std::vector<StepEstimate>& estimates) {
  std::string table = "side   step     batch  parameters      GFLOP/step  memory of tensors (MB)\n";
  for (const StepEstimate& e : estimates) {
    char line[128];
    std::snprintf(line, sizeof line, "%-5d  %-7s  %5d  %10.0f  %14.2f  %22.1f\n", e.side,
                  e.fading ? "fading" : "stable", e.batch, e.parameters, e.flops / 1e9, e.bytes / 1e6);
    table += line;
  }
  return table;
}

}  // namespace pgad
