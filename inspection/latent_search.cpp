#include "inspection/latent_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "autograd/ops.h"
#include "engine/hash.h"
#include "engine/rng.h"
#include "kernels/l1/l1.h"
#include "kernels/latent_step/latent_step.h"
#include "kernels/random/random.h"

namespace pgad {
namespace {

// The best loss must fall by this share of itself within `patience` steps, or the search ends.
constexpr float kNoticeable = 0.002f;

}  // namespace

int search_patience(const ScoringConfig& scoring, bool from_encoder) {
  if (scoring.patience >= 0) return scoring.patience;
  return from_encoder ? 10 : 0;
}

int search_steps(const ScoringConfig& scoring, bool from_encoder) {
  if (scoring.steps > 0) return scoring.steps;
  return from_encoder ? 10 : 500;
}

LatentSearch::LatentSearch(Exec& exec, const SearchModel& model, const ScoringConfig& scoring, int batch)
    : exec_(exec),
      model_(model),
      scoring_(scoring),
      batch_(batch),
      adam_{0.9, 0.999, 1e-8},
      stage_(make_stage(exec, model.level, model.alpha)) {
  if (scoring.start == Start::kRandom) model_.encoder = nullptr;
  const std::int64_t n = batch, side = model.network.resolution, d = model.network.latent(), c = model.network.channels;
  const std::int64_t s = std::int64_t{1} << model.level;
  images_ = Mirror(exec, {n, side, side, c});
  z_ = exec.from<float>(std::vector<float>(static_cast<std::size_t>(n * d), 1.f), {n, d});  // also in unused slots
  for (Tensor* t : {&m_, &v_, &best_z_, &no_gradient_}) *t = exec.zeros({n, d});
  for (Tensor* t : {&best_loss_, &best_residual_, &best_feature_, &best_latent_critic_}) *t = exec.zeros({n});
  best_image_ = exec.zeros({n, s, s, c});
  rate_ = Mirror(exec, {n, 4});
  stddev_ = constant(exec, model.stddev);
  slots_.resize(static_cast<std::size_t>(batch));
  losses_.resize(static_cast<std::size_t>(batch));
  ended_.reserve(static_cast<std::size_t>(batch));
}

// The L1 distance per image, and in the same pass the gradient in x of `weight` times it.
LatentSearch::Distance LatentSearch::distance(const Var& x, const Tensor& y, double weight) const {
  const Shape& s = x.shape();
  const std::int64_t elements = s.numel() / s[0];
  const double alpha = scoring_.reduction == Reduction::kMean ? 1.0 / static_cast<double>(elements) : 1.0;
  Distance d{exec_.empty({s[0]}), exec_.empty(s)};
  pgad::run(kL1, exec_,
            L1Args<float>{s[0], elements, x.value().data<float>(), y.data<float>(), d.loss.data<float>(),
                          d.gradient.data<float>(), static_cast<float>(alpha), static_cast<float>(weight * alpha)});
  return d;
}

// 1 - sigmoid(D) as sigmoid(-D): in float the difference would be 0 from D = 17 on.
Var LatentSearch::critic(const Var& score) const {
  return model_.loss == Loss::kLogistic ? sigmoid(scale(score, -1)) : abs(affine(score, 1, -model_.normal_critic));
}

namespace {

std::vector<Tensor> values_of(const std::vector<Var>& vars) {
  std::vector<Tensor> values;
  for (const Var& v : vars) values.push_back(v.value());
  return values;
}

}  // namespace

std::vector<FeatureDifferences> feature_differences(Exec& exec, const Tensor& query, const Tensor& drawn) {
  const std::vector<float> x = exec.read<float>(query), y = exec.read<float>(drawn);
  const auto count = static_cast<std::size_t>(query.dim(0));
  const std::size_t one = x.size() / count;
  std::vector<FeatureDifferences> all;
  for (std::size_t i = 0; i < count; ++i) {
    FeatureDifferences& d = all.emplace_back(
        FeatureDifferences{static_cast<int>(query.dim(1)), static_cast<int>(query.dim(3)), std::vector<float>(one)});
    for (std::size_t k = 0; k < one; ++k) d.values[k] = std::abs(x[i * one + k] - y[i * one + k]);
  }
  return all;
}

LatentSearch::Terms LatentSearch::terms(const Var& z) const {
  const double lambda = scoring_.lambda, gamma = scoring_.gamma;
  const Var image = model_.g->forward(z, stage_);
  std::vector<Var> maps;
  const Discriminator::Output d = model_.d->forward(image, stage_, stddev_, model_.feature_maps ? &maps : nullptr);
  const Distance residual = distance(image, queries_.value(), gamma * (1 - lambda)),
                 feature = distance(d.features, query_features_.value(), gamma * lambda);
  const Var latent_critic = critic(d.score);
  Tensor gradient = no_gradient_;
  if (z.requires_grad()) {
    // The losses' weights are known, and images do not meet in them: the gradient of their sum is each image's own.
    const Var from[] = {image, d.features, latent_critic},
              seeds[] = {Var(exec_, residual.gradient), Var(exec_, feature.gradient),
                         constant_like(latent_critic, 1 - gamma)};
    const std::size_t count = gamma < 1 ? 3 : 2;  // a critic of weight 0 has no gradient
    gradient = grad_and_release(std::span(from, count), std::span(seeds, count), std::span(&z, 1))[0].value();
  }
  const HistoryScope off(false);
  const Var anomaly = axpby(Var(exec_, residual.loss), Var(exec_, feature.loss), 1 - lambda, lambda);
  const Var paper = axpby(anomaly, latent_critic, gamma, 1 - gamma);
  return {image.value(), residual.loss, feature.loss, latent_critic.value(), paper.value(), gradient, values_of(maps)};
}

void LatentSearch::compute_queries() {
  images_.upload();
  if (query_graph_) return query_graph_->replay();
  const PreparedScope scope(exec_, prepared_);
  query_graph_.emplace(exec_, [this] {
    const HistoryScope off(false);
    Var x(exec_, images_.tensor());
    for (int level = model_.network.log2_resolution(); level > model_.level; --level) x = sum_pool2x(x, 0.25);
    queries_ = x = fade_real(x, stage_);
    std::vector<Var> maps;
    const Discriminator::Output d = model_.d->forward(x, stage_, stddev_, model_.feature_maps ? &maps : nullptr);
    query_maps_ = values_of(maps);
    query_features_ = d.features;
    query_score_ = d.score;
    query_critic_ = critic(d.score);
    if (model_.encoder != nullptr) encoded_ = model_.encoder->forward(x);
  });
}

std::span<float> LatentSearch::image(int slot) const {
  const std::span<float> all = images_.host();
  const std::size_t floats = all.size() / static_cast<std::size_t>(batch_);
  return all.subspan(static_cast<std::size_t>(slot) * floats, floats);
}

void LatentSearch::begin(std::span<const int> slots, const std::vector<char>& evaluate_only) {
  compute_queries();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const int slot = slots[i];
    Slot& s = slots_[static_cast<std::size_t>(slot)];
    active_ += !s.searching;
    s = Slot{};
    s.searching = true;
    const bool search = evaluate_only.empty() || !evaluate_only[i];
    s.evaluation = !search;
    s.restarts = search ? scoring_.restarts : 1;
    const float infinity = std::numeric_limits<float>::infinity();
    const Tensor* const losses[] = {&best_loss_, &best_residual_, &best_feature_, &best_latent_critic_};
    for (const Tensor* t : losses) exec_.upload<float>({&infinity, 1}, *t, slot);
    start(slot, 0);
  }
}

