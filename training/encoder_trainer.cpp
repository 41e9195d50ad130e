#include "training/encoder_trainer.h"

#include <chrono>
#include <cmath>

#include "autograd/ops.h"
#include "training/skipped_steps.h"
#include "training/training_crops.h"

namespace pgad {
namespace {

constexpr std::uint64_t kStream = 0x656e636f64657231;  // of the images' order
constexpr std::uint64_t kCrops = 0x656e63726f700000;   // of crops of them
constexpr int kReportEvery = 20;                       // steps

}  // namespace

EncoderStep::EncoderStep(Exec& exec, const Model& model, const Encoder& encoder, std::int64_t batch)
    : exec_(exec),
      model_(model),
      encoder_(encoder),
      adam_(exec, {0.9, 0.999, 1e-8}, encoder.flat()),
      images_(exec, {batch, model.side(), model.side(), model.config.network.channels}),
      stddev_(constant(exec, model.stddev)),
      stage_(model.stage(exec)) {}

void EncoderStep::step() {
  const Model& m = model_;
  const Var x = fade_real(Var(exec_, images_.tensor()), stage_);
  const Var z = encoder_.forward(x);
  Var dz;
  Tensor value;  // of the loss
  {
    const PreparedScope scope(exec_, frozen_);
    const auto features_of = [&](const Var& image) { return m.d->forward(image, stage_, stddev_).features; };
    Var features;
    {
      const HistoryScope off(false);
      features = features_of(x);
    }
    const Var leaf(exec_, z.value(), /*requires_grad=*/true);
    const Var drawn = m.g->forward(leaf, stage_);
    const Var loss = encoder_loss(x, drawn, features, features_of(drawn), m.config.encoder.feature_weight);
    dz = grad(loss, std::span(&leaf, 1))[0];
    value = loss.value();
  }
  Gradients gradients(exec_, encoder_.parameters());
  gradients.add(std::span(&z, 1), std::span(&dz, 1));
  adam_.update(value, gradients.flat());
}

AdamStep::Result EncoderStep::run(double lr) {
  images_.upload();
  return adam_.run(lr, [this] { step(); });
}

void train_encoder(Exec& exec, Model& model, TrainingImages& images, std::uint64_t seed,
                   const std::function<void(const NetworkProgress&)>& on_progress) {
  using Clock = std::chrono::steady_clock;
  const EncoderConfig& config = model.config.encoder;
  const std::int64_t total = std::llround(model.config.encoder_kimg() * 1000),
                     batch = std::min<std::int64_t>(16, total);
  auto encoder = make_encoder(exec, model.config.network, model.level, seed);
  EncoderStep step(exec, model, *encoder, batch);

  ShuffledPasses order(seed, kStream);
  std::vector<long> wanted(static_cast<std::size_t>(batch));
  const auto begin = Clock::now();
  double recent = 0;  // loss
  SkippedSteps steps("the encoder", "--encoder-lr", model.config.optimizer.max_skipped_steps);
  for (std::int64_t done = 0, number = 0; done < total; done += batch, ++number) {
    for (std::int64_t i = 0; i < batch; ++i) wanted[static_cast<std::size_t>(i)] = order.at(images.size(), done + i);
    fetch_images(images, model.config.data, wanted, seed, kCrops + static_cast<std::uint64_t>(done), model.side(),
                 step.images().data());
    // Falling to 0: the encoder is not averaged.
    const double progress = static_cast<double>(done) / static_cast<double>(total);
    const AdamStep::Result r = step.run(config.lr * (1 - progress));
    steps.add(r.skipped, done + batch, done + batch >= total);
    if (!r.skipped) recent = steps.taken() == 1 ? r.loss : 0.98 * recent + 0.02 * r.loss;
    if (on_progress && number % kReportEvery == 0) {
      const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
      on_progress({done + batch, total, recent, static_cast<double>(done + batch) / std::max(1e-9, seconds)});
    }
  }
  model.encoder = std::move(encoder);
}

}  // namespace pgad
