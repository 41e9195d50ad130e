#include "apps/calibrate.h"

#include <algorithm>

#include "apps/signals.h"
#include "engine/hash.h"
#include "images/atomic_file.h"
#include "images/listing.h"
#include "images/loader.h"
#include "inspection/session.h"
#include "model/tuning_file.h"

namespace pgad {
namespace {

// What an image may be called in a data set that it is part of: "c.png", "b/c.png", "a/b/c.png" of "a/b/c.png".
std::vector<std::string> endings_of(const std::string& path) {
  std::vector<std::string> endings;
  for (std::size_t at = path.size(); at != std::string::npos && at > 0;) {
    at = path.rfind('/', at - 1);
    endings.push_back(at == std::string::npos ? path : path.substr(at + 1));
  }
  return endings;
}

// "train/good/001.png" says which image it is, "001.png" does not.
bool says_which(const std::string& name) { return name.find('/') != std::string::npos; }

std::vector<Sample> list_images_of(const std::vector<std::string>& inputs, const char* option, bool anomalous,
                                   const ImageSource& source, Progress& progress) {
  for (const std::string& path : inputs)
    for (const char* part : {"train", "test"})
      if (is_directory(join_path(path, std::string(part) + "/good")))
        throw UsageError(str(option, " ", path,
                             ": expected images of one kind, but it is a data set; give a folder of it, such as ",
                             join_path(path, anomalous ? "train/abnormal" : std::string(part) + "/good")));
  LeftOut left_out;
  std::vector<Sample> samples = list_inputs(inputs, &source, &left_out);
  for (Sample& s : samples) s.anomalous = anomalous;
  for (const std::string& note : left_out.notes()) progress.say("note: " + note);
  return samples;
}

// The names by which `evaluate` leaves these images out of its test.
std::vector<std::uint64_t> digests_of(const Dataset& data) {
  std::vector<std::uint64_t> digests;
  for (const auto* list : {&data.calibration_normal, &data.calibration_abnormal})
    for (const Sample& s : *list)
      for (const std::string& name : endings_of(s.path))
        if (says_which(name)) digests.push_back(fnv1a(name));
  std::ranges::sort(digests);
  digests.erase(std::ranges::unique(digests).begin(), digests.end());
  return digests;
}

void warn_of_training_images(const Model& model, const Dataset& data, Progress& progress) {
  std::size_t count = 0;
  for (const auto* list : {&data.calibration_normal, &data.calibration_abnormal})
    for (const Sample& s : *list)
      count += std::ranges::any_of(
          endings_of(s.path), [&](const std::string& name) { return says_which(name) && model.split.trained(name); });
  if (count > 0)
    progress.warn(str("WARNING: ", count,
                      " images have names of images that trained the model: if they are the same, they say "
                      "nothing of new ones, and the threshold will reject more than was asked for"));
}

// Says which images cannot be read, and takes them out. Throws Error if none is left.
void leave_out_unreadable(std::vector<Sample>& samples, const char* option, const Dataset& data, int threads,
                          Progress& progress) {
  constexpr std::size_t kNamed = 20;
  const std::vector<BadImage> bad = remove_unreadable(samples, data.source, threads);
  if (samples.empty())
    throw Error(str("none of the ", bad.size(), " images of ", option, " can be read; the first, ", bad[0].name, ": ",
                    bad[0].reason));
  for (std::size_t i = 0; i < std::min(bad.size(), kNamed); ++i)
    progress.warn(str("not used: ", bad[i].name, ": ", bad[i].reason));
  if (bad.size() > kNamed) progress.warn(str("not used: ", bad.size() - kNamed, " others that cannot be read"));
}

}  // namespace

void report_calibration(const Calibration& calibration, double rate, const std::string& path, Progress& progress) {
  const Threshold t = threshold_of(calibration, kCombined, rate);
  if (const std::string text = separation(calibration); !text.empty())
    progress.say("AUROC on held-out images (of combined: those of its fit): " + text);
  for (const std::string& note : calibration.notes) progress.warn("WARNING: " + note);
  if (const std::string note = threshold_note(t, rate); !note.empty()) progress.warn("WARNING: " + note);
  progress.say(str("saved ", path, "; threshold of combined at a false-reject rate of ", rate, ": ", t.value,
                   " (95 % interval ", t.low, " to ", t.high, ", ", t.count, " held-out normals)"));
}

int calibrate_model(const CalibrateOptions& o) {
  if (path_exists(o.out)) throw UsageError(str("--out ", o.out, " exists: choose another name"));
  Session s(o.model, o.given);
  Progress progress;
  Model& model = s.model;
  Dataset data;
  if (o.ignore_mask == "none")
    model.ignore.reset();
  else if (!o.ignore_mask.empty())
    model.ignore = std::make_shared<const IgnoreMask>(read_ignore_mask(o.ignore_mask));
  if (model.ignore)
    progress.say(str("ignored: ", 100 * model.ignore->share(), " % of images of ", model.ignore->width, "x",
                     model.ignore->height));
  s.set_up(data.source);
  data.calibration_normal = list_images_of(o.data, "--data", false, data.source, progress);
  if (!o.abnormal.empty())
    data.calibration_abnormal = list_images_of(o.abnormal, "--abnormal", true, data.source, progress);
  for (const Sample& sample : data.calibration_abnormal)
    if (std::ranges::any_of(data.calibration_normal,
                            [&](const Sample& x) { return x.path == sample.path && x.index == sample.index; }))
      throw UsageError(str("'", sample.path, "' is given as normal and as abnormal"));
  leave_out_unreadable(data.calibration_normal, "--data", data, s.exec->threads(), progress);
  if (!o.abnormal.empty())
    leave_out_unreadable(data.calibration_abnormal, "--abnormal", data, s.exec->threads(), progress);
  warn_of_training_images(model, data, progress);
  const bool keeps = o.abnormal.empty() && model.calibration.has_value();
  if (keeps) progress.say("the scores keep the model's weights; with --abnormal they are fitted anew");
  progress.say(str(data.calibration_normal.size(), " normal and ", data.calibration_abnormal.size(),
                   " abnormal images, on ", s.exec->description()));
  model.config.scoring = s.config.scoring;
  stop_on_signals();
  calibrate(
      *s.exec, model, data,
      [&](const CalibrationProgress& p) {
        if (stop_requested) throw Error("interrupted: nothing is written");
        progress.update(str(p.maps ? "calibrating maps: " : "calibrating: ", static_cast<long>(p.done), " of ", p.all,
                            " images", time_left_text(p.seconds_left)));
      },
      keeps ? Weights::kKept : Weights::kFitted);
  model.split.calibration = digests_of(data);
  save_model(o.out, model);
  save_tuning(*s.exec, s.run.tuning);
  report_calibration(*model.calibration, model.config.scoring.false_reject_rate, o.out, progress);
  return 0;
}

}  // namespace pgad
