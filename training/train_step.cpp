#include "training/train_step.h"

#include <cmath>
#include <limits>

#include "autograd/ops.h"
#include "kernels/elementwise/elementwise.h"

namespace pgad {

Networks::Networks(Exec& exec, const NetworkConfig& config, const AdamConfig& adam, std::uint64_t seed)
    : g(make_generator(exec, config, seed)),
      g_ema(make_generator(exec, config, seed)),  // the same seed: it starts as a copy
      d(make_discriminator(exec, config, seed)),
      g_adam(exec, adam, g->flat()),
      d_adam(exec, adam, d->flat()) {}

TrainStep::TrainStep(Exec& exec, Networks& networks, const NetworkConfig& network, const ObjectiveConfig& objective,
                     const TrainStepShape& shape)
    : exec_(exec), networks_(networks), network_(network), objective_(objective), shape_(shape) {
  const std::int64_t n = shape.batch, side = std::int64_t{1} << shape.level, c = network.channels, d = network.latent();
  real_ = add_input({n, side, side, c});
  if (shape.with_abnormal) abnormal_ = add_input({n, side, side, c});
  mix_ = add_input({n});
  pick_ = add_input({n});
  alpha_ = add_input({1});
  ema_weight_ = add_input({1});
  inputs_ = StagedInput(exec, {input_size_});
  d_latents_ = exec.zeros({n, d});
  g_latents_ = exec.zeros({n, d});
  stage_ = {shape.level, shape.fading ? input(alpha_) : Var()};
  results_ = Mirror(exec, {kResults});
}

TrainStep::Input TrainStep::add_input(const Shape& shape) {
  const Input input{input_size_, shape};
  input_size_ = aligned_end(input_size_ + shape.numel());
  return input;
}
std::span<float> TrainStep::host(const Input& input) const {
  return inputs_.host().subspan(static_cast<std::size_t>(input.offset), static_cast<std::size_t>(input.shape.numel()));
}
Var TrainStep::input(const Input& input) const { return Var(exec_, inputs_.tensor().view(input.offset, input.shape)); }

void TrainStep::step() {
  update_discriminator();
  update_generator();
}

void TrainStep::update_discriminator() {
  DiscriminatorBatch batch;
  batch.real = fade_real(input(real_), stage_);
  if (shape_.with_abnormal) batch.abnormal = fade_real(input(abnormal_), stage_);
  {
    const HistoryScope off(false);
    batch.fake = networks_.g->forward(Var(exec_, d_latents_), stage_);
  }
  batch.mix = input(mix_);
  batch.pick = input(pick_);
  const double norm_divisor = 1 << (network_.log2_resolution() - shape_.level);
  Gradients gradients(exec_, networks_.d->active_parameters(shape_.level, shape_.fading));
  const DiscriminatorLoss loss = discriminator_loss(objective_, *networks_.d, batch, stage_, norm_divisor,
                                                    [&](const Var& part) { gradients.add(part); });
  const Tensor norm = squared_norm(exec_, gradients.flat());
  networks_.d_adam.apply(gradients.flat(), norm);

  const HistoryScope off(false);
  report(kDNorm, norm);
  report(kGradientNorm, mean(sqrt(sum_per_sample(square(loss.gradient)))).value());
  report(kStddev, mean(loss.stddev).value());
  report(kDLoss, loss.total.value());
  report(kPenalty, loss.penalty.value());
  report(kReal, loss.real.value());
  report(kFake, loss.fake.value());
  if (loss.abnormal.defined()) report(kAbnormal, loss.abnormal.value());
}

void TrainStep::update_generator() {
  const Var image = networks_.g->forward(Var(exec_, g_latents_), stage_);
  const Var loss = generator_loss(objective_, networks_.d->forward(image, stage_).score);
  Gradients gradients(exec_, networks_.g->active_parameters(shape_.level, shape_.fading));
  gradients.add(loss);
  const Tensor norm = squared_norm(exec_, gradients.flat());
  networks_.g_adam.apply(gradients.flat(), norm);
  const Shape active = gradients.flat().shape();
  update_average(exec_, networks_.g_ema->flat().view(0, active), networks_.g->flat().view(0, active),
                 input(ema_weight_).value());
  report(kGNorm, norm);
  report(kGLoss, loss.value());
}

// Puts a number among the results.
void TrainStep::report(Result which, const Tensor& value) {
  pgad::run(kUnary, exec_,
            UnaryArgs<float>{Unary::kAffine, 1, value.data<float>(), results_.tensor().view(which, {1}).data<float>(),
                             1.f, 0.f});
}

void TrainStep::start() {
  inputs_.receive();
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
  r.stddev = value(kStddev);
  r.d_skipped = !std::isfinite(r.d_grad_norm);
  r.g_skipped = !std::isfinite(r.g_grad_norm);
  return r;
}

}  // namespace pgad
