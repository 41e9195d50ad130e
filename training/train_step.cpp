#include "training/train_step.h"

#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "kernels/elementwise/elementwise.h"

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
  const std::int64_t n = shape.batch, side = std::int64_t{1} << shape.level, c = network.channels, d = network.latent();
  real_ = StagedInput(exec, {n, side, side, c});
  if (shape.with_abnormal) abnormal_ = StagedInput(exec, {n, side, side, c});
  for (StagedInput* t : {&mix_, &pick_}) *t = StagedInput(exec, {n});
  for (StagedInput* t : {&old_weight_, &ema_weight_}) *t = StagedInput(exec, {1});
  for (Tensor* t : {&d_latents_, &g_latents_}) *t = exec.zeros({n, d});
  results_ = Mirror(exec, {kResults});
}

// Real and abnormal images as the networks of this moment could draw them: while a size fades in, blended with their
// own blurred version, lerp(x, up(pool(x))).
Var TrainStep::fade_input(const Tensor& images) const {
  const Var x(exec_, images);
  if (!shape_.fading) return x;
  return fade(x, upsample2x(sum_pool2x(x, 0.25)), Var(exec_, old_weight_.tensor()));
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
  const Tensor norm = squared_norm(exec_, gradients);
  adam.apply(parameters, gradients, norm);
  return norm;
}

void TrainStep::step() {
  const Var old_weight = shape_.fading ? Var(exec_, old_weight_.tensor()) : Var();

  const auto d_parameters = networks_.d.active_parameters(shape_.level, shape_.fading);
  {
    DiscriminatorBatch batch;
    batch.real = fade_input(real_.tensor());
    if (shape_.with_abnormal) batch.abnormal = fade_input(abnormal_.tensor());
    {
      const HistoryScope off(false);
      batch.fake = networks_.g.forward(Var(exec_, d_latents_), shape_.level, old_weight);
    }
    batch.mix = Var(exec_, mix_.tensor());
    batch.pick = Var(exec_, pick_.tensor());
    const double norm_divisor = 1 << (network_.log2_resolution() - shape_.level);
    std::vector<Var> gradients;
    const DiscriminatorLoss loss =
        discriminator_loss(objective_, networks_.d, batch, shape_.level, old_weight, norm_divisor,
                           [&](const Var& part) { accumulate(d_parameters, part, gradients); });
    report(kDNorm, update(networks_.d_adam, d_parameters, gradients));
    const HistoryScope off(false);
    report(kGradientNorm, mean(sqrt(sum_per_sample(square(loss.gradient)))).value());
    report(kStatistic, mean(loss.statistic).value());
    report(kDLoss, loss.total.value());
    report(kPenalty, loss.penalty.value());
    report(kReal, loss.real.value());
    report(kFake, loss.fake.value());
    if (loss.abnormal.defined()) report(kAbnormal, loss.abnormal.value());
  }

  const auto g_parameters = networks_.g.active_parameters(shape_.level, shape_.fading);
  {
    const Var image = networks_.g.forward(Var(exec_, g_latents_), shape_.level, old_weight);
    const Var loss = generator_loss(objective_, networks_.d.forward(image, shape_.level, old_weight).score);
    std::vector<Var> gradients;
    accumulate(g_parameters, loss, gradients);
    report(kGNorm, update(networks_.g_adam, g_parameters, gradients));
    report(kGLoss, loss.value());
  }

  update_average(exec_, networks_.g_ema.active_parameters(shape_.level, shape_.fading), g_parameters,
                 ema_weight_.tensor());
}

// Puts a number among the results.
void TrainStep::report(Result which, const Tensor& value) {
  pgad::run(
      kUnary, exec_,
      UnaryArgs<float>{Unary::kAffine, 1, value.data<float>(), results_.tensor().data<float>() + which, 1.f, 0.f});
}

std::vector<StagedInput*> TrainStep::inputs() {
  std::vector<StagedInput*> all = {&real_, &mix_, &pick_, &old_weight_, &ema_weight_};
  if (shape_.with_abnormal) all.push_back(&abnormal_);
  return all;
}

void TrainStep::send_inputs() {
  for (StagedInput* input : inputs()) input->send();
}

void TrainStep::start() {
  for (StagedInput* input : inputs()) input->receive();
  if (graph_)
    graph_->replay();
  else
    graph_.emplace(exec_, [this] { step(); });
}

TrainStepResult TrainStep::finish() {
  results_.download();
  const auto value = [&](Result which) { return static_cast<double>(results_.host()[which]); };
  TrainStepResult r;
  r.d_loss = value(kDLoss);
  r.g_loss = value(kGLoss);
  r.penalty = value(kPenalty);
  r.d_real = value(kReal);
  r.d_fake = value(kFake);
  r.d_abnormal = shape_.with_abnormal ? value(kAbnormal) : std::numeric_limits<double>::quiet_NaN();
  r.d_grad_norm = std::sqrt(value(kDNorm));
  r.g_grad_norm = std::sqrt(value(kGNorm));
  r.gradient_norm = value(kGradientNorm);
  r.statistic = value(kStatistic);
  r.d_skipped = !std::isfinite(r.d_grad_norm);
  r.g_skipped = !std::isfinite(r.g_grad_norm);
  return r;
}

}  // namespace pgad
