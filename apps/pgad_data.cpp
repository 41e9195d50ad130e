// Data sets before training: made, converted, checked, divided.

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <span>

#include "apps/program.h"
#include "apps/progress.h"
#include "engine/check.h"
#include "engine/team.h"
#include "images/atomic_file.h"
#include "inspection/metrics.h"
#include "preparation/check.h"
#include "preparation/convert.h"
#include "preparation/divide.h"
#include "preparation/output_folder.h"
#include "synthesis/industrial.h"
#include "synthesis/ir_mnist.h"

namespace pgad {
namespace {

namespace fs = std::filesystem;

bool stopped() { return stop_requested; }

// Of loops over images or files.
std::function<void(long, long)> shown_by(Progress& progress) {
  return [&progress](long done, long total) { progress.update(str(done, " of ", total)); };
}

std::string numbered(const std::string& prefix, int number, const char* ending) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "%04d", number);
  return prefix + digits + ending;
}

// ---- sets that are drawn ----

// One picture of a set; `what` is the maker's.
template <class What>
struct Task {
  std::string image, mask;  // paths within the set; no mask: none is written
  What what;
};

// Draws all pictures of a set into a new or empty folder; draw(task, place) is an image with a mask.
template <class What, class Draw>
void write_set(const std::string& folder, const std::vector<Task<What>>& tasks, int threads, const Draw& draw,
               Progress& progress) {
  OutputFolder out(folder, true);
  for (const Task<What>& task : tasks)
    for (const std::string& file : {task.image, task.mask})
      if (!file.empty()) out.place(fs::path(file).parent_path().string(), "");
  stop_on_signals();
  std::size_t done = 0;
  std::mutex mutex;
  const bool all = for_each_index(tasks.size(), threads, stopped, [&](std::size_t i) {
    const Task<What>& task = tasks[i];
    const auto drawn = draw(task, i);
    write_png((fs::path(folder) / task.image).string(), drawn.image);
    if (!task.mask.empty())
      write_png((fs::path(folder) / task.mask).string(),
                {drawn.image.height, drawn.image.width, 1, {drawn.mask.begin(), drawn.mask.end()}});
    const std::scoped_lock lock(mutex);
    progress.update(str(++done, " of ", tasks.size(), " images"));
  });
  if (!all) throw Error(str("interrupted after ", done, " of ", tasks.size(), " images in ", folder));
}

struct IndustrialOptions {
  std::string out, surface = "brushed";
  std::vector<std::string> kinds = {std::begin(kFlawNames), std::end(kFlawNames)}, unseen;
  int size = 1024, height = 0, width = 0, channels = 1, train = 200, known_each = 5, test = 50, test_each = 10,
      threads = 0;
  double contaminated = 0;
  std::uint64_t seed = 1;
};

using SurfaceTask = Task<std::optional<Flaw>>;

// The place of a name among others.
int index_of(const std::string& name, std::span<const char* const> names, const char* option) {
  std::string all;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (name == names[i]) return static_cast<int>(i);
    all += str(i == 0 ? "" : i + 1 == names.size() ? " or " : ", ", names[i]);
  }
  throw UsageError(str(option, ": '", name, "', expected ", all));
}

