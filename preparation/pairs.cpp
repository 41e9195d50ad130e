#include "preparation/pairs.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "engine/check.h"
#include "images/image.h"
#include "images/preprocess.h"
#include "preparation/text.h"

namespace pgad {
namespace {

// ---- Which file is whose mask ----

struct Pair {
  std::string image, mask;  // mask: empty if there is none
};

struct Pairs {
  std::vector<Pair> found;
  std::vector<std::string> orphans;  // masks without an image
  std::string ambiguous;             // why two files cannot be told, for an error
  std::size_t paired = 0;
  bool named = false;  // masks by their names, not by those of their images alone

  // Whether the folder is one of pairs at all. Some files of one stem may be one picture in two formats.
  bool any() const { return named || (paired > 0 && 3 * paired >= found.size()); }
};

// Of two files of one stem the PNG is the mask, or the one beside a JPEG.
std::optional<Pair> told_apart(const std::string& a, const std::string& b) {
  const auto is_png = [](const std::string& file) { return ending_of(file) == ".png"; };
  const auto is_jpeg = [](const std::string& file) { return ending_of(file).starts_with(".jp"); };
  if (is_png(a) != is_png(b)) return is_png(a) ? Pair{b, a} : Pair{a, b};
  if (is_jpeg(a) != is_jpeg(b)) return is_jpeg(a) ? Pair{a, b} : Pair{b, a};
  return std::nullopt;
}

// The stem of the image whose mask has this stem; none if it is no mask's. A copy's mark stays: that of "7_GT (copy)"
// is "7 (copy)".
std::optional<std::string> image_of_mask(const std::string& stem) {
  std::size_t end = stem.size();
  if (stem.ends_with(" - Copy")) end -= 7;
  if (stem.ends_with(')') && stem.rfind(" (") != std::string::npos) end = stem.rfind(" (");
  const std::string name = stem.substr(0, end);
  for (const std::string_view mark : {"_mask", "_label", "_gt"})
    if (lower_case(name).ends_with(mark)) return name.substr(0, name.size() - mark.size()) + stem.substr(end);
  return std::nullopt;
}

Pairs pair_up(const std::vector<std::string>& files) {
  std::map<std::string, std::vector<std::string>> by_stem;
  for (const std::string& file : files) by_stem[stem_of(file)].push_back(file);
  std::map<std::string, std::string> masks;  // stem of the image -> mask
  Pairs pairs;
  std::set<std::string> used;
  for (const auto& [stem, same] : by_stem) {
    const std::optional<std::string> image = image_of_mask(stem);
    if (!image) continue;
    used.insert(stem);
    if (!by_stem.contains(*image))
      pairs.orphans.insert(pairs.orphans.end(), same.begin(), same.end());
    else if (same.size() > 1 || !masks.emplace(*image, same.front()).second)
      pairs.ambiguous = str("'", *image, "' has several masks, ", joined(same), " among them; expected one");
  }
  for (const auto& [stem, same] : by_stem) {
    if (used.contains(stem)) continue;
    const auto mask = masks.find(stem);
    std::optional<Pair> pair;
    if (same.size() == 1) pair = {same.front(), mask == masks.end() ? "" : mask->second};
    if (same.size() == 2 && mask == masks.end()) pair = told_apart(same[0], same[1]);
    if (pair)
      pairs.found.push_back(*pair);
    else
      pairs.ambiguous = str("which of ", joined(same), " is the image and which its mask? Expected an image and a PNG");
    pairs.paired += pair && !pair->mask.empty();
    pairs.named = pairs.named || mask != masks.end();
  }
  return pairs;
}

// The folders that hold pairs; {""} if they lie in the source itself.
std::vector<std::string> folders_of_pairs(const std::string& source) {
  std::vector<std::string> folders;
  bool any = false;
  for (const std::string& name : list_subdirectories(source)) {
    const std::vector<std::string> images = list_images(join_path(source, name));
    if (images.empty()) continue;
    folders.push_back(name);
    any = any || pair_up(images).any();
  }
  if (any) return folders;
  return pair_up(images_directly_in(source)).any() ? std::vector<std::string>{""} : std::vector<std::string>{};
}

// ---- What they show ----

enum class Shows { kNothing, kSomething, kLabels, kGrey };  // black; black and more; 3 to 8 values; cannot be split

struct Mask {
  Shows shows = Shows::kNothing;
  bool soft = false;  // edges of more values than labels have
};

Mask look_at_mask(const std::string& file) {
  constexpr double kByItsValues = std::numeric_limits<double>::quiet_NaN();
  constexpr std::size_t kLabels = 8;
  const Image image = read_image(file, nullptr, {.keep_alpha = true});
  std::set<float> values;
  for (const float v : image.pixels)
    if (values.size() <= kLabels) values.insert(v);
  Mask mask;
  mask.soft = image.lossy || values.size() > kLabels;
  try {
    const bool any = std::ranges::count(mask_pixels(image, kByItsValues, file), 1) > 0;
    mask.shows = any ? Shows::kSomething : Shows::kNothing;
  } catch (const DataError&) {
    mask.shows = mask.soft ? Shows::kGrey : Shows::kLabels;
  }
  return mask;
}

struct Found {
  Pair pair;
  std::string folder;
  bool normal;  // by the folder
  std::optional<Mask> mask;

