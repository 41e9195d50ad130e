#include "preparation/divide.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "engine/check.h"
#include "engine/hash.h"
#include "engine/rng.h"
#include "images/atomic_file.h"
#include "images/dataset.h"
#include "images/printable.h"
#include "preparation/fine_detail.h"
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

// The pictures of one part, and all parts of a kind. Without --together each part has one.
using Part = std::vector<Sample>;
using Parts = std::vector<Part>;
using Kinds = std::map<std::string, Parts>;  // "good" and the defects'

std::size_t images_of(const Parts& parts) {
  std::size_t n = 0;
  for (const Part& part : parts) n += part.size();
  return n;
}

std::map<std::string, std::vector<Sample>> by_kind(Dataset data) {
  std::map<std::string, std::vector<Sample>> kinds;
  for (Sample& s : data.test) kinds[s.anomalous ? s.group : "good"].push_back(std::move(s));
  for (auto* list : {&data.train_normal, &data.calibration_normal})
    for (Sample& s : *list) kinds["good"].push_back(std::move(s));
  std::ranges::move(data.calibration_abnormal, std::back_inserter(data.train_abnormal));
  for (Sample& s : data.train_abnormal) {
    std::string kind = s.group;
    const std::string name = std::filesystem::path(s.name).filename().string();
    if (data.layout == Layout::kInspection)
      for (const auto& [other, samples] : kinds)
        if (other != "good" && name.starts_with(other + "_")) kind = other;
    kinds[kind].push_back(std::move(s));
  }
  if (std::ranges::any_of(kinds["good"], &Sample::anomalous))
    throw UsageError(
        "'good' is a kind of defect here, but the folder of the normal images is called so: rename it in the source");
  return kinds;
}

// Shuffled by the seed and the kind's name.
Parts parts_of(std::vector<Sample> samples, const std::string& kind, const ImageSource& source,
               const DivideOptions& options, const std::function<void()>& on_image, const std::function<bool()>& stop) {
  std::ranges::sort(samples, {}, &Sample::name);
  SplitMix64 random(SplitMix64(options.seed).next() ^ fnv1a("kind " + kind));
  shuffle(samples, random);
  std::vector<std::size_t> first(samples.size());
  std::iota(first.begin(), first.end(), 0);
  if (options.together > 0) first = same_parts(samples, source, options.together, options.threads, on_image, stop);
  Parts parts;
  std::map<std::size_t, std::size_t> at;  // by the part's first image
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (at.emplace(first[i], parts.size()).second) parts.emplace_back();
    parts[at.at(first[i])].push_back(std::move(samples[i]));
  }
  return parts;
}

