#include "images/dataset.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <set>
#include <utility>

#include "engine/check.h"
#include "engine/rng.h"
#include "images/listing.h"

namespace pgad {
namespace {

// Distinguishes the streams of random numbers that one split_seed feeds.
std::uint64_t seed_of(std::uint64_t split_seed, const std::string& purpose) {
  return SplitMix64(split_seed).next() ^ fnv1a(purpose);
}

std::size_t share(double fraction, std::size_t n) {
  return static_cast<std::size_t>(std::llround(fraction * static_cast<double>(n)));
}

// Moves `count` randomly chosen samples out; both lists keep the order they had.
std::vector<Sample> draw(std::vector<Sample>& from, std::size_t count, std::uint64_t seed) {
  std::vector<std::size_t> order(from.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  SplitMix64 random(seed);
  shuffle(order, random);
  std::vector<bool> chosen(from.size(), false);
  for (std::size_t i = 0; i < count; ++i) chosen[order[i]] = true;
  std::vector<Sample> drawn, rest;
  for (std::size_t i = 0; i < from.size(); ++i) (chosen[i] ? drawn : rest).push_back(std::move(from[i]));
  from = std::move(rest);
  return drawn;
}

void append(std::vector<Sample>& to, std::vector<Sample> samples) {
  to.insert(to.end(), std::make_move_iterator(samples.begin()), std::make_move_iterator(samples.end()));
}

void check_options(const DataConfig& config) {
  // Written so that NaN fails.
  if (!(config.normal_fraction > 0.0 && config.normal_fraction <= 1.0)) {
    throw UsageError(str("normal_fraction ", config.normal_fraction, " is not in (0, 1]"));
  }
  if (!(config.abnormal_fraction >= 0.0 && config.abnormal_fraction <= 1.0)) {
    throw UsageError(str("abnormal_fraction ", config.abnormal_fraction, " is not in [0, 1]"));
  }
  if (!(config.calibration_fraction >= 0.0 && config.calibration_fraction < 1.0)) {
    throw UsageError(str("calibration_fraction ", config.calibration_fraction, " is not in [0, 1)"));
  }
  if (config.calibration_images < 0) {
    throw UsageError(str("calibration_images ", config.calibration_images, " is negative"));
  }
}

std::string joined(const std::vector<std::string>& words, std::size_t most = 20) {
  std::string text;
  for (std::size_t i = 0; i < words.size() && i < most; ++i) text += (i ? ", " : "") + words[i];
  return words.size() > most ? str(text, ", ... (", words.size(), " in all)") : text;
}

// The names in a comma-separated list, each of them available. option: what it is called in errors, classes_text: what
// there is.
std::set<std::string> parse_classes(const char* option, const std::string& list, const std::string& path,
                                    const std::vector<std::string>& available, const std::string& classes_text) {
  std::set<std::string> classes;
  std::size_t begin = 0;
  while (begin <= list.size()) {
    const std::size_t comma = std::min(list.find(',', begin), list.size());
    std::string word = list.substr(begin, comma - begin);
    begin = comma + 1;
    word.erase(0, std::min(word.find_first_not_of(" \t"), word.size()));
    word.erase(word.find_last_not_of(" \t") + 1);
    if (word.empty()) throw UsageError(str(option, " '", list, "' has an empty name"));
    if (std::find(available.begin(), available.end(), word) == available.end()) {
      throw UsageError(str(option, " '", word, "' is not in '", path, "'; ", classes_text));
    }
    if (!classes.insert(word).second) throw UsageError(str(option, " names '", word, "' twice"));
  }
  return classes;
}

struct ClassRoles {
  std::set<std::string> normal, known;  // known: empty for all others
};

// empty: folders that would be classes if they held images.
ClassRoles parse_roles(const DataConfig& config, const std::vector<std::string>& available, const std::string& example,
                       const std::vector<std::string>& empty = {}) {
  const std::string classes_text =
      str("classes: ", joined(available), empty.empty() ? "" : "; folders without images: " + joined(empty));
  if (config.normal_class.empty()) {
    throw UsageError(str("'", config.path, "' holds several classes: normal_class must say which is normal, e.g. '",
                         example, "'; ", classes_text));
  }
  ClassRoles roles;
  roles.normal = parse_classes("normal_class", config.normal_class, config.path, available, classes_text);
  if (config.known_class.empty()) return roles;
  roles.known = parse_classes("known_class", config.known_class, config.path, available, classes_text);
  for (const std::string& name : roles.known)
    if (roles.normal.contains(name)) throw UsageError(str("known_class '", name, "' is a normal class"));
  return roles;
}

struct Class {
  std::string name;
  std::vector<Sample> samples;
};

// draw_new: else all images are left in the test set, for recall() to sort.
void split_classes(std::vector<Class> classes, const ClassRoles& roles, const DataConfig& config, bool draw_new,
                   Dataset& data) {
  for (Class& c : classes) {
    const bool anomalous = !roles.normal.contains(c.name);
    for (Sample& s : c.samples) s.anomalous = anomalous;
    if (!draw_new) {
      append(data.test, std::move(c.samples));
      continue;
    }
    const bool unknown = anomalous && !roles.known.empty() && !roles.known.contains(c.name);
    const double fraction = unknown ? 0 : anomalous ? config.abnormal_fraction : config.normal_fraction;
    const std::size_t count = share(fraction, c.samples.size());
    std::vector<Sample> known = draw(c.samples, count, seed_of(config.split_seed, "class " + c.name));
    append(anomalous ? data.train_abnormal : data.train_normal, std::move(known));
    append(data.test, std::move(c.samples));
  }
}

// At least this many, where others are left to train.
std::vector<Sample> hold_out(std::vector<Sample>& from, std::size_t least, const DataConfig& config,
                             const std::string& purpose) {
  const std::size_t n = from.size();
  if (n < 2 || config.calibration_fraction == 0.0) return {};
  std::size_t count = std::clamp<std::size_t>(share(config.calibration_fraction, n), least, n - 1);
  count = std::min(count, static_cast<std::size_t>(config.calibration_images));
  return draw(from, count, seed_of(config.split_seed, purpose));
}

std::vector<std::uint64_t> digests(std::initializer_list<const std::vector<Sample>*> lists) {
  std::vector<std::uint64_t> all;
  for (const auto* list : lists)
    for (const Sample& s : *list) all.push_back(fnv1a(s.name));
  std::sort(all.begin(), all.end());
  return all;
}

// Whether all images were divided, not only those below train/.
bool pooled(Layout layout) { return layout == Layout::kIdx || layout == Layout::kClasses; }

RememberedSplit split_of(const Dataset& data) {
  RememberedSplit split;
  split.train = digests({&data.train_normal, &data.train_abnormal});
  split.calibration = digests({&data.calibration_normal, &data.calibration_abnormal});
  split.images = static_cast<std::int64_t>(split.train.size() + split.calibration.size() +
                                           (pooled(data.layout) ? data.test.size() : 0));
  return split;
}

// What of the data is gone or new since the split was made; empty if nothing that matters.
std::string changes_since(const RememberedSplit& split, std::size_t train, std::size_t calibration,
                          std::size_t unknown) {
  const auto lost = [](const std::vector<std::uint64_t>& names, std::size_t found) {
    return names.size() - std::min(names.size(), found);
  };
  const std::size_t lost_train = lost(split.train, train), lost_held_out = lost(split.calibration, calibration);
  const auto added = static_cast<std::int64_t>(unknown + split.train.size() + split.calibration.size()) - split.images;
  std::string text;
  const auto say = [&](const auto&... parts) { text += (text.empty() ? "" : ", ") + str(parts...); };
  if (lost_train > 0) say(lost_train, " of its ", split.train.size(), " training images are gone");
  if (lost_held_out > 0)
    say(lost_held_out, " of its ", split.calibration.size(), " images held out for calibration are gone");
  if (added > 0) say(added, " new images are not used: only a new run trains on them");
  return text.empty() ? "" : "the data have changed since this run began: " + text;
}

// Sorts the images by what the split remembers of them.
void recall(const RememberedSplit& split, Purpose purpose, Dataset& data) {
  std::vector<Sample> divided;
  if (pooled(data.layout)) {
    divided = std::exchange(data.test, {});
  } else {
    divided = std::exchange(data.train_normal, {});
    for (auto* list : {&data.train_abnormal, &data.calibration_normal, &data.calibration_abnormal})
      append(divided, std::exchange(*list, {}));
    data.known = data.leave_out_of_test(split);
  }
  std::size_t train = 0, calibration = 0, unknown = 0;
  for (Sample& s : divided) {
    if (split.trained(s.name)) {
      ++train;
      (s.anomalous ? data.train_abnormal : data.train_normal).push_back(std::move(s));
    } else if (split.calibrated(s.name)) {
      ++calibration;
      (s.anomalous ? data.calibration_abnormal : data.calibration_normal).push_back(std::move(s));
    } else {
      ++unknown;
      if (pooled(data.layout)) data.test.push_back(std::move(s));
    }
  }
  if (pooled(data.layout)) data.known = train + calibration;
  data.split = split;
  if (purpose != Purpose::kTrain) return;
  if (std::string changes = changes_since(split, train, calibration, unknown); !changes.empty())
    data.notes.push_back(std::move(changes));
}

// ---- IDX ----

void open_idx(const std::vector<IdxPair>& pairs, const DataConfig& config, bool draw_new, Dataset& data) {
  std::map<int, Class> by_label;  // in the order of the digits
  std::shared_ptr<const IdxImages> first;
  for (const IdxPair& pair : pairs) {
    const auto images = data.source.idx(pair.images);
    const std::vector<std::uint8_t> labels = read_idx_labels(pair, *images);
    if (!first) first = images;
    if (images->rows != first->rows || images->cols != first->cols) {
      throw DataError(str("'", pair.images, "': images of ", images->cols, "x", images->rows, ", but '", first->path,
                          "' has ", first->cols, "x", first->rows));
    }
    for (long i = 0; i < images->count; ++i) {
      const int label = labels[static_cast<std::size_t>(i)];
      Class& c = by_label[label];
      c.name = std::to_string(label);
      c.samples.push_back({str(pair.name, "-images:", i), pair.images, i, c.name, false, ""});
    }
  }
  if (by_label.empty()) throw DataError(str("the IDX files in '", config.path, "' hold no image"));
  std::vector<Class> classes;
  std::vector<std::string> names;
  for (auto& [label, c] : by_label) {
    names.push_back(c.name);
    classes.push_back(std::move(c));
  }
  split_classes(std::move(classes), parse_roles(config, names, names.back()), config, draw_new, data);
  if (contains_images(config.path))
    data.notes.push_back(str("image files beside the IDX files in '", config.path, "' not used"));
}

// ---- folders ----

std::vector<Sample> folder_samples(const std::string& root, const std::string& folder, const std::string& group,
                                   bool anomalous, LeftOut& left_out) {
  std::vector<Sample> samples;
  const std::string path = join_path(root, folder);
  if (!is_directory(path)) return samples;
  for (const std::string& image : list_images(path, &left_out)) {
    samples.push_back({join_path(folder, image), join_path(path, image), -1, group, anomalous, ""});
  }
  return samples;
}

// The masks of a defect, found by the names of their images.
class MaskFolder {
 public:
  MaskFolder(const std::string& root, const std::string& defect) {
    const std::string folder = join_path(root, "ground_truth/" + defect);
    if (!is_directory(folder)) return;
    for (const std::string& name : list_images(folder)) {
      const std::size_t dot = name.rfind('.');
      const std::string ending = lower_case(name.substr(dot));
      const int rank = ending == ".png" ? 0 : ending.starts_with(".j") || ending == ".webp" ? 2 : 1;
      const std::string stem = name.substr(0, dot);
      for (auto& [masks, key] : {std::pair(&masks_, stem), std::pair(&folded_, lower_case(stem))}) {
        const auto [at, fresh] = masks->try_emplace(key, rank, join_path(folder, name));
        if (!fresh && rank < at->second.first) at->second = {rank, join_path(folder, name)};
      }
    }
  }

  // "<sub>/name.jpg" -> its "<sub>/name_mask.*", else "<sub>/name.*", in any readable format; a PNG before others,
  // lossy formats last. Where no name fits as it is written, capitals do not count. Empty if there is none.
  std::string find(const std::string& image) const {
    const std::string stem = image.substr(0, image.rfind('.'));
    for (const auto& [masks, key] : {std::pair(&masks_, stem), std::pair(&folded_, lower_case(stem))}) {
      for (const char* end : {"_mask", ""}) {
        if (const auto found = masks->find(key + end); found != masks->end()) return found->second.second;
      }
    }
    return "";
  }

 private:
  // By name without its ending, as it is and in small letters: rank, path.
  std::map<std::string, std::pair<int, std::string>> masks_, folded_;
};

void open_inspection(const std::string& root, Dataset& data) {
  std::vector<std::string> ignored;
  const auto add_defects = [&](const std::string& folder, const std::string& defect, std::vector<Sample>& to) {
    std::vector<Sample> samples = folder_samples(root, folder, defect, true, data.left_out);
    const MaskFolder masks(root, defect);
    long missing = 0;
    for (Sample& s : samples) {
      s.mask_path = masks.find(s.name.substr(folder.size() + 1));
      missing += s.mask_path.empty();
    }
    if (missing > 0 && is_directory(join_path(root, "ground_truth/" + defect))) {
      data.notes.push_back(
          str(missing, " of ", samples.size(), " images in '", folder, "' have no mask in ground_truth/", defect));
    }
    append(to, std::move(samples));
  };
  data.train_normal = folder_samples(root, "train/good", "good", false, data.left_out);
  add_defects("train/abnormal", "abnormal", data.train_abnormal);
  data.calibration_normal = folder_samples(root, "calibration/good", "good", false, data.left_out);
  add_defects("calibration/abnormal", "abnormal", data.calibration_abnormal);
  const auto loose_images = [&](const std::string& folder) {
    const auto files = list_files(join_path(root, folder), &data.left_out);
    const auto count = std::count_if(files.begin(), files.end(), has_image_extension);
    if (count > 0)
      data.notes.push_back(str(count, " images directly in '", folder, "' not used; expected them in subfolders"));
  };
  if (is_directory(join_path(root, "train"))) {
    loose_images("train");
    for (const std::string& name : list_subdirectories(join_path(root, "train"), &data.left_out)) {
      if (name != "good" && name != "abnormal") ignored.push_back("train/" + name);
    }
  }
  if (is_directory(join_path(root, "test"))) {
    loose_images("test");
    for (const std::string& name : list_subdirectories(join_path(root, "test"), &data.left_out)) {
      if (name == "good") {
        append(data.test, folder_samples(root, "test/good", "good", false, data.left_out));
      } else {
        add_defects("test/" + name, name, data.test);
      }
    }
  }
  if (!ignored.empty()) {
    data.notes.push_back(str("folders not used (expected train/good and train/abnormal): ", joined(ignored)));
  }
}

bool has_images_itself(const std::string& directory) {
  const std::vector<std::string> files = list_files(directory);
  return std::any_of(files.begin(), files.end(), has_image_extension);
}

bool holds_good(const std::string& root) {
  return is_directory(join_path(root, "train/good")) || is_directory(join_path(root, "test/good"));
}

bool is_inspection(const std::string& root) {
  if (holds_good(root)) return true;
  // Someone forgot train/good: better told so than taken for the classes "train" and "test".
  const std::string train = join_path(root, "train"), test = join_path(root, "test");
  if (!is_directory(train) && !is_directory(test)) return false;
  for (const std::string& folder : {train, test}) {
    if (is_directory(folder) && has_images_itself(folder)) return false;
  }
  if (is_directory(train) && !list_subdirectories(train).empty()) return true;
  // `train` or `test` empty or missing: so it is if there are no other folders that could be classes.
  for (const std::string& name : list_subdirectories(root)) {
    if (name != "train" && name != "test" && name != "calibration" && name != "ground_truth" &&
        contains_images(join_path(root, name)))
      return false;
  }
  return true;
}

// What is wrong with train/good, for an error.
std::string missing_good(const std::string& root) {
  const std::string good = join_path(root, "train/good");
  if (!path_exists(good)) return str("'", good, "' does not exist");
  if (!is_directory(good)) return str("'", good, "' is a file, expected a folder of images");
  std::error_code unreadable;  // then said elsewhere
  return std::filesystem::is_empty(good, unreadable) ? str("'", good, "' is empty")
                                                     : str("'", good, "' holds no image (", kImageEndings, ")");
}

// A folder of data sets, MVTec AD's for one, is no folder of classes: test defects would be trained on as normal.
void refuse_data_sets(const std::string& root, const std::vector<std::string>& classes) {
  std::vector<std::string> sets;
  for (const std::string& name : classes) {
    if (holds_good(join_path(root, name))) sets.push_back(name);
  }
  if (sets.empty()) return;
  throw UsageError(str("'", root, "' is no folder of classes: it holds data sets (with train/good or test/good): ",
                       joined(sets), "; expected one of them, e.g. --data ", join_path(root, sets.front())));
}

void open_folder(const DataConfig& config, bool draw_new, Dataset& data) {
  const std::string& root = config.path;
  if (is_inspection(root)) {
    data.layout = Layout::kInspection;
    open_inspection(root, data);
  } else {
    const std::vector<std::string> files = list_files(root, &data.left_out);
    const auto images = std::count_if(files.begin(), files.end(), has_image_extension);
    const bool as_classes = images == 0 || !config.normal_class.empty();
    std::vector<std::string> classes, empty;
    std::vector<Class> split;
    for (const std::string& name : list_subdirectories(root, &data.left_out)) {
      const std::size_t results = data.left_out.results.size();
      std::vector<Sample> samples;
      if (as_classes) samples = folder_samples(root, name, name, false, data.left_out);
      if (as_classes ? !samples.empty() : contains_images(join_path(root, name))) {
        classes.push_back(name);
        split.push_back({name, std::move(samples)});
      } else if (data.left_out.results.size() == results) {
        empty.push_back(name);
      }
    }
    if (images == 0 && classes.empty()) throw DataError(no_images(root, data.left_out));
    if (!classes.empty() && as_classes) {
      data.layout = Layout::kClasses;
      refuse_data_sets(root, classes);
      if (images > 0) data.notes.push_back(str(images, " images directly in '", root, "' not used"));
      const ClassRoles roles = parse_roles(config, classes, classes.front(), empty);
      split_classes(std::move(split), roles, config, draw_new, data);
    } else {
      data.layout = Layout::kFlat;
      if (!classes.empty()) data.notes.push_back(str("subfolders not used: ", joined(classes)));
      for (const std::string& name : files) {
        if (has_image_extension(name)) data.train_normal.push_back({name, join_path(root, name), -1, "", false, ""});
      }
    }
  }
  if (data.layout == Layout::kClasses) return;
  for (const auto& [option, value] :
       {std::pair("normal_class", &config.normal_class), std::pair("known_class", &config.known_class)}) {
    if (value->empty()) continue;
    throw UsageError(
        str(option, " '", *value, "' has no meaning for '", root, "', which is ",
            data.layout == Layout::kFlat ? "a flat folder of images" : "an inspection folder (train/good)"));
  }
}

}  // namespace

const char* layout_name(Layout layout) {
  switch (layout) {
    case Layout::kIdx:
      return "idx";
    case Layout::kInspection:
      return "inspection";
    case Layout::kClasses:
      return "classes";
    case Layout::kFlat:
      return "flat";
  }
  return "unknown";
}

Preprocessing Dataset::preprocessing(int resolution, int channels, const DataConfig& config) const {
  Preprocessing p;
  p.resolution = resolution;
  p.channels = channels;
  p.exif_orientation = source.options.exif_orientation;
  p.bits = source.options.expected_bits;
  p.tiles = config.tiles == Tiles::kOn;
  if (p.tiles) {
    p.scale = config.scale;
    p.normalise = config.normalise;
  } else {
    p.fit = config.fit;
    p.pad_small = layout == Layout::kIdx;
  }
  return p;
}

Dataset Dataset::open(const DataConfig& config, Purpose purpose, const RememberedSplit* remembered) {
  check_options(config);
  if (config.path.empty()) throw UsageError("no data path given");
  if (!path_exists(config.path)) throw DataError(str("data path '", config.path, "' does not exist"));
  if (!is_directory(config.path)) {
    throw DataError(str("data path '", config.path, "' is a file, expected a folder of images or of IDX files"));
  }
  Dataset data;
  data.source.options.exif_orientation = config.exif_orientation;
  data.source.options.bits = config.bits;
  data.source.options.max_pixels = config.max_pixels;
  const bool draw_new = remembered == nullptr;
  const std::vector<IdxPair> pairs = find_idx_pairs(config.path);
  if (!pairs.empty()) {
    data.layout = Layout::kIdx;
    open_idx(pairs, config, draw_new, data);
  } else {
    open_folder(config, draw_new, data);
  }
  for (std::string& note : data.left_out.notes()) data.notes.push_back(std::move(note));
  if (draw_new) {
    // Those that lie in calibration/ are all there are.
    if (data.calibration_normal.empty())
      data.calibration_normal = hold_out(data.train_normal, 1, config, "calibration normal");
    // A fit of `combined` to a single known abnormal may go wrong (docs/results.md); of few, a third at most is held
    // out.
    const std::size_t least = data.train_abnormal.size() < 6 ? 1 : 2;
    if (data.calibration_abnormal.empty())
      data.calibration_abnormal = hold_out(data.train_abnormal, least, config, "calibration abnormal");
    data.split = split_of(data);
  } else {
    recall(*remembered, purpose, data);
  }
  if (purpose == Purpose::kEvaluate) {
    data.require_both_kinds_in_test();
  } else if (data.train_normal.empty()) {
    std::string problem;
    if (!draw_new) {
      problem = str("none of the normal images that this run trains on is in '", config.path,
                    "': expected the folder it was started with, wherever that lies now");
    } else if (data.layout == Layout::kInspection) {
      problem = str("no normal images to train on: ", missing_good(config.path));
    } else {
      problem = str("no normal images to train on: normal_fraction ", config.normal_fraction,
                    " of the images of class '", config.normal_class, "' in '", config.path, "' is none");
    }
    for (const std::string& folder : data.left_out.folders) problem += "; folder not read: " + folder;
    throw DataError(problem);
  }
  return data;
}

std::size_t Dataset::leave_out_of_test(const RememberedSplit& other) {
  return std::erase_if(test, [&](const Sample& s) { return other.trained(s.name) || other.calibrated(s.name); });
}

void Dataset::require_both_kinds_in_test() const {
  const auto anomalous = std::count_if(test.begin(), test.end(), [](const Sample& s) { return s.anomalous; });
  const auto normal = static_cast<std::ptrdiff_t>(test.size()) - anomalous;
  if (normal > 0 && anomalous > 0) return;
  const char* missing = test.empty() ? "no images" : normal == 0 ? "no normal images" : "no anomalous images";
  const char* hint = layout == Layout::kInspection ? "expected test/good and at least one test/<defect> with images"
                     : layout == Layout::kFlat     ? "a flat folder has no labels"
                                                   : "lower normal_fraction and abnormal_fraction, or add classes";
  throw DataError(str("evaluation needs normal and anomalous test images, but the test set (layout ",
                      layout_name(layout), ") has ", missing,
                      known > 0 ? str(" beside ", known, " that trained or calibrated the model, by their names") : "",
                      "; ", hint));
}

}  // namespace pgad
