#include "apps/training/encoder_trainer.h"

#include <chrono>
#include <cmath>
#include <optional>

#include "autograd/ops.h"
#include "engine/mirror.h"
#include "engine/rng.h"
#include "engine/step_graph.h"
#include "layers/adam.h"

namespace pgad {
namespace {

constexpr std::uint64_t kStream = 0x656e636f64657231;  // of the images' order
constexpr int kReportEvery = 20;                       // steps

}  // namespace

void train_encoder(Exec& exec, Model& model, TrainingImages& images, std::uint64_t seed,
                   const std::function<void(const EncoderProgress&)>& on_progress) {
  using Clock = std::chrono::steady_clock;
  const EncoderConfig& config = model.config.encoder;
  const NetworkConfig& network = model.config.network;
  const std::int64_t total = std::llround(config.kimg * 1000), batch = std::min<std::int64_t>(16, total);
  const std::int64_t side = std::int64_t{1} << model.level;
  auto encoder = std::make_unique<Encoder>(exec, network, model.level, seed);
  Adam adam(exec, {0.9, 0.999, 1e-8}, encoder->parameters());

  Mirror input(exec, {batch, side, side, network.channels});
  const Var statistic = constant(exec, model.statistic);
  const Var old_weight = model.old_weight > 0 ? constant(exec, model.old_weight) : Var();
  Tensor loss_value;
  const auto step = [&] {
    Var x(exec, input.tensor());
    if (old_weight.defined()) x = fade(x, upsample2x(sum_pool2x(x, 0.25)), old_weight);
    const Var features = model.d->forward(x, model.level, old_weight, statistic).features.detach();
    const Var drawn = model.g->forward(encoder->forward(x), model.level, old_weight);
    const Var drawn_features = model.d->forward(drawn, model.level, old_weight, statistic).features;
    const Var loss = encoder_loss(x, drawn, features, drawn_features, config.feature_weight);
    std::vector<Var> leaves;
    for (const Parameter& p : encoder->parameters()) leaves.push_back(p.var);
    adam.apply(encoder->parameters(), grad(loss, leaves), loss.value());
    loss_value = loss.value();
  };

  std::vector<long> order, wanted(static_cast<std::size_t>(batch));
  std::optional<StepGraph> graph;
  const auto begin = Clock::now();
  double recent = 0;
  for (std::int64_t done = 0, number = 0; done < total; done += batch, ++number) {
    for (std::int64_t i = 0; i < batch; ++i) {
      const std::int64_t at = (done + i) % images.size();
      if (at == 0 || order.empty()) {  // each pass has its own order
        order.resize(static_cast<std::size_t>(images.size()));
        for (std::size_t k = 0; k < order.size(); ++k) order[k] = static_cast<long>(k);
        Rng rng(seed, kStream + static_cast<std::uint64_t>((done + i) / images.size()));
        for (std::size_t k = order.size(); k > 1; --k)
          std::swap(order[k - 1], order[rng.below(static_cast<std::uint32_t>(k))]);
      }
      wanted[static_cast<std::size_t>(i)] = order[static_cast<std::size_t>(at)];
    }
    images.fetch(wanted, static_cast<int>(side), input.host().data());
    input.upload();
    // Falling to 0: the encoder is not averaged.
    const double progress = static_cast<double>(done) / static_cast<double>(total);
    adam.prepare(config.lr * (1 - progress));
    if (graph)
      graph->replay();
    else
      graph.emplace(exec, step);
    adam.advance();
    const double loss = exec.read<float>(loss_value)[0];
    if (!std::isfinite(loss)) throw Error(str("the encoder diverged after ", done, " images; lower --encoder-lr"));
    recent = number == 0 ? loss : 0.98 * recent + 0.02 * loss;
    if (on_progress && number % kReportEvery == 0) {
      const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
      on_progress({done + batch, total, recent, static_cast<double>(done + batch) / std::max(1e-9, seconds)});
    }
  }
  model.encoder = std::move(encoder);
}

}  // namespace pgad
