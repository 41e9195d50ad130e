// Trains a model on a folder of images or IDX files.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <iomanip>
#include <nlohmann/json.hpp>
#include <set>

#include "apps/calibrate.h"
#include "apps/options.h"
#include "apps/output_folder.h"
#include "apps/profile.h"
#include "apps/program.h"
#include "apps/progress.h"
#include "engine/rng.h"
#include "images/atomic_file.h"
#include "images/folder_lock.h"
#include "images/listing.h"
#include "images/survey.h"
#include "inspection/calibration.h"
#include "kernels/random/random.h"
#include "model/config_io.h"
#include "model/make_exec.h"
#include "model/tuning_file.h"
#include "report/event_file.h"
#include "report/generator_figures.h"
#include "report/training_report.h"
#include "training/encoder_trainer.h"
#include "training/estimate.h"
#include "training/patch_critic_trainer.h"
#include "training/trainer.h"

namespace pgad {
namespace {

struct Interrupted {};

// Fields whose change does not contradict what a run has done so far.
bool may_change_on_resume(const Field& field) {
  if (field.group == Group::kRun) return field.name != "seed";
  return field.group == Group::kEncoder || field.group == Group::kPatchCritic || field.name == "total-kimg" ||
         field.name == "data";
}

// Fields that the networks of a finished model, and what they see, do not depend on.
bool may_change_beside_networks(const Field& field) {
  static const std::set<std::string_view> kOfTheData = {
      "data", "calibration-fraction", "calibration-images", "mirror", "turns", "jitter", "synthetic-abnormal"};
  return field.group == Group::kRun || field.group == Group::kPatchCritic || field.group == Group::kScoring ||
         (field.group == Group::kData && kOfTheData.contains(field.name));
}

// The newest checkpoint whose configuration can be read; the trainer looks at the rest. Empty if there is none.
std::string newest_intact(const std::map<std::int64_t, std::string>& checkpoints) {
  for (auto it = checkpoints.rbegin(); it != checkpoints.rend(); ++it) {
    try {
      checkpoint_origin(it->second);
      return it->second;
    } catch (const Error&) {
      continue;  // Trainer::resume warns of it
    }
  }
  return "";
}

// A stored configuration with those options of today that may change. Throws UsageError for an option that differs and
// may not; `whose` tells whose it is, and `why` why it may not.
Config changed_config(const Config& stored, GivenOptions given, const std::string& config_file,
                      bool (*may_change)(const Field&), const std::string& whose, const std::string& why) {
  Config wanted;
  if (!config_file.empty()) {
    wanted = resolve_config(given, config_file);
  } else {
    std::erase_if(given, [&](const auto& g) { return g.first->name == "preset" && g.second == stored.preset; });
    wanted = resolve_config(stored, given);
  }
  if (wanted.network.channels == 0) wanted.network.channels = stored.network.channels;  // as they were chosen then
  if (wanted.data.tiles == Tiles::kAuto) wanted.data.tiles = stored.data.tiles;
  for (const Field& field : all_fields())
    if (!may_change(field) && field.get(wanted) != field.get(stored))
      throw UsageError(str("--", field.name, " is ", field.get(wanted).dump(), ", but ", whose, " with ",
                           field.get(stored).dump(), ": it cannot change with ", why));
  return wanted;
}

Config resumed_config(const RunOrigin& origin, const std::string& checkpoint, const GivenOptions& given,
                      const std::string& config_file, const std::string& out) {
  Config stored = stored_config_from_json(nlohmann::json::parse(origin.config), checkpoint);
  if (stored.data.tiles == Tiles::kAuto) stored.data.tiles = Tiles::kOff;  // of a version without
  // Of the run's options checkpoints hold the seed alone: the others are the preset's, unless they are given again.
  const std::uint64_t seed = stored.run.seed;
  stored.run = preset(stored.preset).run;
  stored.run.seed = seed;
  return changed_config(stored, given, config_file, may_change_on_resume, str("the run in ", out, " was started"),
                        "--resume");
}

// Checkpoints do not hold where the images lie; the run's config.json does.
std::string last_data_path(const std::string& out) {
  const std::string path = (std::filesystem::path(out) / "config.json").string();
  try {
    return config_from_json(nlohmann::json::parse(read_file(path)), path).data.path;
  } catch (const std::exception&) {
    return "";
  }
}

// Without looking at data `auto` is grey.
Config with_channels(Config config) {
  if (config.network.channels == 0) config.network.channels = 1;
  return config;
}

// Names the images that cannot be read, and throws Error if they are too many beside the good ones.
void report_unreadable(const std::vector<BadImage>& train, const std::vector<BadImage>& held_out, std::size_t good,
                       double allowed, Progress& progress) {
  const std::size_t count = train.size() + held_out.size(), all = count + good;
  if (count == 0) return;
  for (const BadImage& bad : train) progress.warn(str("left out: ", bad.name, ": ", bad.reason));
  for (const BadImage& bad : held_out)
    progress.warn(str("left out (held out for calibration): ", bad.name, ": ", bad.reason));
  const std::string summary = str(count, " of ", all, " training images cannot be read, ", held_out.size(),
                                  " of them held out for calibration");
  if (static_cast<double>(count) > allowed * static_cast<double>(all))
    throw Error(str(summary, ": more than --max-unreadable ", allowed,
                    " allows. Repair or remove the images named above, or raise it"));
  progress.say("note: " + summary + "; they are left out");
}

// Where the time of a training step at the full size goes, on random images. Trains nothing, reads and writes nothing.
int profile(const Config& config) {
  constexpr int kRounds = 20;
  Exec exec = make_exec(config.run);
  load_tuning(exec, config.run.tuning);
  Networks networks(exec, config.network, {config.optimizer.beta1, config.optimizer.beta2, config.optimizer.epsilon},
                    config.run.seed);
  const int level = config.network.log2_resolution(),
            batch = value_at(config.schedule.batch, config.network.resolution);
  const bool with_abnormal = config.objective.gamma < 1;
  TrainStep step(exec, networks, config.network, config.objective, {level, false, batch, with_abnormal});
  std::vector<std::span<float>> images = {step.real()};
  if (with_abnormal) images.push_back(step.abnormal());
  std::uint64_t stream = 0;
  for (const std::span<float> values : images) {
    Rng rng(config.run.seed, stream++);
    for (float& v : values) v = static_cast<float>(2 * rng.uniform() - 1);
  }
  for (const Tensor& z : {step.d_latents(), step.g_latents()})
    run(kDrawLatents, exec, DrawLatentsArgs<float>{config.run.seed, stream++, z.numel(), true, z.data<float>()});
  networks.d_adam.prepare(1e-3);
  networks.g_adam.prepare(1e-3);
  step.run();
  save_tuning(exec, config.run.tuning);
  std::cout << profile_table(step.graph(), exec, kRounds);
  return 0;
}

// What training would need, for each resolution. Reads and writes nothing.
int dry_run(const Config& config) {
  // No device is used, so a GPU's needs can be asked about where there is none.
  const bool gpu = config.run.device.starts_with("cuda");
  const Device device = gpu ? Device{DeviceType::kCuda} : parse_device(config.run.device);
  std::cout << estimate_table(estimate_training(config, device));
  if (config.patch_critic.train && config.data.tiles != Tiles::kOff) {
    const PatchCriticEstimate e = estimate_patch_critics(config, device);
    std::cout << "patch critics, with tiles: " << config.patch_critic.members << " of " << e.step.parameters
              << " parameters, " << e.steps << " steps of " << e.step.batch << " crops in all, " << e.step.flops / 1e9
              << " GFLOP each, " << e.step.bytes / 1e6 << " MB of tensors\n";
  }
  std::cout << (device.type == DeviceType::kCuda ? "CUDA itself takes some 500 MB more on the GPU.\n"
                                                 : "The program itself takes some 30 MB more.\n");
  return 0;
}

// Takes over the encoder and the patch critics that an earlier call trained for this very model before it was
// interrupted.
void take_finished(Exec& exec, const std::string& path, Model& model) {
  try {
    Model earlier = load_model(exec, path);
    if (earlier.images != model.images || earlier.stddev != model.stddev ||
        config_to_json(earlier.config) != config_to_json(model.config))
      return;
    if (model.config.encoder.train) model.encoder = std::move(earlier.encoder);
    if (model.config.patch_critic.train) model.patch_critics = std::move(earlier.patch_critics);
  } catch (const DeviceError&) {
    throw;
  } catch (const Error&) {  // no such file, or another program's
  }
}

std::string file_in(const Config& config, const char* name) {
  return (std::filesystem::path(config.run.out) / name).string();
}

// With --tensorboard; what an earlier call wrote of steps after `images` is void, for they will be taken again.
std::optional<EventFile> begin_events(const Config& config, std::int64_t images) {
  std::optional<EventFile> events;
  if (config.run.tensorboard) events.emplace(file_in(config, "tensorboard"), images + 1);
  return events;
}

// The numbers of a line of log.jsonl, by their keys; `swd` by the side of the images too.
void add_log_line(EventFile& events, std::int64_t images, std::string_view line) {
  const nlohmann::json log = nlohmann::json::parse(line);
  for (const auto& [key, value] : log.items())
    if (value.is_number()) events.add_scalar(key, images, value);
  int side = log.at("resolution");
  for (const nlohmann::json& distance : log.value("swd", nlohmann::json::array())) {
    if (distance.is_number()) events.add_scalar(str("swd/", side), images, distance);  // else it is not finite
    side /= 2;
  }
}

// The scores of the held-out images, by kind of image. Of `combined` the normals' are those that its threshold follows
// from.
void add_scores(EventFile& events, std::int64_t images, const Calibration& c) {
  const std::int64_t step = images + 1;  // of what a call that goes on voids, for it calibrates anew
  const std::span<const double> abnormal = c.abnormal_terms,
                                known = abnormal.first((c.abnormals() - c.drawn) * kTermCount);
  const auto add = [&](const char* kind, std::span<const double> terms, std::span<const double> combined) {
    for (int t = 0; t < kTermCount; ++t) {
      std::vector<double> values;  // NaN, and nothing is written, where the model does not have the score
      for (std::size_t i = 0; i < terms.size(); i += kTermCount) values.push_back(terms[i + t]);
      events.add_histogram(str(kScoreNames[t], "/", kind), step, values);
    }
    events.add_histogram(str(kScoreNames[kCombined], "/", kind), step, combined);
  };
  const auto combined = [&](std::span<const double> terms) {
    std::vector<double> values;
    for (std::size_t i = 0; i < terms.size(); i += kTermCount) values.push_back(combined_score(c, &terms[i]));
    return values;
  };
  const std::span<const double> drawn = abnormal.subspan(known.size());
  add("normal", c.normal_terms, c.normal_combined);
  add("known_abnormal", known, combined(known));
  add("drawn_abnormal", drawn, combined(drawn));
}

// With --report: OUT/report.html, written anew every 20 seconds while the training goes on, and at its end. Where it
// cannot be written that is said once, and the training goes on.
class RunReport {
 public:
  RunReport(const Config& config, const Exec& exec, Progress& progress) : config_(config), progress_(progress) {
    if (!config.run.report) return;
    report_.out = config.run.out;
    report_.subtitle = str("pgad ", PGAD_VERSION, ", ", exec.description());
    report_.options = config_to_json(config);
    report_.false_reject_rate = config.scoring.false_reject_rate;
    progress.on_update = [this](const std::string& text) {
      const auto now = std::chrono::steady_clock::now();
      if (written_ && now - *written_ < std::chrono::seconds(20)) return;
      report_.state = text;
      write();
    };
  }
  ~RunReport() { progress_.on_update = nullptr; }
  RunReport(const RunReport&) = delete;
  RunReport& operator=(const RunReport&) = delete;

