#include "training/trainer.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>

#include "autograd/ops.h"
#include "engine/log.h"
#include "engine/rng.h"
#include "images/atomic_file.h"
#include "images/defects.h"
#include "images/pictures.h"
#include "images/surface.h"
#include "kernels/random/random.h"
#include "model/config_io.h"
#include "training/sliced_wasserstein.h"
#include "training/training_time.h"

namespace pgad {
namespace {

// Random streams of a run; the counter within each says which image or step.
enum Stream : std::uint64_t {
  kNormalOrder = 1,
  kAbnormalOrder,
  kNormalMirror,
  kAbnormalMirror,
  kDiscriminatorLatents,
  kGeneratorLatents,
  kMix,
  kPick,
  kSampleLatents,
  kDistanceOrder,
  kNormalCrop,
  kAbnormalCrop,
  kDistanceCrop,
  kDrawnOrder,
  kForeignOrder,
  kForeignCrop,
  kDrawnDefect,
};
constexpr std::uint64_t stream_of(Stream kind, std::int64_t counter) {
  return (static_cast<std::uint64_t>(kind) << 56) + static_cast<std::uint64_t>(counter);
}

constexpr std::int64_t kLogImages = 500;                         // a line of log.jsonl every so many
constexpr std::int64_t kDistanceImages = 128;                    // whose patches are compared, of either kind
constexpr std::int64_t kDistanceValues = std::int64_t{8} << 20;  // at most so many floats of them, or 8 images
constexpr std::int64_t kDistancePatches = 8192;
constexpr int kSampleGrid = 8;  // samples are kSampleGrid x kSampleGrid images

void draw_latents(Exec& exec, LatentDistribution distribution, std::uint64_t seed, std::uint64_t stream,
                  const Tensor& out) {
  run(kDrawLatents, exec,
      DrawLatentsArgs<float>{seed, stream, out.numel(), distribution == LatentDistribution::kUniform,
                             out.data<float>()});
}

// Root mean square, over images and their values, of the deviation from the images' mean.
double deviation_of_images(const std::vector<float>& images, std::int64_t floats) {
  const auto each = static_cast<std::size_t>(floats), count = images.size() / each;
  double sum = 0;
  for (std::size_t i = 0; i < each; ++i) {
    double mean = 0, square = 0;
    for (std::size_t n = 0; n < count; ++n) mean += images[n * each + i];
    mean /= static_cast<double>(count);
    for (std::size_t n = 0; n < count; ++n) square += (images[n * each + i] - mean) * (images[n * each + i] - mean);
    sum += square;
  }
  return std::sqrt(sum / static_cast<double>(images.size()));
}

std::int64_t thousands(double kimg) { return static_cast<std::int64_t>(std::llround(kimg * 1000)); }

// Something that is done every so many images, and at the end.
class Every {
 public:
  Every(std::int64_t every, std::int64_t images) : every_(every), next_(after(images)) {}  // 0: never
  bool due(std::int64_t images, bool last) {
    if (every_ == 0 || (images < next_ && !last)) return false;
    next_ = after(images);
    return true;
  }

 private:
  std::int64_t after(std::int64_t images) const { return every_ > 0 ? (images / every_ + 1) * every_ : 0; }