// About so many images: whole parts, as many as fit, or the smallest one. One part is left.
std::vector<Sample> take(Parts& from, std::size_t count) {
  if (count == 0) return {};
  const auto smallest = std::ranges::min_element(from, {}, &Part::size) - from.begin();
  const bool none_fits = from[static_cast<std::size_t>(smallest)].size() > count;
  std::vector<Sample> taken;
  Parts left;
  std::size_t parts = from.size();
  for (std::size_t i = 0; i < from.size(); ++i) {
    const bool fits = none_fits ? static_cast<std::ptrdiff_t>(i) == smallest : taken.size() + from[i].size() <= count;
    if (!fits || parts == 1) {
      left.push_back(std::move(from[i]));
      continue;
    }
    std::ranges::move(from[i], std::back_inserter(taken));
    --parts;
  }
  from = std::move(left);
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

// Whole parts are not always as many images as asked for.
void note_other_number(std::vector<std::string>& notes, const DivideOptions& options, const std::string& kind,
                       std::size_t wanted, std::size_t taken) {
  if (options.together > 0 && taken != wanted)
    notes.push_back(str(taken, " images of '", kind, "' instead of ", wanted, ": parts are not divided"));
}

double calibration_share(const DivideOptions& options) {
  if (!std::isnan(options.calibration_share)) return options.calibration_share;
  return options.together > 0 ? 0.1 : 0;
}

// Takes what trains, what is known and what calibrates out of the kinds; what is left is to be tested.
std::vector<Entry> take_training(const DivideOptions& options, Kinds& kinds, std::vector<std::string>& notes) {
  std::vector<Entry> train;
  for (auto& [kind, parts] : kinds) {
    const std::size_t n = images_of(parts);
    const bool good = kind == "good";
    const std::size_t wanted = good                      ? std::max<std::size_t>(share_of(options.train_share, n), 1)
                               : options.known_each >= 0 ? static_cast<std::size_t>(options.known_each)
                                                         : share_of(options.known_share, n);
    std::vector<Sample> held_out;
    if (parts.size() > 2)  // else one trains and one tests
      held_out = take(parts, share_of(calibration_share(options), wanted));
    std::vector<Sample> taken = take(parts, wanted - std::min(wanted, held_out.size()));
    note_other_number(notes, options, kind, wanted, taken.size() + held_out.size());
    const bool used = good || options.known.empty() || std::ranges::find(options.known, kind) != options.known.end();
    if (!used && !(taken.empty() && held_out.empty()))
      notes.push_back(str(taken.size() + held_out.size(), " images of '", kind,
                          "', which is not known, are left out: what is tested does not depend on what is known"));
    for (Sample& s : taken)
      if (used) train.push_back({std::move(s), good ? "train/good" : "train/abnormal", good ? "" : kind});
    for (Sample& s : held_out)
      if (used) train.push_back({std::move(s), good ? "calibration/good" : "calibration/abnormal", good ? "" : kind});
  }
  return train;
}

// Takes defects that are mistaken for normal images, of each kind in turn; each kind keeps a part.
std::vector<Entry> take_mistaken(std::size_t count, Kinds& kinds) {
  std::vector<Entry> mistaken;
  for (bool any = true; any && mistaken.size() < count;) {
    any = false;
    for (auto& [kind, parts] : kinds) {
      const std::size_t room = count - mistaken.size();
      const auto part = std::find_if(parts.rbegin(), parts.rend(), [&](const Part& p) { return p.size() <= room; });
      if (kind == "good" || parts.size() < 2 || room == 0 || part == parts.rend()) continue;
      for (Sample& s : *part) {
        mistaken.push_back({std::move(s), "train/good", kind});
        mistaken.back().sample.mask_path.clear();  // nobody knows of them
      }
      parts.erase(std::next(part).base());
      any = true;
    }
  }
  return mistaken;
}

Plan plan(const DivideOptions& options, Kinds kinds, std::vector<std::string>& notes) {
  Plan plan;
  plan.train = take_training(options, kinds, notes);
  const auto normals = std::ranges::count(plan.train, "train/good", &Entry::folder);
  const std::size_t asked = share_of(options.contaminated, static_cast<std::size_t>(normals));
  std::vector<Entry> mistaken = take_mistaken(asked, kinds);
  const bool none_left =
      std::ranges::all_of(kinds, [](const auto& k) { return k.first == "good" || k.second.size() < 2; });
  if (mistaken.size() < asked && none_left)
    throw UsageError(str("--contaminated ", options.contaminated, ": ", asked, " defects among ", normals,
                         " normal images, but only ", mistaken.size(), " can be spared: each kind keeps one to test"));
  if (options.contaminated > 0)
    notes.push_back(str(mistaken.size(), " defects are taken for normal images, ", asked, " were asked for"));
  std::ranges::move(mistaken, std::back_inserter(plan.train));
  for (auto& [kind, parts] : kinds) {
    const std::string folder = "test/" + kind, defect = kind == "good" ? "" : kind;
    if (options.validation_share > 0) {
      const std::size_t wanted = std::max<std::size_t>(share_of(options.validation_share, images_of(parts)), 1);
      const std::vector<Sample> validation = take(parts, wanted);
      if (validation.empty())
        notes.push_back(str("'", kind, "' has one ", options.together > 0 ? "part" : "image",
                            " left: it tests, and there is none to validate"));
      else
        note_other_number(notes, options, kind, wanted, validation.size());
      for (const Sample& s : validation) plan.validation.push_back({s, folder, defect});
    }
    for (Part& part : parts)
      for (Sample& s : part) plan.test.push_back({std::move(s), folder, defect});
  }
  return plan;
}

// All that would make the division useless.
void check_kinds(const DivideOptions& options, std::map<std::string, std::vector<Sample>>& all) {
  std::string kinds;
  for (const auto& [kind, samples] : all)
    if (kind != "good") kinds += (kinds.empty() ? "" : ", ") + kind;
  const bool none = options.known == std::vector<std::string>{"none"} && !all.contains("none");
  for (const std::string& kind : none ? std::vector<std::string>() : options.known)
    if (kind == "good" || !all.contains(kind))
      throw UsageError(
          str("--known: '", kind, "' is no kind of defect of '", options.data.path, "', which has ", kinds));
  if (all["good"].size() < 2)
    throw DataError(str("'", options.data.path, "' holds ", all["good"].size(),
                        " normal images; expected two or more, to train and to test"));
}

}  // namespace