  // calibration: null where it was not come to.
  void end(const std::string& state, const Calibration* calibration) {
    if (!config_.run.report) return;
    report_.state = state;
    report_.running = false;
    report_.calibration = calibration;
    if (calibration) report_.warnings = calibration->notes;
    if (std::filesystem::exists(file_in(config_, "log.jsonl")))
      for (const std::string& warning :
           generator_warnings(read_generator_figures(file_in(config_, "log.jsonl")), config_.network.resolution))
        report_.warnings.push_back(warning);
    write();
    progress_.say("report in " + file_in(config_, "report.html"));
  }

 private:
  void write() {
    try {
      write_training_report(report_);
    } catch (const Error& e) {
      if (!failed_) progress_.warn(e.what());
      failed_ = true;
    }
    written_ = std::chrono::steady_clock::now();  // when it was done: it must not take all the time
  }

  const Config& config_;
  Progress& progress_;
  TrainingReport report_;
  std::optional<std::chrono::steady_clock::time_point> written_;
  bool failed_ = false;
};

constexpr const char* kInterrupted = "interrupted; --resume goes on";

// What a run begins with: a configuration, and the checkpoint that it resumes, if any.
struct RunStart {
  Config config;
  RunOrigin origin;  // of that checkpoint
  bool resume = false;