  bool black() const { return mask && mask->shows == Shows::kNothing; }
  bool marked() const { return mask && mask->shows != Shows::kNothing; }
};

// Whether most folders that are not normal hold images of both sorts: then they are parts or days, not kinds.
bool mostly_mixed(const std::vector<Found>& all) {
  std::set<std::string> black, marked;
  for (const Found& f : all) {
    if (!f.normal && f.black()) black.insert(f.folder);
    if (!f.normal && f.marked()) marked.insert(f.folder);
  }
  const auto mixed = std::ranges::count_if(marked, [&](const std::string& folder) { return black.contains(folder); });
  return 2 * mixed > std::ssize(marked);
}

// "MT_" of MT_Crack and MT_Free; ends in a separator, and is nobody's whole name.
std::string common_prefix(const std::vector<std::string>& names) {
  if (names.size() < 2) return "";
  std::string prefix = names.front();
  for (const std::string& name : names)
    prefix.resize(static_cast<std::size_t>(std::ranges::mismatch(prefix, name).in1 - prefix.begin()));
  prefix.resize(prefix.find_last_of("_- ") + 1);
  return std::ranges::find(names, prefix) == names.end() ? prefix : "";
}

class Notes {
 public:
  explicit Notes(std::vector<std::string>& notes) : notes_(notes) {}
  template <class... Parts>
  void count(long n, const Parts&... parts) {
    if (n > 0) notes_.push_back(str(n, parts...));
  }

 private:
  std::vector<std::string>& notes_;
};

// Decides by folders and masks.
void decide(const std::vector<Found>& all, const std::vector<std::string>& folders, PairedImages& result) {
  const bool flat = folders == std::vector<std::string>{""}, split = !flat && std::ranges::all_of(folders, is_split);
  const bool mixed = !flat && !split && mostly_mixed(all), kinds = !flat && !split && !mixed;
  const std::string prefix = kinds ? common_prefix(folders) : "";
  long soft = 0, marked_normal = 0, labels = 0, masks = 0;
  std::vector<std::string> black_defects, grey, without;
  for (const Found& f : all) {
    masks += f.marked();
    soft += f.marked() && f.mask->soft;
  }
  const double threshold = 2 * soft > masks ? 0.5 : 0;  // edges of a few values, or labels of kinds
  for (const Found& f : all) {
    PairedImage image{f.pair.image, "", "", split && !lower_case(f.folder).starts_with("test"), std::nullopt};
    const bool normal = f.normal || (!kinds && !f.marked());
    if (!normal) {
      image.kind = kinds ? lower_case(f.folder.substr(prefix.size())) : "defect";
      // A black mask says nothing of where the defect is.
      if (f.marked()) image.mask = f.pair.mask;
      if (f.marked() && f.mask->shows == Shows::kLabels) image.threshold = threshold;
      if (f.black()) black_defects.push_back(f.pair.mask);
      if (f.marked() && f.mask->shows == Shows::kGrey) grey.push_back(f.pair.mask);
    }
    labels += image.threshold.has_value();
    marked_normal += f.normal && f.marked();
    if (!f.normal && f.pair.mask.empty()) without.push_back(f.pair.image);
    result.images.push_back(std::move(image));
  }
  if (mixed)
    result.notes.push_back(
        "most folders hold normal and defective images: they are not taken for kinds, all defects are 'defect'");
  Notes notes(result.notes);
  notes.count(marked_normal, " images of folders called normal have masks that mark something: the names count");
  notes.count(
      std::ssize(black_defects),
      " images of defects have black masks: their folders count, the masks are left out: ", joined(black_defects));
  notes.count(
      std::ssize(without),
      kinds ? " images of defects have no mask: " : " images without a mask are taken for normal: ", joined(without));
  notes.count(labels, " masks of three to eight values are written anew: ",
              threshold > 0 ? "split at one half, for most masks here have soft edges" : "all above 0 is anomalous");
  notes.count(std::ssize(grey), " masks do not tell black from white: they are left as they are: ", joined(grey));
}

}  // namespace

bool holds_pairs(const std::string& source) { return !folders_of_pairs(source).empty(); }

PairedImages read_pairs(const std::string& source, const std::string& normal, const std::function<void()>& check_stop) {
  const std::vector<std::string> folders = folders_of_pairs(source);
  if (folders.empty())
    throw UsageError(str("'", source,
                         "': expected images with masks beside them (x.jpg and x.png, x_mask.png, x_label.bmp or "
                         "x_GT.png) in it or in its subfolders"));
  const bool flat = folders == std::vector<std::string>{""};
  const std::set<std::string> told = names_of("--normal", normal, flat ? std::vector<std::string>{} : folders);
  PairedImages result;
  std::vector<Found> all;
  std::vector<std::string> orphans, guessed;
  for (const std::string& folder : folders) {
    const std::string path = flat ? source : join_path(source, folder);
    const Pairs pairs = pair_up(flat ? images_directly_in(path) : list_images(path, &result.left_out));
    if (!pairs.ambiguous.empty()) throw DataError(str("'", path, "': ", pairs.ambiguous));
    for (const std::string& orphan : pairs.orphans) orphans.push_back(join_path(folder, orphan));
    const bool guess = told.empty() && sounds_normal(folder);
    if (guess) guessed.push_back(folder);
    for (const Pair& pair : pairs.found) {
      check_stop();
      Found found{{join_path(path, pair.image), pair.mask.empty() ? "" : join_path(path, pair.mask)},
                  folder,
                  guess || told.contains(folder),
                  std::nullopt};
      if (!pair.mask.empty() && !told.contains(folder)) found.mask = look_at_mask(found.pair.mask);
      all.push_back(std::move(found));
    }
  }
  if (!guessed.empty())
    result.notes.push_back(str("taken for normal by their names: ", joined(guessed), "; --normal says otherwise"));
  decide(all, folders, result);
  if (!orphans.empty())
    result.notes.push_back(str(orphans.size(), " masks have no image and are left out: ", joined(orphans)));
  if (const auto beside = std::ssize(images_directly_in(source)); !flat && beside > 0)
    result.notes.push_back(str(beside, " images directly in '", source, "' are not used"));
  return result;
}

}  // namespace pgad