Divided divide_data(const DivideOptions& options, const std::function<void(long, long)>& progress,
                    const std::function<bool()>& stop) {
  check_share("--train-share", options.train_share, false);
  check_share("--known-share", options.known_share, true);
  check_share("--validation-share", options.validation_share, true);
  check_share("--contaminated", options.contaminated, true);
  check_share("--together", options.together, true);
  check_share("--calibration-share", calibration_share(options), true);
  Dataset data = open_all(options);
  Divided divided;
  divided.notes = data.notes;
  const ImageSource source = data.source;
  std::map<std::string, std::vector<Sample>> all = by_kind(std::move(data));
  check_kinds(options, all);
  OutputFolder::require_outside(options.out, options.data.path);
  OutputFolder::require_free(options.out);
  long read = 0, images = 0, together = 0;
  for (const auto& [kind, samples] : all) images += std::ssize(samples);
  Kinds kinds;
  for (auto& [kind, samples] : all) {
    kinds[kind] = parts_of(
        std::move(samples), kind, source, options, [&] { progress(++read, images); }, stop);
    for (const Part& part : kinds[kind]) together += part.size() > 1 ? std::ssize(part) : 0;
  }
  if (together > 0)
    divided.notes.push_back(
        str(together, " images show a part that another of their kind shows too: they stay together"));
  if (kinds["good"].size() < 2)
    throw DataError(str("--together ", options.together, ": all normal images of '", options.data.path,
                        "' are taken for pictures of one part, so that none could test; a higher value parts more"));

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
        const bool known = e.folder.ends_with("/abnormal") && e.folder != "test/abnormal";
        const std::string file = std::filesystem::path(e.sample.path).filename().string();
        // Known defects of all kinds share a folder: their kind stands before their name, unless it does already.
        const std::string wanted = known && !file.starts_with(e.kind + "_") ? e.kind + "_" + file : file;
        const std::string name =
            // The masks of both folders of known defects lie in one.
            out.name_for(prefix + (known ? "train/abnormal" : e.folder),
                         (std::filesystem::path(e.sample.path).parent_path() / wanted).string());
        out.add(e.sample.path, prefix + e.folder, name);
        if (i == 0 && e.folder == "train/good" && !e.kind.empty())
          mistaken.push_back({{"path", printable(join_path(e.folder, name))}, {"kind", printable(e.kind)}});
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
                                 {"together", options.together},
                                 {"calibration_share", calibration_share(options)},
                                 {"seed", options.seed},
                                 {"images", divided.images},
                                 {"masks", divided.masks}};
  if (!mistaken.empty()) json["contaminated_images"] = mistaken;
  write_file_atomically(out.place("", "description.json"),
                        json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
  return divided;
}

}  // namespace pgad