  std::int64_t every_, next_;
};

double peak_megabytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

}  // namespace

Config portable(const Config& config) {
  Config c = config;
  const std::uint64_t seed = c.run.seed;
  c.run = RunConfig{};
  c.run.seed = seed;
  c.data.path.clear();
  return c;
}

Trainer::Trainer(Exec& exec, const Config& config, const Dataset& data, TrainingImagesOptions options)
    : exec_(exec),
      config_(config),
      preprocessing_(data.preprocessing(config.network.resolution, config.network.channels, config.data)),
      networks_(exec, config.network, {config.optimizer.beta1, config.optimizer.beta2, config.optimizer.epsilon},
                config.run.seed),
      stored_config_(config_to_json(portable(config)).dump()),
      split_(data.split) {
  options.threads = exec.threads();
  normal_ = std::make_unique<TrainingImages>(data.train_normal, data.source, preprocessing_, options);
  // gamma = 1 is a plain GAN: AnoGAN's.
  const bool use_abnormal = config.objective.gamma < 1 || config.patch_critic.train;
  abnormal_ = std::make_unique<TrainingImages>(use_abnormal ? data.train_abnormal : std::vector<Sample>{}, data.source,
                                               preprocessing_, options);
}

bool Trainer::resume() {
  const auto checkpoints = list_checkpoints(config_.run.out);
  for (auto it = checkpoints.rbegin(); it != checkpoints.rend(); ++it) {
    try {
      state_ = load_checkpoint(it->second, networks_);
      saved_images_ = state_.images;
      return true;
    } catch (const DeviceError&) {  // no fault of the file
      throw;
    } catch (const Error& e) {
      log_warning(str("passing over a damaged checkpoint: ", e.what()));
    }
  }
  state_ = {};
  return false;
}

ShuffledPasses& Trainer::order_of(std::uint64_t stream) {
  return orders_.try_emplace(stream, config_.run.seed, stream_of(static_cast<Stream>(stream), 0)).first->second;
}

void Trainer::fetch(TrainingImages& images, std::uint64_t order, std::uint64_t crops, std::int64_t first,
                    std::span<float> out) {
  const int side = 1 << step_->shape().level;
  const std::int64_t count = step_->shape().batch;
  std::vector<long> indices;
  for (std::int64_t i = 0; i < count; ++i) indices.push_back(order_of(order).at(images.size(), first + i));
  fetch_images(images, config_.data, indices, config_.run.seed, stream_of(static_cast<Stream>(crops), first), side,
               out.data());
  indices.clear();
  for (std::int64_t i = 0; i < count; ++i) indices.push_back(order_of(order).at(images.size(), first + count + i));
  images.prefetch(indices);
}

void Trainer::mirror(std::span<float> images, std::uint64_t stream, std::int64_t first) const {
  if (!config_.data.mirror || preprocessing_.tiles) return;  // crops were mirrored when they were cut
  const std::size_t side = std::size_t{1} << step_->shape().level;
  const auto channels = static_cast<std::size_t>(config_.network.channels);
  const std::size_t floats = side * side * channels;
  for (std::size_t n = 0; n < images.size() / floats; ++n) {
    Rng rng(config_.run.seed, stream_of(static_cast<Stream>(stream), first + static_cast<std::int64_t>(n)));
    if (rng.uniform() < 0.5) continue;
    for (std::size_t y = 0; y < side; ++y) {
      float* row = images.data() + n * floats + y * side * channels;
      for (std::size_t x = 0; x < side / 2; ++x)
        std::swap_ranges(row + x * channels, row + (x + 1) * channels, row + (side - 1 - x) * channels);
    }
  }
}

std::int64_t Trainer::total_images() const { return thousands(config_.schedule.total_kimg); }

Phase Trainer::phase_after(std::int64_t images) const {
  return phase_at(config_.schedule, config_.network.log2_resolution(), images);
}

TrainStepShape Trainer::shape_of(const Phase& phase) const {
  return {phase.level, phase.fading(), phase.batch, with_abnormal()};
}

bool Trainer::with_abnormal() const {
  return config_.objective.gamma < 1 && (abnormal_->size() > 0 || draws_defects());
}

// Known ones; with synthetic defects these in half of the places, in all where none is known.
void Trainer::fetch_abnormal(std::int64_t first, std::span<float> out) {
  if (!draws_defects()) return fetch(*abnormal_, kAbnormalOrder, kAbnormalCrop, first, out);
  const int full = config_.network.resolution, channels = config_.network.channels, side = 1 << step_->shape().level;
  const std::uint64_t seed = config_.run.seed;
  const std::int64_t count = step_->shape().batch;
  const Augmentation augmentation{config_.data.mirror, config_.data.turns, config_.data.jitter};
  const auto crop = [&](TrainingImages& images, Stream order, Stream stream, std::int64_t place) {
    const long index = order_of(order).at(images.size(), place);
    Rng rng(seed, stream_of(stream, place));
    return std::move(images.crops(std::span(&index, 1), std::span(&rng, 1), augmentation)[0]);
  };
  const std::size_t floats = out.size() / static_cast<std::size_t>(count);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t place = first + i;
    Rng rng(seed, stream_of(kDrawnDefect, place));
    Crop image;
    Brightness brightness;
    if (abnormal_->size() > 0 && place % 2 == 0) {
      image = crop(*abnormal_, kAbnormalOrder, kAbnormalCrop, place / 2);
      brightness = image.brightness;
    } else {
      image = crop(*normal_, kDrawnOrder, kAbnormalCrop, place);
      brightness = image.brightness;
      Crop other = crop(*normal_, kForeignOrder, kForeignCrop, place + normal_->size() / 2);
      SurfaceCrop drawn = surface_of(std::move(image), channels);
      draw_synthetic_defect(surface_of(std::move(other), channels), rng, drawn);
      from_units_of(brightness, drawn.pixels);
      image.pixels = std::move(drawn.pixels);
    }
    if (preprocessing_.normalise) normalise(brightness, image.pixels);
    shrink_square(image.pixels, full, side, channels, out.data() + static_cast<std::size_t>(i) * floats);
  }
}

