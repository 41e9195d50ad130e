#include "preparation/check.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <exception>
#include <filesystem>
#include <limits>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <unordered_map>

#include "engine/check.h"
#include "engine/hash.h"
#include "engine/team.h"
#include "images/dataset.h"
#include "images/printable.h"
#include "preparation/fine_detail.h"

namespace pgad {
namespace {

constexpr int kDetailSide = 32, kFineSide = 512;
constexpr double kAlike = 0.9, kSmallAlike = 0.98;  // correlations of fine detail
constexpr int kGradientBits = 10;                   // of 64 that may differ
constexpr int kLeastSide = 8;                       // pixels: less is no picture of anything

// What is kept of an image.
struct Seen {
  bool readable = false;
  int height = 0, width = 0, channels = 0, bits = 8, orientation = 1;
  bool constant = false;
  std::uint64_t pixels = 0;     // hash
  std::uint64_t gradients = 0;  // of the coarse picture: whether it grows brighter to the right
  std::vector<std::int8_t> detail;
};

std::uint64_t coarse_gradients(const std::vector<float>& small) {
  const std::vector<float> coarse = resize(small, kDetailSide, kDetailSide, 1, 8, 9);
  std::uint64_t bits = 0;
  for (std::size_t y = 0; y < 8; ++y)
    for (std::size_t x = 0; x < 8; ++x) bits = bits << 1 | (coarse[9 * y + x + 1] > coarse[9 * y + x]);
  return bits;
}

Seen look_at(const Image& image) {
  Seen seen;
  seen.readable = true;
  seen.height = image.height;
  seen.width = image.width;
  seen.channels = image.channels;
  seen.bits = image.bits;
  seen.orientation = image.orientation;
  const auto [low, high] = std::ranges::minmax(image.pixels);
  seen.constant = low == high;
  const std::int32_t shape[] = {image.height, image.width, image.channels};
  seen.pixels = fnv1a(std::as_bytes(std::span(image.pixels)), fnv1a(std::as_bytes(std::span(shape))));
  // Stretched to one shape, so that all can be compared.
  const std::vector<float> small = Grey(image).resized(kDetailSide, kDetailSide);
  seen.gradients = coarse_gradients(small);
  seen.detail = in_bytes(fine_detail(small, kDetailSide, kDetailSide));
  return seen;
}

// Whether two images have the same fine detail, at the smaller one's size.
bool same_detail(const Image& first, const Image& second) {
  const Grey a(first), b(second);
  const int height = std::min({a.height, b.height, kFineSide}), width = std::min({a.width, b.width, kFineSide});
  const std::vector<float> x = fine_detail(a.resized(height, width), height, width),
                           y = fine_detail(b.resized(height, width), height, width);
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += static_cast<double>(x[i]) * y[i];
  // Small pictures, digits for one, are alike by chance.
  return sum > (std::min(height, width) < 64 ? kSmallAlike : kAlike);
}

// An image of the set, with the list it is in.
struct Place {
  const Sample* sample;
  std::string list;
  bool test;
};

class Checker {
 public:
  Checker(const CheckOptions& options, const std::function<void(long, long)>& progress,
          const std::function<bool()>& stop)
      : options_(options), progress_(progress), stop_(stop) {}

  CheckReport run() {
    open();
    look();
    describe();
    masks();
    duplicates();
    near_duplicates();
    amounts();
    std::ranges::stable_sort(report_.findings, {}, &Finding::severity);
    return std::move(report_);
  }

 private:
  void find(Severity severity, const char* code, const std::string& text, const std::vector<std::string>& files = {}) {
    report_.findings.push_back({severity, code, text, files});
  }

  void each(std::size_t n, const std::function<void(std::size_t)>& body) {
    if (!for_each_index(n, options_.threads, stop_, body)) throw Error("interrupted");
  }

