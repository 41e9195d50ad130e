// Makes data sets: so far industrial surfaces that do not exist, with defects whose every pixel is known.

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/program.h"
#include "apps/progress.h"
#include "engine/check.h"
#include "engine/team.h"
#include "images/atomic_file.h"
#include "synthesis/industrial.h"

namespace pgad {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string out, surface = "brushed";
  std::vector<std::string> kinds = {std::begin(kFlawNames), std::end(kFlawNames)}, unseen;
  int size = 1024, height = 0, width = 0, channels = 1, train = 200, known_each = 5, test = 50, test_each = 10,
      threads = 0;
  double contaminated = 0;
  std::uint64_t seed = 1;
};

// One picture of the set.
struct Task {
  std::string image, mask;  // paths within the set; no mask: none is written
  std::optional<Flaw> flaw;
};

template <std::size_t n>
int index_of(const std::string& name, const char* const (&names)[n], const char* option) {
  std::string all;
  for (std::size_t i = 0; i < n; ++i) {
    if (name == names[i]) return static_cast<int>(i);
    all += str(i == 0 ? "" : i + 1 == n ? " or " : ", ", names[i]);
  }
  throw UsageError(str(option, ": '", name, "', expected ", all));
}

std::string numbered(const std::string& prefix, int number, const char* ending) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "%04d", number);
  return prefix + digits + ending;
}

// An inspection folder (docs/formats.md), whose pictures' numbers are their places in this list.
std::vector<Task> plan(const Options& o) {
  std::vector<Flaw> kinds;
  for (const std::string& name : o.kinds) kinds.push_back(static_cast<Flaw>(index_of(name, kFlawNames, "--kinds")));
  for (const std::string& name : o.unseen) {
    index_of(name, kFlawNames, "--unseen");
    if (std::ranges::find(o.kinds, name) == o.kinds.end())
      throw UsageError(str("--unseen: '", name, "' is not among --kinds"));
  }
  std::vector<Task> tasks;
  // Spread evenly over the pictures and the kinds: a share of n of them is reached at each n-th.
  int flawed = 0;
  for (int i = 0; i < o.train; ++i) {
    std::optional<Flaw> flaw;
    if (static_cast<int>(o.contaminated * (i + 1)) > flawed)
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

nlohmann::ordered_json description(const Options& o, const SurfaceOptions& s, const std::vector<Task>& tasks) {
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
  for (const Task& task : tasks)
    if (task.flaw && task.mask.empty())
      json["contaminated_images"].push_back({{"path", task.image}, {"kind", kFlawNames[static_cast<int>(*task.flaw)]}});
  return json;
}

int make_industrial(const Options& o) {
  SurfaceOptions surface;
  surface.surface = static_cast<Surface>(index_of(o.surface, kSurfaceNames, "--surface"));
  surface.height = o.height > 0 ? o.height : o.size;
  surface.width = o.width > 0 ? o.width : o.size;
  surface.channels = o.channels;
  surface.seed = o.seed;
  const std::vector<Task> tasks = plan(o);
  const fs::path out = o.out;
  if (fs::exists(out) && (!fs::is_directory(out) || !fs::is_empty(out)))
    throw UsageError(str("--out ", o.out, ": there is something already; expected a new or an empty folder"));
  for (const Task& task : tasks)
    for (const std::string& file : {task.image, task.mask}) {
      std::error_code failed;
      const fs::path folder = (out / file).parent_path();
      fs::create_directories(folder, failed);
      if (failed) throw Error(str(folder.string(), ": cannot create this folder: ", failed.message()));
    }
  Progress progress;
  stop_on_signals();
  std::atomic<std::size_t> next = 0, done = 0;
  std::mutex mutex;  // of the two below
  std::exception_ptr error;
  const auto work = [&] {
    try {
      for (std::size_t i; !stop_requested && (i = next++) < tasks.size();) {
        const Task& task = tasks[i];
        const SurfaceImage drawn = draw_surface(surface, i, task.flaw);
        write_png((out / task.image).string(), drawn.image);
        if (!task.mask.empty())
          write_png((out / task.mask).string(),
                    {surface.height, surface.width, 1, {drawn.mask.begin(), drawn.mask.end()}});
        const std::scoped_lock lock(mutex);
        progress.update(str(++done, " of ", tasks.size(), " images"));
      }
    } catch (...) {
      const std::scoped_lock lock(mutex);
      error = std::current_exception();
      stop_requested = true;
    }
  };
  {
    std::vector<std::jthread> threads;
    const unsigned count = static_cast<unsigned>(o.threads > 0 ? o.threads : available_processors());
    for (unsigned i = 0; i < std::max(1u, count); ++i) threads.emplace_back(work);
  }
  if (error) std::rethrow_exception(error);
  if (stop_requested) throw Error(str("interrupted after ", done.load(), " of ", tasks.size(), " images in ", o.out));
  write_file_atomically((out / "description.json").string(), description(o, surface, tasks).dump(2) + "\n");
  progress.say(str(tasks.size(), " images of ", surface.width, "x", surface.height, " in ", o.out));
  return 0;
}

}  // namespace
}  // namespace pgad

int main(int argc, char** argv) {
  CLI::App app("Makes data sets for pgad_train and pgad_infer.", "pgad_data");
  app.require_subcommand(1);
  pgad::Options o;
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
  return pgad::run_program(app, argc, argv, [&] { return pgad::make_industrial(o); });
}
