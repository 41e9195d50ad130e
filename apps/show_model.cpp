#include "apps/show_model.h"

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <span>
#include <vector>

#include "apps/output_folder.h"
#include "apps/terminal_picture.h"
#include "autograd/ops.h"
#include "engine/rng.h"
#include "images/npy.h"
#include "images/pictures.h"
#include "images/preprocess.h"
#include "inspection/calibration.h"
#include "inspection/image_queue.h"
#include "inspection/session.h"
#include "kernels/random/random.h"
#include "model/tuning_file.h"

namespace pgad {
namespace {

// [count, latent size], from --latents or drawn by --seed.
std::vector<float> latents_for(const GenerateOptions& o, const NetworkConfig& network) {
  if (!o.latents.empty()) {
    NpyArray latents = read_npy(o.latents);
    if (latents.shape.size() != 2 || latents.shape[1] != network.latent() || latents.shape[0] < 1)
      throw Error(str(o.latents, ": expected an array of shape [count, ", network.latent(), "]"));
    return std::move(latents.values);
  }
  const bool uniform = network.latent_distribution == LatentDistribution::kUniform;
  Rng rng(o.seed, 0);
  std::vector<float> z(static_cast<std::size_t>(o.count * network.latent()));
  for (float& value : z) value = static_cast<float>(draw_latent(rng, uniform));
  return z;
}

// G's images of these latents, [count, side, side, channels].
std::vector<float> draw_images(Session& s, std::span<const float> z) {
  constexpr std::int64_t kBatch = 16;
  const HistoryScope off(false);
  Exec& exec = *s.exec;
  const Stage stage = s.model.stage(exec);
  const std::int64_t d = s.model.config.network.latent(), count = static_cast<std::int64_t>(z.size()) / d;
  std::vector<float> images;
  for (std::int64_t first = 0; first < count; first += kBatch) {
    const std::int64_t n = std::min(kBatch, count - first);
    const auto part = z.subspan(static_cast<std::size_t>(first * d), static_cast<std::size_t>(n * d));
    const Var image = s.model.g->forward(Var(exec, exec.from<float>(part, {n, d})), stage);
    const std::vector<float> values = exec.read<float>(image.value());
    images.insert(images.end(), values.begin(), values.end());
  }
  return images;
}

std::vector<float> nchw_from_nhwc(const std::vector<float>& nhwc, std::int64_t n, std::int64_t pixels, std::int64_t c) {
  std::vector<float> nchw(nhwc.size());
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t p = 0; p < pixels; ++p)
      for (std::int64_t k = 0; k < c; ++k)
        nchw[static_cast<std::size_t>((i * c + k) * pixels + p)] =
            nhwc[static_cast<std::size_t>((i * pixels + p) * c + k)];
  return nchw;
}

void print_networks(const Model& m) {
  const auto count = [](const std::vector<Parameter>& parameters) {
    std::int64_t n = 0;
    for (const Parameter& p : parameters) n += p.var.shape().numel();
    return n;
  };
  const NetworkConfig& network = m.config.network;
  std::cout << "preset            " << m.config.preset << "\n"
            << "networks          " << network.resolution << "x" << network.resolution << "x" << network.channels
            << ", running at " << m.side() << "x" << m.side() << ", latent size " << network.latent() << "\n"
            << "parameters        G " << count(m.g->parameters()) << ", D " << count(m.d->parameters()) << "\n"
            << "trained on        " << m.images << " images"
            << (m.split.empty()
                    ? ""
                    : str(" drawn from ", m.split.train.size(), ", ", m.split.calibration.size(), " held out"))
            << ", gamma " << m.config.objective.gamma << "\n"
            << "preprocessing     " << preprocessing_to_string(m.preprocessing) << "\n"
            << "minibatch stddev  " << m.stddev << "\n"
            << "encoder           "
            << (m.encoder ? "yes: the search starts at its z" : "none: the search starts at random") << "\n";
  if (!m.patch_critics.empty()) {
    const PatchCritic& critic = *m.patch_critics[0];
    std::cout << "patch critics     " << m.patch_critics.size() << " of " << count(critic.parameters())
              << " parameters, cells of " << critic.cell() << "x" << critic.cell() << " pixels\n";
  }
  if (m.preprocessing.tiles)
    std::cout << "tiles             an image's terms are the mean of its " << m.top_tiles << " largest tiles'\n";
}

// The first images that `generate` draws.
std::vector<float> first_images(Session& s, int count) {
  GenerateOptions first;
  first.count = count;
  return draw_images(s, latents_for(first, s.model.config.network));
}

std::vector<Image> first_pictures(Session& s) {
  constexpr int kCount = 8;
  const std::vector<float> images = first_images(s, kCount);
  const auto size = images.size() / kCount;
  std::vector<Image> pictures;
  for (std::size_t i = 0; i < images.size(); i += size)
    pictures.push_back(
        picture(std::span(images).subspan(i, size), s.model.side(), s.model.side(), s.model.config.network.channels));
  return pictures;
}

// Of the second of two searches, which finds everything prepared, for an image of its own; in tiled models a tile.
double milliseconds_of(Session& s) {
  const int side = s.model.preprocessing.resolution, small = s.model.side(), channels = s.model.config.network.channels;
  const std::vector<float> query = resize(first_images(s, 1), small, small, channels, side, side);
  ImageQueue queue(*s.exec, s.model, s.config.scoring, 1, /*pictures=*/false);
  double milliseconds = 0;
  for (const std::int64_t round : {0, 1}) {
    const auto begin = std::chrono::steady_clock::now();
    queue.add(round, side, side, query);
    while (!queue.empty()) queue.step([](std::int64_t, const ImageResult&) {});
    milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  }
  return std::round(10 * milliseconds) / 10;
}

void print_calibration(const Calibration& c, double rate, const std::vector<std::string>& notes) {
  std::cout << "calibration       " << c.normals() << " held-out normals, " << c.abnormals() << " abnormals"
            << (c.drawn > 0 ? str(" (", c.drawn, " of them drawn)") : "") << ", weights "
            << (c.fitted ? "fitted" : "equal") << "\n";
  for (const std::string& note : notes) std::cout << "note              " << note << "\n";
  std::cout << "\n"
            << "score              mean       spread     weight     threshold at a false-reject rate of " << rate
            << " (95 % interval)\n";
  for (int i = 0; i < kScoreCount; ++i) {
    if (!c.has(static_cast<ScoreIndex>(i))) continue;
    const Threshold t = threshold_of(c, static_cast<ScoreIndex>(i), rate);
    char line[160];
    if (i < kTermCount)
      std::snprintf(line, sizeof line, "%-17s  %-9.4g  %-9.4g  %-9.4g  %.4g (%.4g to %.4g)\n", kScoreNames[i],
                    c.mean[i], c.spread[i], c.weight[i], t.value, t.low, t.high);
    else
      std::snprintf(line, sizeof line, "%-17s  %-9s  %-9s  %-9s  %.4g (%.4g to %.4g)\n", kScoreNames[i], "", "", "",
                    t.value, t.low, t.high);
    std::cout << line;
  }
  if (const auto t = region_threshold_of(c, rate))
    std::cout << str("regions            of images whose map rises above ", t->value, " (", t->low, " to ", t->high,
                     ") standard deviations\n");
  else
    std::cout << "regions            not calibrated by this older file; pgad_infer calibrate does it\n";
}

}  // namespace