  void open() {
    report_.path = options_.data.path;
    try {
      data_ = Dataset::open(options_.data, Purpose::kTrain);
    } catch (const UsageError&) {
      throw;
    } catch (const Error& e) {
      // What can be tested on may still be there: a set that is yet to be divided.
      const std::exception_ptr first = std::current_exception();
      try {
        data_ = Dataset::open(options_.data, Purpose::kEvaluate);
      } catch (const Error&) {
        std::rethrow_exception(first);
      }
      find(Severity::kWarning, "no-train", str("it cannot be trained on: ", e.what()));
    }
    report_.layout = layout_name(data_.layout);
    const auto add = [&](const std::vector<Sample>& samples, const std::string& list, bool test) {
      for (const Sample& s : samples) {
        places_.push_back({&s, test ? "test " + (s.anomalous ? s.group : "good") : list, test});
        ++report_.images[places_.back().list];
      }
    };
    add(data_.train_normal, "train normal", false);
    add(data_.train_abnormal, "train abnormal", false);
    add(data_.calibration_normal, "calibration normal", false);
    add(data_.calibration_abnormal, "calibration abnormal", false);
    add(data_.test, "", true);
    for (const std::string& note : data_.notes) find(Severity::kNote, "set-note", note);
  }

  void look() {
    seen_.resize(places_.size());
    std::vector<std::string> reasons(places_.size());
    std::map<std::string, std::vector<std::string>> remarks;
    std::mutex mutex;
    long done = 0;
    each(places_.size(), [&](std::size_t i) {
      std::vector<std::string> notes;
      try {
        seen_[i] = look_at(data_.source.load(*places_[i].sample, &notes));
      } catch (const Error& e) {
        reasons[i] = e.what();
      }
      const std::scoped_lock lock(mutex);
      for (const std::string& note : notes) remarks[note].push_back(path(i));
      progress_(++done, static_cast<long>(places_.size()));
    });
    // Each with its reason: they differ.
    std::vector<std::string> unreadable;
    for (const std::string& reason : reasons)
      if (!reason.empty()) unreadable.push_back(reason);
    if (!unreadable.empty())
      find(Severity::kError, "unreadable", str(unreadable.size(), " images cannot be read"), unreadable);
    for (auto& [note, files] : remarks) {
      std::ranges::sort(files);
      find(Severity::kNote, "file-note", note, files);
    }
  }

  std::string path(std::size_t i) const {
    const Sample& s = *places_[i].sample;
    return s.index < 0 ? s.path : s.name;
  }

  void describe() {
    std::map<std::string, std::vector<std::string>> by_size, by_channels, by_bits;
    std::vector<std::string> turned, constant, small;
    for (std::size_t i = 0; i < seen_.size(); ++i) {
      const Seen& s = seen_[i];
      if (!s.readable) continue;
      const std::string size = str(s.width, "x", s.height);
      ++report_.sizes[size];
      ++(s.channels == 1 ? report_.grey : report_.colour);
      ++report_.bits[s.bits];
      by_size[size].push_back(path(i));
      by_channels[s.channels == 1 ? "grey" : "colour"].push_back(path(i));
      if (s.bits > 8) by_bits[std::to_string(s.bits)].push_back(path(i));
      if (s.orientation != 1) turned.push_back(path(i));
      if (s.constant) constant.push_back(path(i));
      if (std::min(s.height, s.width) < kLeastSide) small.push_back(path(i));
    }
    // The files of the rarest: they are what is odd, if anything is.
    const auto rarest = [](const std::map<std::string, std::vector<std::string>>& groups) {
      return std::ranges::min_element(groups, {}, [](const auto& g) { return g.second.size(); })->second;
    };
    const auto counts = [](const std::map<std::string, std::vector<std::string>>& groups) {
      std::string text;
      for (const auto& [name, files] : groups) text += str(text.empty() ? "" : ", ", files.size(), " ", name);
      return text;
    };
    if (by_size.size() > 1)
      find(Severity::kNote, "sizes", str("the images have ", by_size.size(), " different sizes; these have the rarest"),
           rarest(by_size));
    if (by_channels.size() > 1)
      find(Severity::kWarning, "channels",
           str("grey and colour files are mixed (", counts(by_channels), "): D may learn the file type for a defect"),
           rarest(by_channels));
    if (by_bits.size() > 1)
      find(Severity::kError, "bits",
           str("files of more than 8 bits have different depths (", counts(by_bits),
               " bit): pgad_train refuses them (--bits)"),
           rarest(by_bits));
    if (by_bits.size() == 1 && report_.bits.contains(8))
      find(Severity::kNote, "bits", str("files of 8 bits and of ", by_bits.begin()->first, " are mixed"),
           by_bits.begin()->second);
    if (!turned.empty())
      find(Severity::kNote, "orientation",
           str(turned.size(),
               " images are turned or mirrored as their files say (EXIF), unless --no-exif-orientation is given"),
           turned);
    if (!constant.empty())
      find(Severity::kWarning, "constant", str(constant.size(), " images have one value throughout"), constant);
    if (!small.empty())
      find(Severity::kWarning, "small", str(small.size(), " images are less than ", kLeastSide, " pixels high or wide"),
           small);
  }