void LatentSearch::start(int slot, int restart) {
  const std::int64_t d = z_.dim(1);
  std::vector<float> z(static_cast<std::size_t>(d));
  if (restart == 0 && encoded_.defined()) {
    z = row(encoded_.value(), slot);
  } else {
    const bool uniform = model_.network.latent_distribution == LatentDistribution::kUniform;
    Rng rng(scoring_.seed,
            fnv1a(std::as_bytes(image(slot))) + static_cast<std::uint64_t>(restart) * 0x9E3779B97F4A7C15ull);
    double square = 0;
    for (float& value : z) {
      const double v = draw_latent(rng, uniform);
      value = static_cast<float>(v);
      square += v * v;
    }
    const auto scale = static_cast<float>(std::sqrt(static_cast<double>(d) / square));
    for (float& value : z) value *= scale;
  }
  exec_.upload<float>(z, z_, slot * d);
  if (restart == 0) exec_.upload<float>(z, best_z_, slot * d);
  const std::vector<float> zeros(static_cast<std::size_t>(d), 0.f);
  exec_.upload<float>(zeros, m_, slot * d);
  exec_.upload<float>(zeros, v_, slot * d);
  Slot& s = slots_[static_cast<std::size_t>(slot)];
  s.restart = restart;
  s.steps = s.evaluation ? 0 : search_steps(scoring_, from_encoder(restart));
  s.step = s.idle = 0;
  s.record = std::numeric_limits<float>::infinity();
}