// What a step leaves of the moving averages' old values.
double Trainer::average_kept(const Phase& phase) const {
  return std::pow(0.5, phase.batch / (config_.optimizer.ema_half_life_kimg * 1000));
}

void Trainer::fill_inputs(const Phase& phase, std::int64_t images, std::int64_t step) {
  const std::uint64_t seed = config_.run.seed;
  const auto distribution = config_.network.latent_distribution;
  fetch(*normal_, kNormalOrder, kNormalCrop, images, step_->real());
  mirror(step_->real(), kNormalMirror, images);
  if (step_->shape().with_abnormal) {
    fetch_abnormal(images, step_->abnormal());
    mirror(step_->abnormal(), kAbnormalMirror, images);
  }
  draw_latents(exec_, distribution, seed, stream_of(kDiscriminatorLatents, step), step_->d_latents());
  draw_latents(exec_, distribution, seed, stream_of(kGeneratorLatents, step), step_->g_latents());
  Rng mix(seed, stream_of(kMix, step)), pick(seed, stream_of(kPick, step));
  for (float& v : step_->mix()) v = static_cast<float>(mix.uniform());
  for (float& v : step_->pick()) v = pick.uniform() < config_.objective.gamma ? 1.f : 0.f;
  step_->set_alpha(phase.alpha);
  step_->set_ema_weight(1 - average_kept(phase));
  step_->send_inputs();
  filled_for_ = images;
}

void Trainer::open_log() {
  const std::string path = (std::filesystem::path(config_.run.out) / "log.jsonl").string();
  // Lines behind the checkpoint belong to steps that will be taken again.
  std::string kept;
  if (state_.log_bytes > 0 && std::filesystem::exists(path)) kept = read_file(path);
  if (static_cast<std::int64_t>(kept.size()) > state_.log_bytes)
    kept.resize(static_cast<std::size_t>(state_.log_bytes));
  state_.log_bytes = static_cast<std::int64_t>(kept.size());
  write_file_atomically(path, kept);
}