  void masks() {
    std::vector<std::string> without, empty, whole;
    std::vector<std::size_t> with;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (!places_[i].sample->anomalous) continue;
      if (places_[i].sample->mask_path.empty())
        without.push_back(path(i));
      else
        with.push_back(i);
    }
    std::vector<std::string> problems(with.size()), notes(with.size());
    std::vector<double> shares(with.size(), -1);
    each(with.size(), [&](std::size_t k) {
      const std::size_t i = with[k];
      const std::string& file = places_[i].sample->mask_path;
      try {
        DecodeOptions decode = data_.source.options;
        decode.keep_alpha = true;
        const Image mask = read_image(file, nullptr, decode);
        if (seen_[i].readable && (mask.height != seen_[i].height || mask.width != seen_[i].width))
          throw DataError(str("'", file, "': ", mask.width, "x", mask.height, " pixels, but its image '", path(i),
                              "' has ", seen_[i].width, "x", seen_[i].height));
        const std::vector<std::uint8_t> pixels = mask_pixels(mask, std::numeric_limits<double>::quiet_NaN(), file);
        shares[k] = static_cast<double>(std::ranges::count(pixels, 1)) / static_cast<double>(pixels.size());
      } catch (const Error& e) {
        problems[k] = e.what();
      }
    });
    std::vector<std::string> bad;
    std::vector<double> marked;
    for (std::size_t k = 0; k < with.size(); ++k) {
      if (!problems[k].empty()) bad.push_back(problems[k]);
      if (shares[k] == 0) empty.push_back(places_[with[k]].sample->mask_path);
      if (shares[k] == 1) whole.push_back(places_[with[k]].sample->mask_path);
      if (shares[k] > 0) marked.push_back(shares[k]);
    }
    report_.masks = static_cast<long>(marked.size());
    if (!marked.empty()) {
      std::ranges::sort(marked);
      report_.median_defect = (marked[marked.size() / 2] + marked[(marked.size() - 1) / 2]) / 2;
    }
    if (!bad.empty()) find(Severity::kError, "mask", str(bad.size(), " masks do not fit or cannot be used"), bad);
    if (!empty.empty())
      find(Severity::kWarning, "empty-mask", str(empty.size(), " masks of abnormal images mark nothing"), empty);
    if (!whole.empty())
      find(Severity::kWarning, "whole-mask", str(whole.size(), " masks mark their whole image"), whole);
    if (!without.empty() && !with.empty())
      find(Severity::kNote, "no-mask",
           str(without.size(), " abnormal images have no mask: there are no figures on their pixels"), without);
    orphans();
  }

  // Masks that no image asks for.
  void orphans() {
    const std::string root = join_path(options_.data.path, "ground_truth");
    if (data_.layout != Layout::kInspection || !is_directory(root)) return;
    std::set<std::string> used;
    for (const Place& p : places_) used.insert(p.sample->mask_path);
    std::vector<std::string> orphans;
    for (const std::string& name : list_images(root))
      if (const std::string file = join_path(root, name); !used.contains(file)) orphans.push_back(file);
    if (!orphans.empty())
      find(Severity::kWarning, "orphan-mask",
           str(orphans.size(),
               " masks belong to no image (ground_truth/KIND/NAME_mask.png belongs to test/KIND/NAME.*)"),
           orphans);
  }

  // Whether the same picture in both places makes figures wrong.
  bool conflict(std::size_t a, std::size_t b) const {
    return places_[a].test != places_[b].test || places_[a].sample->anomalous != places_[b].sample->anomalous;
  }
  std::string pair_text(std::size_t a, std::size_t b) const {
    return str(path(a), " (", places_[a].list, ") = ", path(b), " (", places_[b].list, ")");
  }
  // Pairs that conflict, and the others: training images and those held out for calibration are one side.
  void report_pairs(const char* code, const char* what, Severity conflicting,
                    const std::vector<std::pair<std::size_t, std::size_t>>& pairs) {
    std::vector<std::string> leaks, others;
    for (const auto& [a, b] : pairs) (conflict(a, b) ? leaks : others).push_back(pair_text(a, b));
    if (!leaks.empty())
      find(conflicting, code,
           str(leaks.size(), " pairs of ", what,
               " lie on both sides of a split, in training and test or among normal and abnormal images"),
           leaks);
    if (!others.empty()) find(Severity::kWarning, code, str(others.size(), " pairs of ", what), others);
  }