void LatentSearch::set_rate(int slot) {
  const Slot& s = slots_[static_cast<std::size_t>(slot)];
  float* rate = rate_.host().data() + 4 * slot;
  // The last step moves nothing: it gives the last z its chance to be the best.
  double lr = 0;
  if (s.step < s.steps) {
    const double progress = static_cast<double>(s.step) / s.steps;
    lr = scoring_.z_lr *
         (scoring_.z_lr_schedule == ZLrSchedule::kCosine ? 0.5 * (1 + std::cos(std::numbers::pi * progress)) : 1.0);
  }
  const AdamRate r = adam_rate(adam_, lr, s.step + 1);
  rate[0] = r.lr;
  rate[1] = r.correction1;
  rate[2] = r.correction2;
  rate[3] = s.searching ? 1.f : 0.f;
}

bool LatentSearch::advance(int slot) {
  Slot& s = slots_[static_cast<std::size_t>(slot)];
  ++s.step;
  ++s.taken;
  bool converged = false;
  if (const int patience = this->patience(s); patience > 0) {
    const float loss = losses_[static_cast<std::size_t>(slot)];
    const bool fell = loss < s.record * (1 - kNoticeable);
    if (fell) s.record = loss;
    s.idle = fell ? 0 : s.idle + 1;
    converged = s.idle >= patience;
  }
  if (s.step <= s.steps && !converged) return true;
  if (s.restart + 1 < s.restarts) {
    start(slot, s.restart + 1);
    return true;
  }
  s.searching = false;
  --active_;
  return false;
}

void LatentSearch::take_step(bool moves) {
  const Terms t = terms(Var(exec_, z_, moves));
  if (moves) loss_ = t.paper;
  (moves ? step_maps_ : evaluation_maps_) = t.maps;
  LatentStepArgs<float> args{z_.dim(0),
                             z_.dim(1),
                             z_.data<float>(),
                             t.gradient.data<float>(),
                             m_.data<float>(),
                             v_.data<float>(),
                             t.paper.data<float>(),
                             best_loss_.data<float>(),
                             best_z_.data<float>(),
                             rate_.tensor().data<float>(),
                             static_cast<float>(adam_.beta1),
                             static_cast<float>(adam_.beta2),
                             static_cast<float>(adam_.epsilon)};
  const std::pair<const Tensor*, const Tensor*> kept[] = {{&t.residual, &best_residual_},
                                                          {&t.feature, &best_feature_},
                                                          {&t.latent_critic, &best_latent_critic_},
                                                          {&t.image, &best_image_}};
  for (std::size_t i = 0; i < std::size(kept); ++i)
    args.companions[i] = {kept[i].second->numel() / batch_, kept[i].first->data<float>(),
                          kept[i].second->data<float>()};
  pgad::run(kLatentStep, exec_, args);
}