std::string Trainer::log(const Phase& phase, const TrainStepResult& r, double images_per_second,
                         const Comparison& comparison) {
  const auto number = [](double v) {
    return std::isfinite(v) ? nlohmann::ordered_json(v) : nlohmann::ordered_json(nullptr);
  };
  nlohmann::ordered_json line = {{"kimg", static_cast<double>(state_.images) / 1000},
                                 {"step", state_.steps},
                                 {"resolution", 1 << phase.level},
                                 {"alpha", phase.alpha},
                                 {"batch", phase.batch},
                                 {"lr", phase.lr},
                                 {"d_loss", number(r.d_loss)},
                                 {"g_loss", number(r.g_loss)},
                                 {"penalty", number(r.penalty)},
                                 {"d_real", number(r.d_real)},
                                 {"d_fake", number(r.d_fake)},
                                 {"d_abnormal", number(r.d_abnormal)},
                                 {"d_grad_norm", number(r.d_grad_norm)},
                                 {"g_grad_norm", number(r.g_grad_norm)},
                                 {"input_gradient_norm", number(r.gradient_norm)},
                                 {"minibatch_stddev", number(state_.stddev)},
                                 {"skipped", state_.skipped},
                                 {"images_per_second", images_per_second},
                                 {"tensor_mb", static_cast<double>(exec_.memory().reserved_bytes) / 1e6},
                                 {"peak_rss_mb", peak_megabytes()}};
  if (!comparison.distances.empty()) {
    line["swd"] = comparison.distances;
    line["diversity"] = number(comparison.diversity);
  }
  const std::string text = line.dump() + "\n";
  ensure_directory(config_.run.out);  // it may have been removed
  std::ofstream file((std::filesystem::path(config_.run.out) / "log.jsonl").string(), std::ios::app | std::ios::binary);
  file << text << std::flush;
  if (!file) throw Error(str(config_.run.out, "/log.jsonl: cannot write: ", std::strerror(errno)));
  state_.log_bytes += static_cast<std::int64_t>(text.size());
  return text;
}

Image Trainer::save_samples(const Phase& phase) {
  const std::int64_t count = kSampleGrid * kSampleGrid;
  const Tensor z = exec_.empty({count, config_.network.latent()});
  draw_latents(exec_, config_.network.latent_distribution, config_.run.seed, stream_of(kSampleLatents, 0), z);
  const HistoryScope off(false);
  const Tensor images = networks_.g_ema->forward(Var(exec_, z), make_stage(exec_, phase.level, phase.alpha)).value();
  char name[64];
  std::snprintf(name, sizeof name, "images-%012lld.png", static_cast<long long>(state_.images));
  ensure_directory((std::filesystem::path(config_.run.out) / "samples").string());
  Image sheet =
      picture_grid(exec_.read<float>(images), images.shape(), kSampleGrid, config_.network.resolution >> phase.level);
  write_png((std::filesystem::path(config_.run.out) / "samples" / name).string(), sheet);
  return sheet;
}

// At the phase's size; always the same latents and images.
Trainer::Comparison Trainer::compare_with_real(const Phase& phase) {
  const int side = 1 << phase.level, channels = config_.network.channels;
  const std::int64_t floats = std::int64_t{side} * side * channels,
                     count = std::clamp<std::int64_t>(kDistanceValues / floats, 8, kDistanceImages);
  constexpr std::int64_t kBatch = 8;  // divides count
  SlicedWassersteinConfig config;
  if (side < config.patch) return {};
  config.patches_per_image = static_cast<int>(kDistancePatches / count);
  config.seed = config_.run.seed;
  const HistoryScope off(false);
  const Stage stage = make_stage(exec_, phase.level, phase.alpha);
  std::vector<float> real, drawn, batch(static_cast<std::size_t>(kBatch * floats));
  const auto append = [&](std::vector<float>& to, const Var& images) {
    const std::vector<float> values = exec_.read<float>(images.value());
    to.insert(to.end(), values.begin(), values.end());
  };
  for (std::int64_t first = 0; first + kBatch <= count; first += kBatch) {
    std::vector<long> indices;
    for (std::int64_t i = first; i < first + kBatch; ++i)
      indices.push_back(order_of(kDistanceOrder).at(normal_->size(), i));
    fetch_images(*normal_, config_.data, indices, config_.run.seed, stream_of(kDistanceCrop, first), side,
                 batch.data());
    append(real, fade_real(Var(exec_, exec_.from<float>(batch, {kBatch, side, side, channels})), stage));
    const Tensor z = exec_.empty({kBatch, config_.network.latent()});
    draw_latents(exec_, config_.network.latent_distribution, config_.run.seed,
                 stream_of(kSampleLatents, 1 + first / kBatch), z);
    append(drawn, networks_.g_ema->forward(Var(exec_, z), stage));
  }
  const double deviation = deviation_of_images(real, floats);
  return {
      sliced_wasserstein(exec_, real, drawn, static_cast<std::int64_t>(real.size()) / floats, side, channels, config),
      deviation > 0 ? deviation_of_images(drawn, floats) / deviation : 1};
}

