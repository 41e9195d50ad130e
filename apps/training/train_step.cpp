#include "apps/training/train_step.h"

#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "kernels/adam/adam.h"

namespace pgad {

Networks::Networks(Exec& exec, const NetworkConfig& config, const AdamConfig& adam, std::uint64_t seed)
    : g(exec, config, seed),
      g_ema(exec, config, seed),  // the same seed: it starts as a copy
      d(exec, config, seed),
      g_adam(exec, adam, g.parameters()),
      d_adam(exec, adam, d.parameters()) {}

TrainStep::TrainStep(Exec& exec, Networks& networks, const NetworkConfig& network, const ObjectiveConfig& objective,
                     const TrainStepShape& shape)
    : exec_(exec), networks_(networks), network_(network), objective_(objective), shape_(shape) {
  const std::int64_t n = shape.batch, side = network.resolution, c = network.channels, d = network.latent();
  real_ = exec.zeros({n, side, side, c});
  if (shape.with_abnormal) abnormal_ = exec.zeros({n, side, side, c});
  d_latents_ = exec.zeros({n, d});
  g_latents_ = exec.zeros({n, d});
  mix_ = exec.zeros({n});
  pick_ = exec.zeros({n});
  old_weight_ = exec.zeros({1});
  ema_weight_ = exec.zeros({1});
}

// Real and abnormal images as the networks of this moment could draw them: at the current size, and while a size fades
// in, blended with their own blurred version: lerp(x, up(pool(x))).
Var TrainStep::fade_input(const Tensor& images) const {
  Var x(exec_, images);
  for (int level = network_.log2_resolution(); level > shape_.level; --level) x = sum_pool2x(x, 0.25);
  if (!shape_.fading) return x;
  return fade(x, upsample2x(sum_pool2x(x, 0.25)), Var(exec_, old_weight_));
}

// Adds the loss's gradients to `sums`, which may be empty.
void TrainStep::accumulate(const std::vector<Parameter>& parameters, const Var& loss, std::vector<Var>& sums) {
  std::vector<Var> leaves;
  for (const Parameter& p : parameters) leaves.push_back(p.var);
  std::vector<Var> gradients = grad(loss, leaves);
  if (!sums.empty())
    for (std::size_t i = 0; i < sums.size(); ++i) gradients[i] = add(sums[i], gradients[i]);
  sums = std::move(gradients);
}

// The gradients' squared norm, and Adam's update where that is finite. Returns the squared norm.
Tensor TrainStep::update(Adam& adam, const std::vector<Parameter>& parameters, const std::vector<Var>& gradients) {
  Var norm;
  for (const Var& g : gradients) {
    const Var square_sum = sum(square(g));
    norm = norm.defined() ? add(norm, square_sum) : square_sum;
  }
  adam.apply(parameters, gradients, norm.value());
  return norm.value();
}

void TrainStep::step() {
  const Var old_weight = shape_.fading ? Var(exec_, old_weight_) : Var();

  const auto d_parameters = networks_.d.active_parameters(shape_.level, shape_.fading);
  {
    DiscriminatorBatch batch;
    batch.real = fade_input(real_);
    if (shape_.with_abnormal) batch.abnormal = fade_input(abnormal_);
    {
      const HistoryScope off(false);
      batch.fake = networks_.g.forward(Var(exec_, d_latents_), shape_.level, old_weight);
    }
    batch.mix = Var(exec_, mix_);
    batch.pick = Var(exec_, pick_);
    const double norm_divisor = 1 << (network_.log2_resolution() - shape_.level);
    std::vector<Var> gradients;
    const DiscriminatorLoss loss =
        discriminator_loss(objective_, networks_.d, batch, shape_.level, old_weight, norm_divisor,
                           [&](const Var& part) { accumulate(d_parameters, part, gradients); });
    d_gate_ = update(networks_.d_adam, d_parameters, gradients);
    {
      const HistoryScope off(false);
      mean_gradient_norm_ = mean(sqrt(sum_per_sample(square(loss.gradient))));
      mean_statistic_ = mean(loss.statistic);
    }
    d_result_ = loss;
    d_result_.gradient = d_result_.statistic = Var();
  }

  const auto g_parameters = networks_.g.active_parameters(shape_.level, shape_.fading);
  {
    const Var image = networks_.g.forward(Var(exec_, g_latents_), shape_.level, old_weight);
    const Var loss = generator_loss(objective_, networks_.d.forward(image, shape_.level, old_weight).score);
    std::vector<Var> gradients;
    accumulate(g_parameters, loss, gradients);
    g_gate_ = update(networks_.g_adam, g_parameters, gradients);
    g_loss_ = loss.detach();
  }

  const auto ema_parameters = networks_.g_ema.active_parameters(shape_.level, shape_.fading);
  for (std::size_t i = 0; i < g_parameters.size(); ++i) {
    const Tensor& ema = ema_parameters[i].var.value();
    pgad::run(kEma, exec_,
              EmaArgs<float>{ema.numel(), ema.data<float>(), g_parameters[i].var.value().data<float>(),
                             ema_weight_.data<float>()});
  }
}

TrainStepResult TrainStep::run() {
  if (graph_)
    graph_->replay();
  else
    graph_.emplace(exec_, [this] { step(); });
  TrainStepResult r;
  r.d_loss = d_result_.total.item();
  r.g_loss = g_loss_.item();
  r.penalty = d_result_.penalty.item();
  r.d_real = d_result_.real.item();
  r.d_fake = d_result_.fake.item();
  r.d_abnormal = d_result_.abnormal.defined() ? d_result_.abnormal.item() : std::numeric_limits<double>::quiet_NaN();
  r.d_grad_norm = std::sqrt(*d_gate_.data<float>());
  r.g_grad_norm = std::sqrt(*g_gate_.data<float>());
  r.gradient_norm = mean_gradient_norm_.item();
  r.statistic = mean_statistic_.item();
  r.d_skipped = !std::isfinite(r.d_grad_norm);
  r.g_skipped = !std::isfinite(r.g_grad_norm);
  return r;
}

}  // namespace pgad