  // Checkpoints of older versions do not say which images trained.
  bool knows_images() const { return !origin.split.empty(); }
};

// `config`: of the command line. The caller holds the lock of config.run.out.
RunStart find_start(const Config& config, const GivenOptions& given, const std::string& config_file) {
  const std::string& out = config.run.out;
  const auto checkpoints = list_checkpoints(out);
  const std::string intact = config.run.resume ? newest_intact(checkpoints) : "";
  RunStart start{config, {}, !intact.empty()};
  if (start.resume) {
    start.origin = checkpoint_origin(intact);
    start.config = resumed_config(start.origin, intact, given, config_file, out);
  }
  if (config.run.resume && !checkpoints.empty() && !start.resume)
    throw Error(str("none of the ", checkpoints.size(), " checkpoints in ", out, "/checkpoints can be read"));
  if (!config.run.resume && !checkpoints.empty())
    throw UsageError(str("--out ", out, " already holds a run (", checkpoints.rbegin()->second,
                         "): --resume goes on with it, another directory starts a new one"));
  if (checkpoints.empty() && std::filesystem::exists(file_in(config, "model.safetensors")))
    throw UsageError(str("--out ", out, " holds a model, and no checkpoint to go on from: choose another directory",
                         config.run.resume ? ", or give --from as before if that trained it" : ""));
  std::string& data = start.config.data.path;
  if (data.empty() && start.resume) data = last_data_path(out);
  if (data.empty()) throw UsageError("--data: expected the directory with the images");
  return start;
}

// The data set; a survey of its images decides --channels auto in start.config.
Dataset open_data(RunStart& start, Progress& progress) {
  Config& config = start.config;
  Dataset data = Dataset::open(config.data, Purpose::kTrain, start.knows_images() ? &start.origin.split : nullptr);
  const Survey survey = survey_images(data);
  data.source.options.expected_bits = survey.bits;
  data.notes.insert(data.notes.end(), survey.notes.begin(), survey.notes.end());
  for (const std::string& note : data.notes) progress.say("note: " + note);
  if (config.network.channels == 0) {
    config.network.channels = survey.colored > 0 ? 3 : 1;
    if (survey.looked_at > 0)
      progress.say(str("--channels auto: ", config.network.channels == 3 ? "3 (RGB)" : "1 (grey)"));
  } else if (config.network.channels == 1 && survey.colored > 0) {
    progress.say("note: the training images have colour, which the model does not see with --channels 1");
  }
  if (config.data.tiles == Tiles::kAuto) {
    config.data.tiles = choose_tiles(data, survey, config.data, config.network.resolution);
    if (config.data.tiles == Tiles::kOn)
      progress.say(str("--tiles auto: on, as the images' smaller side is ", survey.side,
                       " pixels in the median, the "
                       "networks' ",
                       config.network.resolution, " (--tiles off: whole images, shrunk)"));
  }
  if (start.resume && !start.knows_images())
    progress.say(
        "note: the run's checkpoints, of an older version, do not say which images it trained on: it goes on "
        "rightly only if none was added or removed since");
  return data;
}

// Takes the images that cannot be read out of those held out for calibration, and returns them. Throws unless a normal
// image is left.
std::vector<BadImage> check_held_out(Dataset& data, const RunStart& start, int threads) {
  std::vector<BadImage> bad = remove_unreadable(data.calibration_normal, data.source, threads);
  for (BadImage& image : remove_unreadable(data.calibration_abnormal, data.source, threads))
    bad.push_back(std::move(image));
  if (!data.calibration_normal.empty()) return bad;
  const DataConfig& config = start.config.data;
  if (start.knows_images() || !bad.empty())
    throw Error(str("none of the normal images held out for calibration can be read",
                    bad.empty() ? str(": none is in '", config.path, "' any more")
                                : str("; the first, ", bad[0].name, ": ", bad[0].reason)));
  throw UsageError(str("no normal image is held out for calibration: --calibration-fraction is ",
                       config.calibration_fraction, " of ", data.train_normal.size(),
                       " normal images; expected a share above 0 of at least two images"));
}

// Says so where the schedule ends before the networks have grown to their full size.
void note_short_schedule(const Config& config, Progress& progress) {
  const int full = config.network.log2_resolution();
  const Phase last = phase_at(config.schedule, full, std::llround(config.schedule.total_kimg * 1000) - 1);
  if (last.lod > 0)
    progress.say(str("note: after --total-kimg ", config.schedule.total_kimg, " the networks will have grown to ",
                     1 << last.level, "x", 1 << last.level, " only, not to ", config.network.resolution, "x",
                     config.network.resolution));
}

// What trains, and what is left out. Throws Error if too much cannot be read.
void report_images(const TrainingImages& normal, const TrainingImages& abnormal, const Dataset& data,
                   const std::vector<BadImage>& bad_held_out, const Config& config, const Exec& exec,
                   Progress& progress) {
  std::vector<BadImage> bad = normal.bad();
  bad.insert(bad.end(), abnormal.bad().begin(), abnormal.bad().end());
  const std::size_t good = static_cast<std::size_t>(normal.size() + abnormal.size()) + data.calibration_normal.size() +
                           data.calibration_abnormal.size();
  report_unreadable(bad, bad_held_out, good, config.run.max_unreadable, progress);
  progress.say(str(layout_name(data.layout), " data: ", normal.size(), " normal and ", abnormal.size(),
                   " known abnormal images train, ", data.calibration_normal.size(), " and ",
                   data.calibration_abnormal.size(), " are held out for calibration; on ", exec.description()));
  const bool drawn = config.data.synthetic_abnormal && config.data.tiles == Tiles::kOn;
  if (config.data.synthetic_abnormal && !drawn)
    progress.say("note: --synthetic-abnormal has no effect on whole images (--tiles on works on tiles)");
  if (config.objective.gamma < 1 && abnormal.size() == 0)
    progress.say(drawn ? "note: no known abnormal images: synthetic defects take their place"
                       : "note: no known abnormal images: gamma has no effect on training, as if it were 1");
}

void resume_training(Trainer& trainer, const Config& config, Progress& progress) {
  if (trainer.resume()) progress.say(str("resuming at ", static_cast<double>(trainer.state().images) / 1000, " kimg"));
  const double total = config.schedule.total_kimg;
  if (static_cast<double>(trainer.state().images) >= total * 1000)
    progress.say(str("note: that is not before --total-kimg ", total, ": no training is left to do"));
}

StopReason run_training(Trainer& trainer, const Config& config, Exec& exec, std::optional<EventFile>& events,
                        Progress& progress) {
  const char* const then = config.encoder.train ? ", then encoder and calibration" : ", then calibration";
  StopReason reason{};
  try {
    reason = trainer.run(stop_requested, [&](const TrainingProgress& p) {
      std::ostringstream line;
      const int side = 1 << p.phase.level;
      line << std::fixed << std::setprecision(2) << side << "x" << side << "  alpha " << p.phase.alpha << "  "
           << static_cast<double>(p.images) / 1000 << " of " << static_cast<double>(p.total_images) / 1000 << " kimg  "
           << std::setprecision(0) << p.images_per_second << " images/s" << time_left_text(p.seconds_left) << then;
      progress.update(line.str());
      if (events && !p.log_line.empty()) add_log_line(*events, p.images, p.log_line);
      if (events && p.samples != nullptr) events->add_image("samples", p.images, *p.samples);
    });
  } catch (const OutOfMemory& e) {
    throw Error(str(e.what(), "; what training needs (--dry-run prints this):\n",
                    estimate_table(estimate_training(config, exec.device()))));
  }
  save_tuning(exec, config.run.tuning);
  if (trainer.state().skipped > 0)
    progress.say(str("note: ", trainer.state().skipped, " steps were skipped for gradients that are not finite"));
  if (trainer.state().steps == 0) throw Error("stopped before the first step; nothing to save");
  return reason;
}

// Saves the model as the training left it, with the encoder that an interrupted call may have trained for it.
Model save_trained(const Trainer& trainer, StopReason reason, const Config& config, Exec& exec, const std::string& path,
                   Progress& progress) {
  Model model = trainer.model();
  if (reason != StopReason::kInterrupted) take_finished(exec, path, model);
  save_model(path, model);
  if (reason == StopReason::kInterrupted) {
    progress.warn(str("interrupted: ", path, " is saved as it stands, not calibrated; --resume goes on"));
    return model;
  }
  if (reason == StopReason::kTimeBudget)
    progress.say(str("time budget used up at ", static_cast<double>(trainer.state().images) / 1000, " kimg"));
  if (model.side() < config.network.resolution || model.alpha < 1)
    progress.say(str("note: growing had not ended; the model works at ", model.side(), "x", model.side()));
  return model;
}

// Throws Interrupted on a signal.
void add_encoder(Model& model, TrainingImages& images, const Config& config, Exec& exec, const std::string& path,
                 Progress& progress) {
  train_encoder(exec, model, images, config.run.seed, [&](const NetworkProgress& e) {
    if (stop_requested) throw Interrupted();
    progress.update(str(
        "encoder: ", static_cast<double>(e.images) / 1000, " of ", static_cast<double>(e.total_images) / 1000,
        " kimg, loss ", e.loss, ", ", std::llround(e.images_per_second), " images/s",
        time_left_text(static_cast<double>(e.total_images - e.images) / e.images_per_second), ", then calibration"));
  });
  save_model(path, model);
  progress.say("encoder trained");
}

void add_patch_critics(Model& model, TrainingImages& normal, TrainingImages& abnormal, Exec& exec,
                       const std::string& path, Progress& progress) {
  if (abnormal.size() == 0) progress.say("note: no known defects: the patch critics learn from synthetic ones alone");
  train_patch_critics(exec, model, normal, abnormal, [&](const NetworkProgress& c) {
    if (stop_requested) throw Interrupted();
    progress.update(str(
        "patch critics: ", static_cast<double>(c.images) / 1000, " of ", static_cast<double>(c.total_images) / 1000,
        " kimg, loss ", c.loss, ", ", std::llround(c.images_per_second), " crops/s",
        time_left_text(static_cast<double>(c.total_images - c.images) / c.images_per_second), ", then calibration"));
  });
  save_model(path, model);
  progress.say(str("patch critics trained: ", model.patch_critics.size()));
}

// Encoder, patch critic and calibration; the model is saved after each. False: interrupted.
bool complete_model(Model& model, TrainingImages& normal, TrainingImages& abnormal, const Dataset& data,
                    const Config& config, Exec& exec, const std::string& path, Progress& progress) {
  try {
    if (model.encoder)
      progress.say("encoder: taken from " + (config.run.from.empty() ? path : config.run.from));
    else if (config.encoder.train)
      add_encoder(model, normal, config, exec, path, progress);
    if (!model.patch_critics.empty())
      progress.say("patch critics: taken from " + path);
    else if (config.patch_critic.train && model.preprocessing.tiles)
      add_patch_critics(model, normal, abnormal, exec, path, progress);
    else if (config.patch_critic.train)
      progress.say("note: --patch-critic has no effect on whole images (--tiles on works on tiles)");
    const std::optional<Cascade> cascade = calibrate(exec, model, data, [&](const CalibrationProgress& p) {
      if (stop_requested) throw Interrupted();
      const std::string pass = p.maps ? "calibrating maps: "
                               : config.patch_critic.cascade_loss > 0 && !model.patch_critics.empty()
                                   ? str("calibrating with ", 100 * p.search_share, " % of the tiles searched: ")
                                   : "calibrating: ";
      progress.update(str(pass, static_cast<long>(p.done), " of ", p.all, " images", time_left_text(p.seconds_left)));
    });
    if (cascade)
      progress.say(str("cascade: ", 100 * cascade->share, " % of normal surface's tiles are searched; of ",
                       cascade->detections, " held-out abnormal images that searching all tiles detects, ",
                       cascade->lost, " are lost"));
  } catch (const Interrupted&) {
    const bool untrained = config.encoder.train && !model.encoder;
    progress.warn(str("interrupted: ", path, " is saved, not calibrated; --resume ",
                      untrained ? "trains its encoder and calibrates it" : "calibrates it"));
    return false;
  } catch (const Error& e) {
    throw Error(
        str(e.what(), "; the training is finished and saved in ", path, ", not calibrated: --resume does the rest"));
  }
  save_model(path, model);
  return true;
}

// A plot of how the generator came nearer to real images, and what speaks against it.
void report_generator(const Config& config, Progress& progress) {
  const std::vector<GeneratorFigures> figures = read_generator_figures(file_in(config, "log.jsonl"));
  if (figures.size() >= 2) plot_distances(file_in(config, "distances.png"), figures);
  for (const std::string& warning : generator_warnings(figures, config.network.resolution))
    progress.warn("WARNING: " + warning);
}

// With --from: the networks of a finished model, patch critics and calibration anew. For defects that became known
// after the long training.
int train_critics(const Config& wanted, const GivenOptions& given, const std::string& config_file, Progress& progress) {
  const std::string &from = wanted.run.from, path = file_in(wanted, "model.safetensors");
  if (!list_checkpoints(wanted.run.out).empty() || (std::filesystem::exists(path) && !wanted.run.resume))
    throw UsageError(str("--out ", wanted.run.out, " already holds a run: choose another directory",
                         list_checkpoints(wanted.run.out).empty() ? ", or --resume to go on with it" : ""));
  Exec exec = make_exec(wanted.run);
  load_tuning(exec, wanted.run.tuning);
  Model model = load_model(exec, from);
  RunStart start{
      changed_config(model.config, given, config_file, may_change_beside_networks, str(from, " was trained"), "--from"),
      {}};
  const Config& config = start.config;
  if (!config.patch_critic.train || !model.preprocessing.tiles)
    throw UsageError(str("--from ", from, ": it works on ", model.preprocessing.tiles ? "tiles" : "whole images",
                         " and --patch-critic is ", config.patch_critic.train ? "on" : "off",
                         "; expected a model of tiles and --patch-critic, as there is nothing else to train"));
  if (config.data.path.empty()) throw UsageError("--data: expected the directory with the images");
  Dataset data = open_data(start, progress);
  const Preprocessing p = data.preprocessing(config.network.resolution, config.network.channels, config.data);
  if (p != model.preprocessing)
    throw Error(str("the images of '", config.data.path, "' would be seen as ", preprocessing_to_string(p),
                    ", those of ", from, " were ", preprocessing_to_string(model.preprocessing)));
  // What the networks were trained on says nothing of new images.
  const auto known = [&](const Sample& sample) { return model.split.trained(sample.name); };
  const std::size_t trained =
      std::erase_if(data.calibration_normal, known) + std::erase_if(data.calibration_abnormal, known);
  if (trained > 0)
    progress.say(
        str("note: ", trained, " images are not used: they would be held out for calibration, but trained ", from));
  const std::vector<BadImage> bad_held_out = check_held_out(data, start, exec.threads());
  TrainingImagesOptions options;
  options.threads = exec.threads();
  TrainingImages normal(data.train_normal, data.source, p, options),
      abnormal(data.train_abnormal, data.source, p, options);
  report_images(normal, abnormal, data, bad_held_out, config, exec, progress);
  write_file_atomically(file_in(config, "config.json"), config_to_json(config).dump(2) + "\n");
  model.config = portable(config);
  // Both trainings' images are no test of it.
  std::vector<std::uint64_t> all;
  std::ranges::set_union(model.split.train, data.split.train, std::back_inserter(all));
  model.split = data.split;
  model.split.train = std::move(all);
  model.patch_critics.clear();
  model.calibration.reset();
  if (wanted.run.resume) take_finished(exec, path, model);
  std::optional<EventFile> events = begin_events(config, model.images);
  RunReport report(config, exec, progress);
  stop_on_signals();
  if (!complete_model(model, normal, abnormal, data, config, exec, path, progress)) {
    report.end(kInterrupted, nullptr);
    return 0;
  }
  report.end("finished", &*model.calibration);
  if (events) add_scores(*events, model.images, *model.calibration);
  report_calibration(*model.calibration, config.scoring.false_reject_rate, path, progress);
  return 0;
}

int train(const GivenOptions& given, const std::string& config_file) {
  const Config wanted = resolve_config(given, config_file);
  if (wanted.run.out.empty()) throw UsageError("--out: expected the directory to write to");
  Progress progress;
  const FolderLock lock = lock_output(wanted.run.out, progress);
  if (!wanted.run.from.empty()) return train_critics(wanted, given, config_file, progress);
  RunStart start = find_start(wanted, given, config_file);
  const Config& config = start.config;

  Exec exec = make_exec(config.run);
  load_tuning(exec, config.run.tuning);
  Dataset data = open_data(start, progress);
  const std::vector<BadImage> bad_held_out = check_held_out(data, start, exec.threads());
  note_short_schedule(config, progress);
  for (const char* folder : {"", "checkpoints", "samples"}) remove_stale_temporaries(file_in(config, folder));
  Trainer trainer(exec, config, data);
  report_images(trainer.normal_images(), trainer.abnormal_images(), data, bad_held_out, config, exec, progress);
  write_file_atomically(file_in(config, "config.json"), config_to_json(config).dump(2) + "\n");
  if (start.resume) resume_training(trainer, config, progress);

  std::optional<EventFile> events = begin_events(config, trainer.state().images);
  RunReport report(config, exec, progress);

  stop_on_signals();
  const StopReason reason = run_training(trainer, config, exec, events, progress);
  const std::string path = file_in(config, "model.safetensors");
  Model model = save_trained(trainer, reason, config, exec, path, progress);
  if (reason == StopReason::kInterrupted) {
    report.end(kInterrupted, nullptr);
    return 0;
  }
  report_generator(config, progress);
  if (!complete_model(model, trainer.normal_images(), trainer.abnormal_images(), data, config, exec, path, progress)) {
    report.end(kInterrupted, nullptr);
    return 0;
  }
  report.end("finished", &*model.calibration);
  if (events) add_scores(*events, model.images, *model.calibration);
  report_calibration(*model.calibration, config.scoring.false_reject_rate, path, progress);
  return 0;
}

}  // namespace
}  // namespace pgad

int main(int argc, char** argv) {
  CLI::App app("Trains a progressively grown GAN that finds anomalies in images like those it is shown.", "pgad_train");
  pgad::GivenOptions given;
  std::string config_file;
  using pgad::Group;
  pgad::add_options(
      app, given,
      pgad::select_fields({Group::kData, Group::kNetwork, Group::kObjective, Group::kSchedule, Group::kOptimizer,
                           Group::kEncoder, Group::kPatchCritic, Group::kScoring, Group::kRun}),
      pgad::preset("tiny"));
  app.add_option("--config", config_file, "JSON file with options as keys; the command line wins");
  bool profile = false;
  app.add_flag("--profile", profile, "only print where the time of a training step at the full size goes");
  bool dry_run = false;
  app.add_flag("--dry-run", dry_run, "only print what training needs at each size: parameters, operations, memory");
  return pgad::run_program(app, argc, argv, [&] {
    const auto config = [&] { return pgad::with_channels(pgad::resolve_config(given, config_file)); };
    if (dry_run) return pgad::dry_run(config());
    return profile ? pgad::profile(config()) : pgad::train(given, config_file);
  });
}
