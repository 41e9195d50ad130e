#include "preparation/divide.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "engine/check.h"
#include "engine/hash.h"
#include "engine/rng.h"
#include "images/atomic_file.h"
#include "images/dataset.h"
#include "preparation/output_folder.h"

namespace pgad {
namespace {

void check_share(const char* name, double share, bool zero) {
  // Written so that NaN fails.
  if (!((zero ? share >= 0 : share > 0) && share < 1))
    throw UsageError(str(name, ": ", share, ", expected a number in ", zero ? "[" : "(", "0, 1)"));
}

// All images with what they show.
Dataset open_all(const DivideOptions& options) {
  DataConfig config = options.data;
  config.calibration_fraction = 0;
  config.normal_fraction = config.abnormal_fraction = 1;
  const bool train = is_directory(join_path(config.path, "train/good"));
  const bool test = is_directory(join_path(config.path, "test/good"));
  Dataset data = Dataset::open(config, test && !train ? Purpose::kEvaluate : Purpose::kTrain);
  if (data.layout == Layout::kIdx)
    throw UsageError(str("'", config.path,
                         "' holds IDX files: pgad_train divides them itself (--normal-fraction, --abnormal-fraction)"));
  if (data.layout == Layout::kFlat)
    throw UsageError(str(
        "'", config.path,
        "' is a folder of images of one kind; expected an inspection folder (test/good, test/KIND) or class folders"));
  return data;
}

using Kinds = std::map<std::string, std::vector<Sample>>;  // "good" and the defects'

Kinds by_kind(Dataset data) {
  Kinds kinds;
  for (Sample& s : data.test) kinds[s.anomalous ? s.group : "good"].push_back(std::move(s));
  for (Sample& s : data.train_normal) kinds["good"].push_back(std::move(s));
  for (Sample& s : data.train_abnormal) {
    std::string kind = s.group;
    const std::string name = std::filesystem::path(s.name).filename().string();
    if (data.layout == Layout::kInspection)
      for (const auto& [other, samples] : kinds)
        if (other != "good" && name.starts_with(other + "_")) kind = other;
    kinds[kind].push_back(std::move(s));
  }
  return kinds;
}

std::vector<Sample> take(std::vector<Sample>& from, std::size_t count) {
  std::vector<Sample> taken(std::make_move_iterator(from.begin()),
                            std::make_move_iterator(from.begin() + static_cast<std::ptrdiff_t>(count)));
  from.erase(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(count));
  return taken;
}

std::size_t share_of(double share, std::size_t n) {
  return static_cast<std::size_t>(std::llround(share * static_cast<double>(n)));
}

// An image and where it goes. kind: of its defect; empty for normal ones.
struct Entry {
  Sample sample;
  std::string folder, kind;
};

struct Plan {
  std::vector<Entry> train, test, validation;
};

// Takes what trains and what is known out of the kinds; what is left is to be tested.
std::vector<Entry> take_training(const DivideOptions& options, Kinds& kinds, std::vector<std::string>& notes) {
  std::vector<Entry> train;
  for (auto& [kind, samples] : kinds) {
    std::ranges::sort(samples, {}, &Sample::name);
    SplitMix64 random(SplitMix64(options.seed).next() ^ fnv1a("kind " + kind));
    shuffle(samples, random);
    const std::size_t n = samples.size();
    const bool good = kind == "good";
    const std::size_t first =
        good ? std::clamp<std::size_t>(share_of(options.train_share, n), 1, n - 1)
             : std::min(n - 1, options.known_each >= 0 ? static_cast<std::size_t>(options.known_each)
                                                       : share_of(options.known_share, n));
    const bool used = good || options.known.empty() || std::ranges::find(options.known, kind) != options.known.end();
    for (Sample& s : take(samples, first))
      if (used) train.push_back({std::move(s), good ? "train/good" : "train/abnormal", good ? "" : kind});
    if (!used && first > 0)
      notes.push_back(str(first, " images of '", kind,
                          "', which is not known, are left out: what is tested does not depend on what is known"));
  }
  return train;
}

// Takes defects that are mistaken for normal images, of each kind in turn.
std::vector<Entry> take_mistaken(std::size_t count, Kinds& kinds) {
  std::vector<Entry> mistaken;
  for (bool any = true; any && mistaken.size() < count;) {
    any = false;
    for (auto& [kind, samples] : kinds) {
      if (kind == "good" || samples.size() < 2 || mistaken.size() == count) continue;
      mistaken.push_back({std::move(samples.back()), "train/good", kind});
      mistaken.back().sample.mask_path.clear();  // nobody knows of them
      samples.pop_back();
      any = true;
    }
  }
  return mistaken;
}

Plan plan(const DivideOptions& options, Kinds kinds, std::vector<std::string>& notes) {
  Plan plan;
  plan.train = take_training(options, kinds, notes);
  const auto normals = std::ranges::count(plan.train, "train/good", &Entry::folder);
  const std::size_t wanted = share_of(options.contaminated, static_cast<std::size_t>(normals));
  std::vector<Entry> mistaken = take_mistaken(wanted, kinds);
  if (mistaken.size() < wanted)
    throw UsageError(str("--contaminated ", options.contaminated, ": ", wanted, " defects among ", normals,
                         " normal images, but only ", mistaken.size(), " can be spared: each kind keeps one to test"));
  std::ranges::move(mistaken, std::back_inserter(plan.train));
  for (auto& [kind, samples] : kinds) {
    const std::string folder = "test/" + kind, defect = kind == "good" ? "" : kind;
    if (options.validation_share > 0) {
      const std::size_t rest = samples.size();
      const std::size_t validation =
          rest < 2 ? 0 : std::clamp<std::size_t>(share_of(options.validation_share, rest), 1, rest - 1);
      if (validation == 0)
        notes.push_back(str("'", kind, "' has one image left: it tests, and there is none to validate"));
      for (Sample& s : take(samples, validation)) plan.validation.push_back({std::move(s), folder, defect});
    }
    for (Sample& s : samples) plan.test.push_back({std::move(s), folder, defect});
  }
  return plan;
}

}  // namespace

Divided divide_data(const DivideOptions& options, const std::function<void(long, long)>& progress,
                    const std::function<bool()>& stop) {
  check_share("--train-share", options.train_share, false);
  check_share("--known-share", options.known_share, true);
  check_share("--validation-share", options.validation_share, true);
  check_share("--contaminated", options.contaminated, true);
  Dataset data = open_all(options);
  Divided divided;
  divided.notes = data.notes;
  Kinds kinds = by_kind(std::move(data));
  std::string all_kinds;
  for (const auto& [kind, samples] : kinds)
    if (kind != "good") all_kinds += (all_kinds.empty() ? "" : ", ") + kind;
  const bool none = options.known == std::vector<std::string>{"none"} && !kinds.contains("none");
  for (const std::string& kind : none ? std::vector<std::string>() : options.known)
    if (kind == "good" || !kinds.contains(kind))
      throw UsageError(
          str("--known: '", kind, "' is no kind of defect of '", options.data.path, "', which has ", all_kinds));
  if (kinds["good"].size() < 2)
    throw DataError(str("'", options.data.path, "' holds ", kinds["good"].size(),
                        " normal images; expected two or more, to train and to test"));

  const Plan entries = plan(options, std::move(kinds), divided.notes);
  const bool two = options.validation_share > 0;
  const long total =
      static_cast<long>(entries.train.size() * (two ? 2 : 1) + entries.test.size() + entries.validation.size());
  long done = 0;
  nlohmann::ordered_json mistaken = nlohmann::ordered_json::array();
  OutputFolder out(options.out, options.copy);
  for (int i = 0; i < (two ? 2 : 1); ++i) {
    const std::string prefix = !two ? "" : i == 0 ? "test/" : "val/";
    for (const auto* list : {&entries.train, i == 0 ? &entries.test : &entries.validation})
      for (const Entry& e : *list) {
        if (stop())
          throw Error(str("interrupted after ", done, " of ", total, " images; '", options.out, "' is incomplete"));
        const bool known = e.folder == "train/abnormal";
        const std::string file = std::filesystem::path(e.sample.path).filename().string();
        // Known defects of all kinds share a folder: their kind stands before their name, unless it does already.
        const std::string wanted = known && !file.starts_with(e.kind + "_") ? e.kind + "_" + file : file;
        const std::string name =
            out.name_for(prefix + e.folder, (std::filesystem::path(e.sample.path).parent_path() / wanted).string());
        out.add(e.sample.path, prefix + e.folder, name);
        if (i == 0 && e.folder == "train/good" && !e.kind.empty())
          mistaken.push_back({{"path", join_path(e.folder, name)}, {"kind", e.kind}});
        if (!e.sample.mask_path.empty())
          out.add_mask(e.sample.mask_path, prefix + "ground_truth/" + (known ? "abnormal" : e.kind), name);
        progress(++done, total);
      }
  }
  divided.images = out.images();
  divided.masks = out.masks();
  nlohmann::ordered_json json = {{"made_by", "pgad_data split"},
                                 {"source", options.data.path},
                                 {"normal_class", options.data.normal_class},
                                 {"train_share", options.train_share},
                                 {"known_share", options.known_share},
                                 {"known_each", options.known_each},
                                 {"known", options.known},
                                 {"contaminated", options.contaminated},
                                 {"validation_share", options.validation_share},
                                 {"seed", options.seed},
                                 {"images", divided.images},
                                 {"masks", divided.masks}};
  if (!mistaken.empty()) json["contaminated_images"] = mistaken;
  write_file_atomically(out.place("", "description.json"),
                        json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  return divided;
}

}  // namespace pgad