// An inspection folder (docs/formats.md), whose pictures' numbers are their places in this list.
std::vector<SurfaceTask> plan(const IndustrialOptions& o) {
  std::vector<Flaw> kinds;
  for (const std::string& name : o.kinds) {
    kinds.push_back(static_cast<Flaw>(index_of(name, kFlawNames, "--kinds")));
    if (std::ranges::count(kinds, kinds.back()) > 1)
      throw UsageError(str("--kinds: '", name, "' stands twice; expected each kind once"));
  }
  for (const std::string& name : o.unseen) {
    index_of(name, kFlawNames, "--unseen");
    if (std::ranges::find(o.kinds, name) == o.kinds.end())
      throw UsageError(str("--unseen: '", name, "' is not among --kinds"));
  }
  std::vector<SurfaceTask> tasks;
  // Spread evenly over the pictures and the kinds: a share of n of them is reached at each n-th.
  int flawed = 0;
  for (int i = 0; i < o.train; ++i) {
    std::optional<Flaw> flaw;
    if (static_cast<int>(o.contaminated * (i + 1) + 1e-9) > flawed)  // .29 of 100 are 29
      flaw = kinds[static_cast<std::size_t>(flawed++) % kinds.size()];
    tasks.push_back({numbered("train/good/", i, ".png"), "", flaw});
  }
  const auto add = [&](const std::string& folder, const std::string& prefix, const std::string& masks, Flaw kind,
                       int count) {
    for (int i = 0; i < count; ++i)
      tasks.push_back({numbered(folder + prefix, i, ".png"), numbered(masks + prefix, i, "_mask.png"), kind});
  };
  for (const Flaw kind : kinds) {
    const std::string name = kFlawNames[static_cast<int>(kind)];
    if (std::ranges::find(o.unseen, name) == o.unseen.end())
      add("train/abnormal/", name + "_", "ground_truth/abnormal/", kind, o.known_each);
    add("test/" + name + "/", "", "ground_truth/" + name + "/", kind, o.test_each);
  }
  for (int i = 0; i < o.test; ++i) tasks.push_back({numbered("test/good/", i, ".png"), "", {}});
  return tasks;
}

nlohmann::ordered_json description(const IndustrialOptions& o, const SurfaceOptions& s,
                                   const std::vector<SurfaceTask>& tasks) {
  nlohmann::ordered_json json = {{"made_by", "pgad_data make-industrial"},
                                 {"version", PGAD_VERSION},
                                 {"surface", o.surface},
                                 {"height", s.height},
                                 {"width", s.width},
                                 {"channels", s.channels},
                                 {"seed", s.seed},
                                 {"kinds", o.kinds},
                                 {"unseen", o.unseen},
                                 {"contaminated", o.contaminated}};
  for (const SurfaceTask& task : tasks)
    if (task.what && task.mask.empty())
      json["contaminated_images"].push_back({{"path", task.image}, {"kind", kFlawNames[static_cast<int>(*task.what)]}});
  return json;
}

int make_industrial(const IndustrialOptions& o) {
  SurfaceOptions surface;
  surface.surface = static_cast<Surface>(index_of(o.surface, kSurfaceNames, "--surface"));
  surface.height = o.height > 0 ? o.height : o.size;
  surface.width = o.width > 0 ? o.width : o.size;
  surface.channels = o.channels;
  surface.seed = o.seed;
  const std::vector<SurfaceTask> tasks = plan(o);
  Progress progress;
  write_set(
      o.out, tasks, o.threads,
      [&](const SurfaceTask& task, std::size_t i) { return draw_surface(surface, i, task.what); }, progress);
  write_file_atomically((fs::path(o.out) / "description.json").string(), description(o, surface, tasks).dump(2) + "\n");
  progress.say(str(tasks.size(), " images of ", surface.width, "x", surface.height, " in ", o.out));
  return 0;
}

struct IrMnistOptions {
  std::string mnist, out;
  PuzzleOptions puzzle;
  int train = 5000, known = 50, test = 500, test_abnormal = 500, threads = 0;
};