  void duplicates() {
    std::unordered_map<std::uint64_t, std::size_t> first;
    std::vector<std::pair<std::size_t, std::size_t>> pairs;
    duplicate_.assign(seen_.size(), false);
    for (std::size_t i = 0; i < seen_.size(); ++i) {
      if (!seen_[i].readable || seen_[i].constant) continue;
      const auto [at, fresh] = first.try_emplace(seen_[i].pixels, i);
      if (fresh) continue;
      pairs.emplace_back(at->second, i);
      duplicate_[i] = true;
    }
    report_pairs("duplicate", "images with the same pixels", Severity::kError, pairs);
  }

  // Earlier images that may show what the i-th does, the most alike first, those that conflict before the others.
  std::vector<std::size_t> candidates(std::size_t i) const {
    constexpr std::size_t kMost = 3;  // of each sort: pictures of one object are alike at 32x32, and few at 512x512
    std::vector<std::pair<double, std::size_t>> sorts[2];
    for (std::size_t j = 0; j < i; ++j) {
      if (!seen_[j].readable || duplicate_[j] || std::popcount(seen_[i].gradients ^ seen_[j].gradients) > kGradientBits)
        continue;
      auto& best = sorts[conflict(i, j) ? 0 : 1];
      const double c = correlation(seen_[i].detail, seen_[j].detail);
      if (c <= kAlike || (best.size() == kMost && c <= best.back().first)) continue;
      if (best.size() == kMost) best.pop_back();
      best.insert(std::ranges::upper_bound(best, c, std::greater{}, &std::pair<double, std::size_t>::first), {c, j});
    }
    std::vector<std::size_t> all;
    for (const auto& best : sorts)
      for (const auto& [c, j] : best) all.push_back(j);
    return all;
  }

  void near_duplicates() {
    std::vector<std::optional<std::size_t>> partner(seen_.size());
    each(seen_.size(), [&](std::size_t i) {
      if (!seen_[i].readable || duplicate_[i]) return;
      const std::vector<std::size_t> alike = candidates(i);
      if (alike.empty()) return;
      const Image image = data_.source.load(*places_[i].sample);
      for (const std::size_t j : alike)
        if (same_detail(data_.source.load(*places_[j].sample), image)) {
          partner[i] = j;
          return;
        }
    });
    std::vector<std::pair<std::size_t, std::size_t>> pairs;
    for (std::size_t i = 0; i < partner.size(); ++i)
      if (partner[i]) pairs.emplace_back(*partner[i], i);
    report_pairs("near-duplicate", "nearly the same images", Severity::kWarning, pairs);
  }

  // How more normal images come to be held out.
  std::string more_held_out() const {
    const double fraction = options_.data.calibration_fraction;
    const int most = options_.data.calibration_images;
    if (data_.calibration_normal.size() > 0 && data_.calibration_normal[0].name.starts_with("calibration/"))
      return "more of them in calibration/good";
    const std::string limit =
        most < options_.held_out_needed ? str("; and --calibration-images, now ", most, ", must allow for them") : "";
    return (fraction == 0 ? "a --calibration-fraction above 0"
                          : str(std::ceil(options_.held_out_needed / fraction),
                                " normal images, or a larger --calibration-fraction")) +
           limit;
  }

  void amounts() {
    const auto held_out = static_cast<int>(data_.calibration_normal.size());
    const std::size_t normal = data_.train_normal.size() + data_.calibration_normal.size();
    if (normal > 0 && held_out < options_.held_out_needed)
      find(Severity::kWarning, "few-normal",
           str("of ", normal, " normal training images ", held_out,
               " are held out for the threshold; a false-reject rate of ", options_.false_reject_rate, " needs ",
               options_.held_out_needed, " to be bounded: ", more_held_out()));
    const auto anomalous = std::ranges::count_if(data_.test, &Sample::anomalous);
    if (data_.test.empty() || anomalous == 0 || anomalous == static_cast<long>(data_.test.size()))
      find(Severity::kNote, "no-test",
           data_.test.empty() ? "there is nothing to test on"
           : anomalous == 0   ? "the test has no abnormal image: there is no AUROC"
                              : "the test has no normal image: there is no AUROC");
  }