std::span<const int> LatentSearch::step() {
  for (int slot = 0; slot < batch_; ++slot) set_rate(slot);
  rate_.upload();
  // Where all searches are at their last step, or are evaluations, no gradient is needed.
  const bool moves = std::ranges::any_of(slots_, [](const Slot& s) { return s.searching && s.step < s.steps; });
  std::optional<StepGraph>& graph = moves ? step_graph_ : evaluation_graph_;
  if (graph) {
    graph->replay();
  } else {
    const PreparedScope scope(exec_, prepared_);
    graph.emplace(
        exec_, [&] { take_step(moves); }, &*query_graph_);
  }
  last_maps_ = moves ? &step_maps_ : &evaluation_maps_;
  // Else the host need not wait for the step.
  if (moves && std::ranges::any_of(slots_, [&](const Slot& s) { return s.searching && patience(s) > 0; }))
    exec_.download<float>(loss_, 0, losses_);
  ended_.clear();
  for (int slot = 0; slot < batch_; ++slot)
    if (slots_[static_cast<std::size_t>(slot)].searching && !advance(slot)) ended_.push_back(slot);
  return ended_;
}

std::vector<std::vector<FeatureDifferences>> LatentSearch::feature_differences(std::span<const int> slots) const {
  std::vector<std::vector<FeatureDifferences>> all(slots.size());
  if (slots.empty()) return all;
  PGAD_CHECK(last_maps_ != nullptr && model_.feature_maps, "no step, or no feature maps were asked for");
  for (std::size_t l = 0; l < query_maps_.size(); ++l) {
    std::vector<FeatureDifferences> size = pgad::feature_differences(exec_, query_maps_[l], (*last_maps_)[l]);
    for (std::size_t i = 0; i < slots.size(); ++i)
      all[i].push_back(std::move(size[static_cast<std::size_t>(slots[i])]));
  }
  return all;
}

void LatentSearch::abandon() {
  for (Slot& s : slots_) s.searching = false;
  active_ = 0;
}

void LatentSearch::abandon(int slot) {
  Slot& s = slots_[static_cast<std::size_t>(slot)];
  active_ -= s.searching;
  s.searching = false;
}

double LatentSearch::progress(int slot) const {
  const Slot& s = slots_[static_cast<std::size_t>(slot)];
  if (!s.searching) return 1;
  return s.evaluation ? 0 : std::min(1.0, (planned(s.restart) + s.step) / planned(s.restarts));
}

double LatentSearch::planned(int restarts) const {
  if (restarts == 0) return 0;
  return search_steps(scoring_, from_encoder(0)) + 1 + (restarts - 1.0) * (search_steps(scoring_, false) + 1);
}

void LatentSearch::run(const std::function<void()>& on_step) {
  std::vector<int> all(static_cast<std::size_t>(batch_));
  std::iota(all.begin(), all.end(), 0);
  begin(all);
  while (active_ > 0) {
    if (on_step) on_step();
    step();
  }
}

SearchScores LatentSearch::scores(int slot) const {
  return {at(best_residual_, slot), at(best_feature_, slot), at(best_latent_critic_, slot), at(best_loss_, slot),
          at(query_critic_.value(), slot)};
}

std::vector<float> LatentSearch::row(const Tensor& t, int slot) const {
  const std::int64_t floats = t.numel() / batch_;
  return exec_.read<float>(t, slot * floats, floats);
}

std::vector<float> LatentSearch::best_latent(int slot) const { return row(best_z_, slot); }
std::vector<float> LatentSearch::query(int slot) const { return row(queries_.value(), slot); }
std::vector<float> LatentSearch::reconstruction(int slot) const { return row(best_image_, slot); }

}  // namespace pgad