int generate_images(const GenerateOptions& o) {
  Session s(o.model, o.given);
  const NetworkConfig& network = s.model.config.network;
  const std::vector<float> z = latents_for(o, network);
  Progress progress;
  const FolderLock lock = lock_output(o.out, progress);
  const auto file = [&](const char* name) { return (std::filesystem::path(o.out) / name).string(); };
  const std::vector<float> images = draw_images(s, z);
  const std::int64_t count = static_cast<std::int64_t>(z.size()) / network.latent(), side = s.model.side(),
                     c = network.channels;
  const std::int64_t shape[] = {count, c, side, side};
  write_npy(file("samples.npy"), shape, nchw_from_nhwc(images, count, side * side, c));
  const int columns = static_cast<int>(std::ceil(std::sqrt(static_cast<double>(count))));
  write_png(file("samples.png"),
            picture_grid(images, {count, side, side, c}, columns, std::max(1, 64 / static_cast<int>(side))));
  progress.say(
      str(count, " images of ", side, "x", side, "x", c, " in ", file("samples.png"), " and ", file("samples.npy")));
  return 0;
}

int print_model(const std::string& file, const GivenOptions& given, bool speed, bool pictures) {
  Session s(file, given);
  const Model& m = s.model;
  std::cout << "model             " << file << ", " << std::filesystem::file_size(file) / 1024 << " KiB\n";
  print_networks(m);
  std::cout << "instruction set   " << isa_name(s.exec->isa()) << " (this machine has " << isa_name(machine_isa())
            << "; PGAD_ISA lowers it)\n";
  if (speed)
    std::cout << "speed             " << milliseconds_of(s) << " ms for a picture of " << m.side() << "x" << m.side()
              << " alone, on " << s.exec->description() << "\n";
  if (m.ignore)
    std::cout << str("ignored           ", 100 * m.ignore->share(), " % of images of ", m.ignore->width, "x",
                     m.ignore->height, "\n");
  if (m.calibration)
    print_calibration(*m.calibration, s.config.scoring.false_reject_rate, s.notes(false));
  else
    std::cout << "calibration       none (training was interrupted)\n";
  if (pictures || ::isatty(STDOUT_FILENO) != 0) {
    std::cout << "\nimages that it draws\n"
              << terminal_picture(first_pictures(s), terminal_width(), terminal_has_colors());
  }
  if (!s.run.tuning.empty()) std::cout << "\nkernels\n" << tuning_table(s.run.tuning);
  std::cout << "\nconfiguration\n" << config_to_json(m.config).dump(2) << "\n";
  return 0;
}

}  // namespace pgad