void Trainer::save_checkpoint() {
  ensure_directory((std::filesystem::path(config_.run.out) / "checkpoints").string());
  pgad::save_checkpoint(checkpoint_path(config_.run.out, state_.images), networks_, state_, stored_config_, split_);
  saved_images_ = state_.images;
  auto all = list_checkpoints(config_.run.out);
  while (static_cast<int>(all.size()) > std::max(1, config_.run.keep_checkpoints)) {
    std::filesystem::remove(all.begin()->second);
    all.erase(all.begin());
  }
}

StopReason Trainer::run(const std::atomic<bool>& stop,
                        const std::function<void(const TrainingProgress&)>& on_progress) {
  try {
    const StopReason reason = run_steps(stop, on_progress);
    if (state_.steps > 0 && state_.images != saved_images_) save_checkpoint();
    return reason;
  } catch (const std::exception&) {
    // An image that has gone, a log that cannot be written: the steps until then are not lost.
    if (!in_step_ && state_.steps > 0 && state_.images != saved_images_) {
      try {
        save_checkpoint();
      } catch (const std::exception&) {  // the first error is the one to tell
      }
    }
    throw;
  }
}

// Brings optimizers and step to the phase's size, batch and stage.
void Trainer::enter(const Phase& phase) {
  if (state_.level != 0 && (state_.level != phase.level || state_.fading != phase.fading())) {
    networks_.g_adam.reset();
    networks_.d_adam.reset();
  }
  state_.level = phase.level;
  state_.fading = phase.fading();
  const TrainStepShape shape = shape_of(phase);
  if (step_ && step_->shape() == shape) return;
  step_.reset();
  exec_.trim();
  step_.emplace(exec_, networks_, config_.network, config_.objective, shape);
  filled_for_ = -1;
}

TrainStepResult Trainer::take_step(const Phase& phase) {
  if (filled_for_ != state_.images) {
    try {
      fill_inputs(phase, state_.images, state_.steps);
    } catch (const DataError& e) {  // saved by run()
      throw DataError(str(e.what(), state_.steps > 0 ? "; the run is saved: --resume goes on without this image" : ""));
    }
  }
  in_step_ = true;
  networks_.d_adam.prepare(phase.lr);
  networks_.g_adam.prepare(phase.lr);
  step_->start();
  // While a GPU is at it: what the next step needs.
  const std::int64_t then = state_.images + phase.batch;
  if (then < total_images()) {
    const Phase next = phase_after(then);
    try {
      if (shape_of(next) == step_->shape()) fill_inputs(next, then, state_.steps + 1);
    } catch (const DataError&) {  // an image has become unreadable: the next step's error, if there is one
      filled_for_ = -1;
    }
  }
  return step_->finish();
}

// What the step leaves behind. Throws Error where too many in a row changed nothing.
void Trainer::account_for(const Phase& phase, const TrainStepResult& result) {
  if (!result.d_skipped) networks_.d_adam.advance();
  if (!result.g_skipped) networks_.g_adam.advance();
  const bool skipped = result.d_skipped || result.g_skipped;
  state_.skipped += skipped;
  state_.skipped_in_row = skipped ? state_.skipped_in_row + 1 : 0;
  if (std::isfinite(result.stddev)) {
    const double keep = average_kept(phase);
    state_.stddev = state_.has_stddev ? keep * state_.stddev + (1 - keep) * result.stddev : result.stddev;
    state_.has_stddev = true;
  }
  state_.images_before_last_step = state_.images;
  state_.images += phase.batch;
  state_.steps += 1;
  if (state_.skipped_in_row >= config_.optimizer.max_skipped_steps)
    throw Error(str("training diverged: ", state_.skipped_in_row,
                    " steps in a row had gradients that are not finite, at ", static_cast<double>(state_.images) / 1000,
                    " kimg, resolution ", 1 << phase.level,
                    "; lower --lr or raise --r1-weight. The last checkpoint is intact"));
  in_step_ = false;
}

