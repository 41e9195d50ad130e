#include "apps/inspection/latent_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "autograd/ops.h"
#include "engine/rng.h"
#include "kernels/latent_step/latent_step.h"

namespace pgad {
namespace {

std::uint64_t content_hash(std::span<const float> values) {  // FNV-1a
  std::uint64_t h = 14695981039346656037ull;
  for (const std::byte b : std::as_bytes(values)) h = (h ^ static_cast<std::uint64_t>(b)) * 1099511628211ull;
  return h;
}

Var constant(Exec& exec, double value) {
  const Tensor t = exec.zeros({1});
  *t.data<float>() = static_cast<float>(value);
  return Var(exec, t);
}

}  // namespace

LatentSearch::LatentSearch(Exec& exec, const SearchModel& model, const ScoringConfig& scoring, int batch)
    : exec_(exec), model_(model), scoring_(scoring), batch_(batch), adam_{0.9, 0.999, 1e-8} {
  const std::int64_t n = batch, side = model.network.resolution, d = model.network.latent();
  images_ = exec.zeros({n, side, side, model.network.channels});
  z_ = exec.zeros({n, d});
  m_ = exec.zeros({n, d});
  v_ = exec.zeros({n, d});
  best_z_ = exec.zeros({n, d});
  best_loss_ = exec.zeros({n});
  rate_ = exec.zeros({3});
  statistic_ = constant(exec, model.statistic);
  if (model.old_weight > 0) old_weight_ = constant(exec, model.old_weight);
}

Var LatentSearch::reduce(const Var& distances) const {
  return scoring_.reduction == Reduction::kMean ? mean_per_sample(distances) : sum_per_sample(distances);
}

// 1 - sigmoid(D) as sigmoid(-D): in float the difference would be 0 from D = 17 on.
Var LatentSearch::critic(const Var& score) const {
  return model_.loss == Loss::kLogistic ? sigmoid(scale(score, -1)) : abs(affine(score, 1, -model_.normal_critic));
}

LatentSearch::Terms LatentSearch::terms(const Var& z) const {
  Terms t;
  t.image = model_.g->forward(z, model_.level, old_weight_);
  const Discriminator::Output d = model_.d->forward(t.image, model_.level, old_weight_, statistic_);
  t.residual = reduce(abs(sub(queries_, t.image)));
  t.feature = reduce(abs(sub(query_features_, d.features)));
  t.latent_critic = critic(d.score);
  const Var anomaly = axpby(t.residual, t.feature, 1 - scoring_.lambda, scoring_.lambda);
  t.paper = axpby(anomaly, t.latent_critic, scoring_.gamma, 1 - scoring_.gamma);
  return t;
}

void LatentSearch::prepare() {
  if (query_graph_) return query_graph_->replay();
  const PreparedScope scope(exec_, prepared_);
  query_graph_.emplace(exec_, [this] {
    const HistoryScope off(false);
    Var x(exec_, images_);
    for (int level = model_.network.log2_resolution(); level > model_.level; --level) x = sum_pool2x(x, 0.25);
    if (old_weight_.defined()) x = fade(x, upsample2x(sum_pool2x(x, 0.25)), old_weight_);
    queries_ = x;
    const Discriminator::Output d = model_.d->forward(x, model_.level, old_weight_, statistic_);
    query_features_ = d.features;
    query_score_ = d.score;
    query_critic_ = critic(d.score);
  });
}

void LatentSearch::start(int restart) {
  const std::int64_t d = z_.dim(1);
  const std::size_t floats = images().size() / static_cast<std::size_t>(batch_);
  const bool uniform = model_.network.latent_distribution == LatentDistribution::kUniform;
  for (std::int64_t i = 0; i < batch_; ++i) {
    const std::uint64_t content = content_hash(images().subspan(static_cast<std::size_t>(i) * floats, floats));
    Rng rng(scoring_.seed, content + static_cast<std::uint64_t>(restart) * 0x9E3779B97F4A7C15ull);
    float* z = z_.data<float>() + i * d;
    double square = 0;
    for (std::int64_t j = 0; j < d; ++j) {
      const double v = uniform ? 2 * rng.uniform() - 1 : rng.normal();
      z[j] = static_cast<float>(v);
      square += v * v;
    }
    const auto scale = static_cast<float>(std::sqrt(static_cast<double>(d) / square));
    for (std::int64_t j = 0; j < d; ++j) z[j] *= scale;
  }
  std::ranges::fill(m_.span<float>(), 0.f);
  std::ranges::fill(v_.span<float>(), 0.f);
  if (restart > 0) return;
  std::ranges::fill(best_loss_.span<float>(), std::numeric_limits<float>::infinity());
  std::ranges::copy(z_.span<float>(), best_z_.span<float>().begin());
}

void LatentSearch::step(double lr, int number) {
  const AdamRate rate = adam_rate(adam_, lr, number);
  rate_.data<float>()[0] = rate.lr;
  rate_.data<float>()[1] = rate.correction1;
  rate_.data<float>()[2] = rate.correction2;
  if (step_graph_) return step_graph_->replay();
  const PreparedScope scope(exec_, prepared_);
  step_graph_.emplace(exec_, [this] {
    const Var z[] = {Var(exec_, z_, /*requires_grad=*/true)};
    const Terms t = terms(z[0]);
    // Images do not meet in the losses: the sum's gradient is each image's own.
    const Var g = grad(sum(t.paper), z)[0];
    pgad::run(kLatentStep, exec_,
              LatentStepArgs<float>{z_.dim(0), z_.dim(1), z_.data<float>(), g.value().data<float>(), m_.data<float>(),
                                    v_.data<float>(), t.paper.value().data<float>(), best_loss_.data<float>(),
                                    best_z_.data<float>(), rate_.data<float>(), static_cast<float>(adam_.beta1),
                                    static_cast<float>(adam_.beta2), static_cast<float>(adam_.epsilon)});
  });
}

void LatentSearch::finish() {
  if (score_graph_) return score_graph_->replay();
  const PreparedScope scope(exec_, prepared_);
  score_graph_.emplace(exec_, [this] {
    const HistoryScope off(false);
    best_ = terms(Var(exec_, best_z_));
  });
}

void LatentSearch::run(const std::function<void(int step)>& on_step) {
  prepare();
  for (int restart = 0; restart < scoring_.restarts; ++restart) {
    start(restart);
    for (int i = 0; i < scoring_.steps; ++i) {
      if (on_step) on_step(restart * scoring_.steps + i);
      const double progress = static_cast<double>(i) / scoring_.steps;
      const double factor = scoring_.z_lr_schedule == "cosine" ? 0.5 * (1 + std::cos(std::numbers::pi * progress)) : 1;
      step(scoring_.z_lr * factor, i + 1);
    }
    step(0, scoring_.steps + 1);  // moves nothing: gives the last z its chance to be the best
  }
  finish();
}

std::vector<SearchScores> LatentSearch::scores() const {
  std::vector<SearchScores> result;
  for (std::int64_t i = 0; i < batch_; ++i) {
    const auto at = [i](const Var& v) { return v.value().data<float>()[i]; };
    result.push_back({at(best_.residual), at(best_.feature), at(best_.latent_critic), at(best_.paper), at(query_critic_)});
  }
  return result;
}

}  // namespace pgad