  const CheckOptions& options_;
  const std::function<void(long, long)>& progress_;
  const std::function<bool()>& stop_;
  CheckReport report_;
  Dataset data_;
  std::vector<Place> places_;
  std::vector<Seen> seen_;       // of each place
  std::vector<bool> duplicate_;  // of one before it
};

const char* word(Severity severity) {
  return severity == Severity::kError ? "error" : severity == Severity::kWarning ? "warning" : "note";
}

}  // namespace

bool CheckReport::failed() const {
  return std::ranges::any_of(findings, [](const Finding& f) { return f.severity == Severity::kError; });
}

CheckReport check_data(const CheckOptions& options, const std::function<void(long, long)>& progress,
                       const std::function<bool()>& stop) {
  return Checker(options, progress, stop).run();
}

std::string check_report_text(const CheckReport& report, std::size_t most_files) {
  std::string text = str(report.path, ": ", report.layout, " data\n");
  for (const auto& [list, count] : report.images) text += str("  ", count, " ", list, "\n");
  std::vector<std::pair<std::string, long>> sizes(report.sizes.begin(), report.sizes.end());
  std::ranges::stable_sort(sizes, std::greater{}, &std::pair<std::string, long>::second);
  text += "  sizes: ";
  for (std::size_t i = 0; i < std::min<std::size_t>(sizes.size(), 5); ++i)
    text += str(i ? ", " : "", sizes[i].second, " of ", sizes[i].first);
  if (sizes.size() > 5) text += str(", ", sizes.size() - 5, " other sizes");
  text += str("; ", report.grey, " grey, ", report.colour, " in colour; ");
  bool first = true;
  for (const auto& [bits, count] : report.bits) {
    text += str(first ? "" : ", ", count, " of ", bits, " bits");
    first = false;
  }
  text += "\n";
  if (report.masks > 0)
    text += str("  ", report.masks, " masks; the median one marks ", std::round(1e4 * report.median_defect) / 100,
                " % of its image\n");
  std::map<Severity, long> counts;
  for (const Finding& f : report.findings) {
    ++counts[f.severity];
    text += str(word(f.severity), " [", f.code, "]: ", f.text, "\n");
    for (std::size_t i = 0; i < std::min(f.files.size(), most_files); ++i) text += str("    ", f.files[i], "\n");
    if (f.files.size() > most_files) text += str("    ... and ", f.files.size() - most_files, " more\n");
  }
  text += str(counts[Severity::kError], " errors, ", counts[Severity::kWarning], " warnings, ", counts[Severity::kNote],
              " notes\n");
  return printable(text);
}

namespace {

// What is not UTF-8 cannot stand in JSON.
std::map<std::string, long> printable_keys(const std::map<std::string, long>& counts) {
  std::map<std::string, long> printed;
  for (const auto& [key, count] : counts) printed[printable(key)] += count;
  return printed;
}

}  // namespace

std::string check_report_json(const CheckReport& report) {
  nlohmann::ordered_json json = {{"data", printable(report.path)},
                                 {"layout", report.layout},
                                 {"images", printable_keys(report.images)},
                                 {"sizes", report.sizes},
                                 {"grey", report.grey},
                                 {"colour", report.colour},
                                 {"masks", report.masks},
                                 {"median_defect_share", report.median_defect}};
  json["bits"] = nlohmann::ordered_json::object();
  for (const auto& [bits, count] : report.bits) json["bits"][std::to_string(bits)] = count;
  json["findings"] = nlohmann::ordered_json::array();
  for (const Finding& f : report.findings) {
    std::vector<std::string> files;
    for (const std::string& file : f.files) files.push_back(printable(file));
    json["findings"].push_back(
        {{"severity", word(f.severity)}, {"code", f.code}, {"text", printable(f.text)}, {"files", files}});
  }
  return json.dump(2) + "\n";
}

}  // namespace pgad