int make_ir_mnist(const IrMnistOptions& o) {
  if (o.puzzle.most_anomalies > o.puzzle.grid * o.puzzle.grid)
    throw UsageError(
        str("--most-anomalies ", o.puzzle.most_anomalies, ": a puzzle has ", o.puzzle.grid * o.puzzle.grid, " cells"));
  struct Part {
    std::string name;
    IdxImages images;
    std::unique_ptr<PuzzleMaker> maker;
  } parts[] = {{"train", {}, nullptr}, {"t10k", {}, nullptr}};
  // Training puzzles of the training digits, test puzzles of the others: no drawing is seen twice.
  const std::vector<IdxPair> pairs = find_idx_pairs(o.mnist);
  for (Part& part : parts) {
    const auto pair = std::ranges::find(pairs, part.name, &IdxPair::name);
    if (pair == pairs.end())
      throw DataError(str("'", o.mnist, "' has no ", part.name,
                          "-images-idx3-ubyte[.gz]; expected MNIST's four files (scripts/get_data.sh mnist DIR)"));
    part.images = read_idx_images(pair->images);
    part.maker = std::make_unique<PuzzleMaker>(o.puzzle, part.images, read_idx_labels(*pair, part.images));
  }

  struct Draw {
    int part;
    std::uint64_t number;
    bool abnormal;
  };
  std::vector<Task<Draw>> tasks;
  const std::string kind = str("digit_", o.puzzle.anomaly);
  const auto add = [&](int count, const std::string& prefix, const std::string& masks, int part, bool abnormal) {
    for (int i = 0; i < count; ++i)
      tasks.push_back({numbered(prefix, i, ".png"),
                       abnormal ? numbered(masks, i, "_mask.png") : "",
                       // A number draws the anomalies' places too, which must not be the same in training and test.
                       {part, static_cast<std::uint64_t>(i) + (static_cast<std::uint64_t>(part) << 32), abnormal}});
  };
  add(o.train, "train/good/", "", 0, false);
  add(o.known, "train/abnormal/" + kind + "_", "ground_truth/abnormal/" + kind + "_", 0, true);
  add(o.test, "test/good/", "", 1, false);
  add(o.test_abnormal, "test/" + kind + "/", "ground_truth/" + kind + "/", 1, true);
  Progress progress;
  write_set(
      o.out, tasks, o.threads,
      [&](const Task<Draw>& task, std::size_t) {
        return parts[task.what.part].maker->draw(task.what.number, task.what.abnormal);
      },
      progress);
  const nlohmann::ordered_json json = {{"made_by", "pgad_data make-ir-mnist"},
                                       {"version", PGAD_VERSION},
                                       {"grid", o.puzzle.grid},
                                       {"digit", o.puzzle.anomaly},
                                       {"most_anomalies", o.puzzle.most_anomalies},
                                       {"mark_strokes", o.puzzle.mark_strokes},
                                       {"seed", o.puzzle.seed}};
  write_file_atomically((fs::path(o.out) / "description.json").string(), json.dump(2) + "\n");
  progress.say(str(tasks.size(), " puzzles of ", o.puzzle.grid * parts[0].images.cols, "x",
                   o.puzzle.grid * parts[0].images.rows, " in ", o.out));
  return 0;
}

// ---- sets that are there ----

struct CheckCommand {
  CheckOptions check;
  std::string json;
  int most_files = 5;
  bool strict = false;
};

int check(CheckCommand& c) {
  c.check.held_out_needed = scores_needed(c.check.false_reject_rate);
  stop_on_signals();
  CheckReport report;
  {
    Progress progress;
    report = check_data(c.check, shown_by(progress), stopped);
  }
  std::cout << check_report_text(report, static_cast<std::size_t>(c.most_files)) << std::flush;
  if (!c.json.empty()) write_file_atomically(c.json, check_report_json(report));
  const bool warned =
      std::ranges::any_of(report.findings, [](const Finding& f) { return f.severity == Severity::kWarning; });
  return report.failed() || (c.strict && warned) ? kExitFailure : 0;
}

template <class Written>  // Divided, Converted
void say_written(Progress& progress, const Written& written, const std::string& out) {
  for (const std::string& note : written.notes) progress.say("note: " + note);
  for (const auto& [folder, count] : written.images) progress.say(str(count, " images in ", out, "/", folder));
  progress.say(str(written.masks, " masks"));
}

int convert(ConvertOptions& options, const std::string& layout) {
  options.layout = static_cast<SourceLayout>(index_of(layout, kSourceLayoutNames, "--layout"));
  stop_on_signals();
  Progress progress;
  const Converted converted = convert_data(options, shown_by(progress), stopped);
  progress.say(str("taken for the layout ", kSourceLayoutNames[static_cast<std::size_t>(converted.layout)]));
  say_written(progress, converted, options.out);
  return 0;
}

int split(const DivideOptions& options) {
  stop_on_signals();
  Progress progress;
  say_written(progress, divide_data(options, shown_by(progress), stopped), options.out);
  return 0;
}

}  // namespace
}  // namespace pgad

