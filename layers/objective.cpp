#include "layers/objective.h"

#include "autograd/ops.h"

namespace pgad {
namespace {

constexpr double kNormEpsilon = 1e-8;  // inside the root: its derivative at 0 is finite

// dD/dx, differentiable in D's parameters. Samples only meet in minibatch-stddev, so the sum's gradient is each one's.
Var input_gradient(const Var& score, const Var& x) {
  const Var xs[] = {x};
  return grad(sum(score), xs, /*create_graph=*/true)[0];
}

Var per_sample(const Var& values, const Shape& shape) {  // [n] -> shape, constant within a sample
  return broadcast_to(reshape(values, {shape[0], 1, 1, 1}), shape);
}

}  // namespace

DiscriminatorLoss discriminator_loss(const ObjectiveConfig& config, const Discriminator& d,
                                     const DiscriminatorBatch& batch, const Stage& stage, double norm_divisor,
                                     const std::function<void(const Var&)>& on_part) {
  const double gamma = batch.abnormal.defined() ? config.gamma : 1.0;
  const double real_weight = config.weighting == Weighting::kMixture ? 1.0 : gamma;
  const bool logistic = config.loss == Loss::kLogistic;
  Exec& exec = batch.real.exec();
  DiscriminatorLoss loss;

  const auto value = [&](const Var& v) { return on_part ? v.detach() : v; };
  const auto add_part = [&](const Var& part) {
    if (on_part) on_part(part);
    loss.total = loss.total.defined() ? add(loss.total, value(part)) : value(part);
  };
  const auto as_real = [&](const Var& s) { return logistic ? mean(softplus(scale(s, -1))) : scale(mean(s), -1); };
  const auto as_fake = [&](const Var& s) { return logistic ? mean(softplus(s)) : mean(s); };

  {
    const Var score = d.forward(batch.fake, stage).score;
    loss.fake = value(mean(score));
    add_part(scale(as_fake(score), gamma));
  }
  if (batch.abnormal.defined()) {
    const Var score = d.forward(batch.abnormal, stage).score;
    loss.abnormal = value(mean(score));
    add_part(scale(as_fake(score), 1 - gamma));
  }
  {
    // With R1 the penalty's images are the real ones: one pass serves both.
    const Var real(exec, batch.real.value(), /*requires_grad=*/logistic);
    const Discriminator::Output on_real = d.forward(real, stage);
    loss.stddev = value(on_real.stddev);
    loss.real = value(mean(on_real.score));
    Var part = scale(as_real(on_real.score), real_weight);
    if (logistic) {
      const Var gradient = input_gradient(on_real.score, real);
      const Var penalty = mean(sum_per_sample(square(gradient)));
      loss.gradient = value(gradient);
      loss.penalty = value(penalty);
      if (config.r1_weight > 0) part = axpby(part, penalty, 1, config.r1_weight / 2);
    } else {
      part = axpby(part, mean(square(on_real.score)), 1, config.drift);
    }
    add_part(part);
  }
  if (logistic) return loss;

  Var other = batch.fake;
  if (batch.abnormal.defined()) {
    const Var pick = per_sample(batch.pick, batch.fake.shape());
    other = add(mul(pick, batch.fake), mul(affine(pick, -1, 1), batch.abnormal));
  }
  const Var mix = per_sample(batch.mix, batch.real.shape());
  const Var between(exec, add(mul(affine(mix, -1, 1), batch.real), mul(mix, other)).value(), /*requires_grad=*/true);
  const Var gradient = input_gradient(d.forward(between, stage).score, between);
  const Var norm = scale(sqrt(affine(sum_per_sample(square(gradient)), 1, kNormEpsilon)), 1 / norm_divisor);
  const Var penalty = mean(square(affine(norm, 1, -config.gp_target)));
  loss.gradient = value(gradient);
  loss.penalty = value(penalty);
  add_part(scale(penalty, config.gp_weight / (config.gp_target * config.gp_target)));
  return loss;
}

Var generator_loss(const ObjectiveConfig& config, const Var& score) {
  return config.loss == Loss::kLogistic ? mean(softplus(scale(score, -1))) : scale(mean(score), -1);
}

}  // namespace pgad