StopReason Trainer::run_steps(const std::atomic<bool>& stop,
                              const std::function<void(const TrainingProgress&)>& on_progress) {
  using Clock = std::chrono::steady_clock;
  const auto seconds_since = [](Clock::time_point t) {
    return std::chrono::duration<double>(Clock::now() - t).count();
  };
  ensure_directory((std::filesystem::path(config_.run.out) / "checkpoints").string());
  ensure_directory((std::filesystem::path(config_.run.out) / "samples").string());
  open_log();

  const TrainingKinds work = training_kinds(config_, estimate_training(config_, exec_.device()), state_.images);
  TrainingTime time(work.kinds);
  Every line(kLogImages, state_.images), samples(thousands(config_.run.sample_kimg), state_.images),
      checkpoints(thousands(config_.run.checkpoint_kimg), state_.images);
  const double budget = config_.run.time_budget_minutes * 60;  // seconds; 0: none
  const auto session = Clock::now();
  const double seconds_before = state_.seconds;
  // At this size: that of the one before says nothing of it, nor does the first step, which is recorded.
  double recent_speed = 0;
  int level = 0, steps_at_level = 0;

  while (state_.images < total_images()) {
    if (stop) return StopReason::kInterrupted;
    if (budget > 0 && state_.seconds >= budget) return StopReason::kTimeBudget;
    const auto step_begin = Clock::now();
    const Phase phase = phase_after(state_.images);
    enter(phase);
    const TrainStepResult result = take_step(phase);
    account_for(phase, result);
    state_.seconds = seconds_before + seconds_since(session);

    const double speed = phase.batch / std::max(1e-9, seconds_since(step_begin));
    steps_at_level = phase.level == level ? steps_at_level + 1 : 1;
    level = phase.level;
    recent_speed = steps_at_level <= 2 ? speed : 0.95 * recent_speed + 0.05 * speed;
    const bool last = state_.images >= total_images(), sampled = samples.due(state_.images, last),
               logged = line.due(state_.images, last || sampled);
    std::string log_line;
    std::optional<Image> sheet;
    if (logged) log_line = log(phase, result, recent_speed, sampled ? compare_with_real(phase) : Comparison());
    if (sampled) sheet = save_samples(phase);
    if (checkpoints.due(state_.images, /*last=*/false)) save_checkpoint();  // the last one is run()'s

    const auto kind = std::ranges::find(work.levels, phase.level) - work.levels.begin();
    time.step(static_cast<std::size_t>(kind), seconds_since(step_begin));
    if (on_progress) {
      std::optional<double> left = time.seconds_left();
      if (left && budget > 0) *left = std::clamp(budget - state_.seconds, 0.0, *left);
      on_progress({phase, state_.images, total_images(), recent_speed, left, log_line, sheet ? &*sheet : nullptr});
    }
  }
  return StopReason::kFinished;
}

Model Trainer::model() const {
  // The phase of the last step taken: what lies behind it has not been trained yet.
  const Phase phase = phase_after(state_.images_before_last_step);
  Model m;
  m.config = portable(config_);
  m.preprocessing = preprocessing_;
  m.level = phase.level;
  m.alpha = phase.alpha;
  m.stddev = state_.stddev;
  m.images = state_.images;
  m.split = split_;
  m.g = networks_.g_ema;
  m.d = networks_.d;
  return m;
}

}  // namespace pgad