int main(int argc, char** argv) {
  CLI::App app("Makes, converts, checks and divides data sets for pgad_train and pgad_infer.", "pgad_data");
  app.require_subcommand(1);
  const CLI::Range counts(0, 1000000);
  pgad::IndustrialOptions o;
  CLI::App* make = app.add_subcommand("make-industrial", "Draws surfaces that do not exist, with and without defects.");
  make->add_option("--out", o.out, "new or empty folder for the data set")->required();
  make->add_option("--surface", o.surface, "brushed, cast, woven, leather or printed")->capture_default_str();
  make->add_option("--size", o.size, "side of the images, pixels")
      ->check(CLI::Range(pgad::kLeastSide, 1 << 15))
      ->capture_default_str();
  make->add_option("--height", o.height, "where they are not square")->check(CLI::Range(pgad::kLeastSide, 1 << 15));
  make->add_option("--width", o.width, "where they are not square")->check(CLI::Range(pgad::kLeastSide, 1 << 15));
  make->add_option("--channels", o.channels, "1 grey, 3 RGB")->check(CLI::IsMember({1, 3}))->capture_default_str();
  make->add_option("--train", o.train, "normal images for training")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  make->add_option("--known-each", o.known_each, "known defects of each kind, for training")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  make->add_option("--test", o.test, "normal images for the test")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  make->add_option("--test-each", o.test_each, "defects of each kind for the test")
      ->check(CLI::Range(0, 1000000))
      ->capture_default_str();
  make->add_option("--kinds", o.kinds, "of defects, comma-separated: scratch, dent, stain, thread, pit")
      ->delimiter(',')
      ->capture_default_str();
  make->add_option("--unseen", o.unseen, "kinds that are only tested")->delimiter(',');
  make->add_option("--contaminated", o.contaminated, "share of the normal training images that show a defect")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  make->add_option("--seed", o.seed, "another one draws another set")->capture_default_str();
  make->add_option("--threads", o.threads, "0: one per core")->check(CLI::Range(0, 4096))->capture_default_str();

  pgad::IrMnistOptions ir;
  CLI::App* puzzles =
      app.add_subcommand("make-ir-mnist", "Puzzles of digits, in which one digit is the anomaly (IR-MNIST).");
  puzzles->add_option("--mnist", ir.mnist, "folder with MNIST's four files")->required();
  puzzles->add_option("--out", ir.out, "new or empty folder for the data set")->required();
  puzzles->add_option("--grid", ir.puzzle.grid, "digits a side")->check(CLI::Range(1, 100))->capture_default_str();
  puzzles->add_option("--digit", ir.puzzle.anomaly, "the anomaly")->check(CLI::Range(0, 9))->capture_default_str();
  puzzles->add_option("--most-anomalies", ir.puzzle.most_anomalies, "an abnormal puzzle holds 1 to so many of it")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  puzzles->add_flag("--mark-strokes", ir.puzzle.mark_strokes, "masks mark the strokes of such digits, not their cells");
  puzzles->add_option("--train", ir.train, "normal puzzles for training")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  puzzles->add_option("--known", ir.known, "known abnormal puzzles, for training")
      ->check(counts)
      ->capture_default_str();
  puzzles->add_option("--test", ir.test, "normal puzzles for the test")->check(counts)->capture_default_str();
  puzzles->add_option("--test-abnormal", ir.test_abnormal, "abnormal puzzles for the test")
      ->check(counts)
      ->capture_default_str();
  puzzles->add_option("--seed", ir.puzzle.seed, "another one draws another set")->capture_default_str();
  puzzles->add_option("--threads", ir.threads, "0: one per core")->check(CLI::Range(0, 4096))->capture_default_str();

  pgad::CheckCommand c;
  CLI::App* checking =
      app.add_subcommand("check", "Looks for what is wrong with a data set. Exit code 1 if something is.");
  checking->add_option("data", c.check.data.path, "what pgad_train's --data would be given")->required();
  checking->add_option("--normal-class", c.check.data.normal_class, "of IDX files and class folders");
  checking
      ->add_option("--calibration-fraction", c.check.data.calibration_fraction,
                   "of the normal images, as in pgad_train")
      ->check(CLI::Range(0.0, 0.99))
      ->capture_default_str();
  checking->add_option("--calibration-images", c.check.data.calibration_images, "held out at most, as in pgad_train")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  checking->add_option("--false-reject-rate", c.check.false_reject_rate, "of normal images, that will be asked for")
      ->check(CLI::Range(1e-6, 0.999999))
      ->capture_default_str();
  checking->add_option("--json", c.json, "file for the report, with all files named");
  checking->add_option("--most-files", c.most_files, "named for each finding in the text")
      ->check(counts)
      ->capture_default_str();
  checking->add_flag("--strict", c.strict, "exit code 1 for warnings too");
  checking->add_option("--threads", c.check.threads, "0: one per core")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();

  pgad::ConvertOptions source;
  std::string layout = "auto";
  CLI::App* converting = app.add_subcommand("convert", "Lays other layouts of data out as an inspection folder.");
  converting->add_option("source", source.source, "folder of the data")->required();
  converting->add_option("--out", source.out, "new or empty folder for the data set")->required();
  converting->add_option("--layout", layout, "auto, pairs, mvtec, mvtec2, visa, classes, idx, coco or voc")
      ->capture_default_str();
  converting->add_option("--normal", source.normal,
                         "of pairs, classes, idx, coco, voc: names that are normal, comma-separated");
  converting->add_option("--object", source.object, "of visa, mvtec, mvtec2: which of several");
  converting->add_option("--annotations", source.annotations,
                         "visa: the CSV; coco: the JSON; voc: folder of the XML files; default: found");
  converting->add_option("--images", source.images, "coco, voc: folder of the images; default: found");
  converting->add_flag("--unannotated-normal", source.unannotated_normal,
                       "coco, voc: images without a file or an entry are normal, else they are left out");
  converting->add_flag("--copy", source.copy, "copies instead of symbolic links");

  pgad::DivideOptions d;
  CLI::App* dividing =
      app.add_subcommand("split", "Divides a data set's images anew into training, known defects and test.");
  dividing->add_option("data", d.data.path, "inspection folder or class folders")->required();
  dividing->add_option("--out", d.out, "new or empty folder for the data set")->required();
  dividing->add_option("--normal-class", d.data.normal_class, "of class folders: which are normal, comma-separated");
  dividing->add_option("--train-share", d.train_share, "of the normal images, in (0, 1)")->capture_default_str();
  CLI::Option* share =
      dividing->add_option("--known-share", d.known_share, "of each kind of defect, in [0, 1)")->capture_default_str();
  dividing->add_option("--known-each", d.known_each, "so many of each kind instead")->check(counts)->excludes(share);
  dividing->add_option("--known", d.known, "kinds that are known, comma-separated, or none; default: all")
      ->delimiter(',');
  dividing
      ->add_option("--contaminated", d.contaminated,
                   "so many defects, as a share of the normal training images, are taken for normal; for experiments")
      ->capture_default_str();
  dividing
      ->add_option("--validation-share", d.validation_share,
                   "of the rest, for OUT/val beside OUT/test; 0: one data set, OUT")
      ->capture_default_str();
  dividing
      ->add_option("--together", d.together,
                   "images of a kind whose fine detail correlates above this show one part and are not parted; 0: off")
      ->capture_default_str();
  dividing->add_option(
      "--calibration-share", d.calibration_share,
      "of what trains, for OUT/calibration; default: .1 with --together, else 0 (pgad_train draws some)");
  dividing->add_option("--threads", d.threads, "of --together; 0: one per core")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str();
  dividing->add_option("--seed", d.seed, "another one divides otherwise")->capture_default_str();
  dividing->add_flag("--copy", d.copy, "copies instead of symbolic links");

  return pgad::run_program(app, argc, argv, [&] {
    if (puzzles->parsed()) return pgad::make_ir_mnist(ir);
    if (checking->parsed()) return pgad::check(c);
    if (converting->parsed()) return pgad::convert(source, layout);
    if (dividing->parsed()) return pgad::split(d);
    return pgad::make_industrial(o);
  });
}
