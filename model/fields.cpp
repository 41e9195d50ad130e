#include "model/fields.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "images/printable.h"
#include "layers/network.h"

namespace pgad {
namespace {

using Json = nlohmann::json;

// ---- words of the enums
// ---------------------------------------------------------------------------------------

template <class E>
struct Words;
template <>
struct Words<Loss> {
  static constexpr std::pair<const char*, Loss> kTable[] = {{"logistic", Loss::kLogistic}, {"wgan-gp", Loss::kWganGp}};
};
template <>
struct Words<Weighting> {
  static constexpr std::pair<const char*, Weighting> kTable[] = {{"mixture", Weighting::kMixture},
                                                                 {"eq15", Weighting::kEq15}};
};
template <>
struct Words<LatentDistribution> {
  static constexpr std::pair<const char*, LatentDistribution> kTable[] = {{"uniform", LatentDistribution::kUniform},
                                                                          {"normal", LatentDistribution::kNormal}};
};
template <>
struct Words<Reduction> {
  static constexpr std::pair<const char*, Reduction> kTable[] = {{"mean", Reduction::kMean}, {"sum", Reduction::kSum}};
};
template <>
struct Words<Start> {
  static constexpr std::pair<const char*, Start> kTable[] = {{"auto", Start::kAuto}, {"random", Start::kRandom}};
};
template <>
struct Words<ZLrSchedule> {
  static constexpr std::pair<const char*, ZLrSchedule> kTable[] = {{"constant", ZLrSchedule::kConstant},
                                                                   {"cosine", ZLrSchedule::kCosine}};
};
template <>
struct Words<Tiles> {
  static constexpr std::pair<const char*, Tiles> kTable[] = {
      {"auto", Tiles::kAuto}, {"on", Tiles::kOn}, {"off", Tiles::kOff}};
};
template <>
struct Words<Fit> {
  static constexpr std::pair<const char*, Fit> kTable[] = {{"resize", Fit::kResize}, {"letterbox", Fit::kLetterbox}};
};

// ---- text -> JSON: the command line's spelling of a value; nothing if it does not parse
// -------------------------

template <class T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if constexpr (std::is_floating_point_v<T>)
    if (!std::isfinite(value)) return std::nullopt;
  return value;
}

// "4:128,32:64" -> {"4": 128, "32": 64}; "16" -> 16.
template <class Value>
std::optional<Json> parse_map(std::string_view text) {
  if (text.find(':') == std::string_view::npos) {
    const auto number = parse_number<Value>(text);
    return number ? std::optional<Json>(*number) : std::nullopt;
  }
  Json object = Json::object();
  while (true) {
    const size_t comma = text.find(',');
    const std::string_view entry = text.substr(0, comma);
    const size_t colon = entry.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto key = parse_number<int>(entry.substr(0, colon));
    const auto value = parse_number<Value>(entry.substr(colon + 1));
    if (!key || !value || object.contains(std::to_string(*key))) return std::nullopt;
    object[std::to_string(*key)] = *value;
    if (comma == std::string_view::npos) return object;
    text.remove_prefix(comma + 1);
  }
}

// ---- one codec per type of member
// -------------------------------------------------------------------------------

template <class T, class = void>
struct Codec;

template <>
struct Codec<bool> {
  static Json to_json(bool value) { return value; }
  static std::optional<bool> from_json(const Json& json) {
    return json.is_boolean() ? std::optional<bool>(json.get<bool>()) : std::nullopt;
  }
  static std::optional<bool> from_text(const std::string& text) {
    if (text == "true") return true;
    if (text == "false") return false;
    return std::nullopt;
  }
};

template <class T>
struct Codec<T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>> {
  static Json to_json(T value) { return value; }
  static std::optional<T> from_json(const Json& json) {
    if (json.is_number_unsigned()) {
      const auto value = json.get<std::uint64_t>();
      return std::in_range<T>(value) ? std::optional<T>(static_cast<T>(value)) : std::nullopt;
    }
    if (!json.is_number_integer()) return std::nullopt;
    const auto value = json.get<std::int64_t>();
    return std::in_range<T>(value) ? std::optional<T>(static_cast<T>(value)) : std::nullopt;
  }
  static std::optional<T> from_text(const std::string& text) { return parse_number<T>(text); }
};

template <>
struct Codec<double> {
  static Json to_json(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
  static std::optional<double> from_json(const Json& json) {
    return json.is_number() ? std::optional<double>(json.get<double>()) : std::nullopt;
  }
  static std::optional<double> from_text(const std::string& text) { return parse_number<double>(text); }
};

template <>
struct Codec<std::string> {
  static Json to_json(const std::string& value) { return printable(value); }  // a path is any bytes
  static std::optional<std::string> from_json(const Json& json) {
    return json.is_string() ? std::optional(from_printable(json.get<std::string>())) : std::nullopt;
  }
  static std::optional<std::string> from_text(const std::string& text) { return text; }
};

template <class E>
struct Codec<E, std::enable_if_t<std::is_enum_v<E>>> {
  static Json to_json(E value) {
    for (const auto& [word, entry] : Words<E>::kTable)
      if (entry == value) return word;
    return nullptr;
  }
  static std::optional<E> from_json(const Json& json) {
    return json.is_string() ? from_text(json.get<std::string>()) : std::nullopt;
  }
  static std::optional<E> from_text(const std::string& text) {
    for (const auto& [word, entry] : Words<E>::kTable)
      if (text == word) return entry;
    return std::nullopt;
  }
};

// A number stands for {4: number}: the same value at every resolution.
template <class Value>
struct Codec<std::map<int, Value>> {
  using Map = std::map<int, Value>;
  static Json to_json(const Map& map) {
    Json object = Json::object();
    for (const auto& [key, value] : map) object[std::to_string(key)] = value;
    return object;
  }
  static std::optional<Map> from_json(const Json& json) {
    if (const auto number = Codec<Value>::from_json(json)) return Map{{4, *number}};
    if (!json.is_object()) return std::nullopt;
    Map map;
    for (const auto& [key, value] : json.items()) {
      const auto resolution = parse_number<int>(key);
      const auto parsed = Codec<Value>::from_json(value);
      if (!resolution || !parsed || !map.emplace(*resolution, *parsed).second) return std::nullopt;
    }
    return map;
  }
  static std::optional<Map> from_text(const std::string& text) {
    const auto json = parse_map<Value>(text);
    return json ? from_json(*json) : std::nullopt;
  }
};

// ---- building the table
// -----------------------------------------------------------------------------------------

// `member` picks the member of a Config; `ok` is the range of its values.
template <class Member, class Ok>
Field field(Group group, const char* name, Member member, const std::string& expected, Ok ok, const char* help) {
  using T = std::remove_cvref_t<std::invoke_result_t<Member, Config&>>;
  Field f;
  f.name = f.short_name = name;
  f.group = group;
  f.help = help;
  f.expected = expected;
  f.is_flag = std::is_same_v<T, bool>;
  // The accessor is written once, for mutable configs; reading through it changes nothing.
  const auto value = [member](const Config& c) -> const T& { return member(const_cast<Config&>(c)); };
  f.get = [value](const Config& c) { return Codec<T>::to_json(value(c)); };
  f.set_json = [member](Config& c, const Json& json) {
    auto parsed = Codec<T>::from_json(json);
    if (parsed) member(c) = std::move(*parsed);
    return parsed.has_value();
  };
  f.set_text = [member](Config& c, const std::string& text) {
    auto parsed = Codec<T>::from_text(text);
    if (parsed) member(c) = std::move(*parsed);
    return parsed.has_value();
  };
  f.in_range = [value, ok](const Config& c) { return static_cast<bool>(ok(value(c))); };
  return f;
}

Field with_short_name(Field f, const char* short_name) {
  f.short_name = short_name;
  return f;
}

// score-gamma alone may be unset: NaN, null in JSON, "objective" on the command line.
Field with_unset(Field f, double& (*member)(Config&)) {
  f.set_json = [member, set = f.set_json](Config& c, const Json& json) {
    if (!json.is_null()) return set(c, json);
    member(c) = std::numeric_limits<double>::quiet_NaN();
    return true;
  };
  f.set_text = [member, set = f.set_text](Config& c, const std::string& text) {
    if (text != "objective") return set(c, text);
    member(c) = std::numeric_limits<double>::quiet_NaN();
    return true;
  };
  return f;
}

// channels alone may be left open: 0, "auto" in JSON and on the command line.
Field with_auto(Field f, int& (*member)(Config&)) {
  f.get = [member, get = f.get](const Config& c) {
    return member(const_cast<Config&>(c)) == 0 ? Json("auto") : get(c);
  };
  f.set_json = [member, set = f.set_json](Config& c, const Json& json) {
    if (json != "auto") return json != 0 && set(c, json);
    member(c) = 0;
    return true;
  };
  f.set_text = [member, set = f.set_text](Config& c, const std::string& text) {
    if (text != "auto") return text != "0" && set(c, text);
    member(c) = 0;
    return true;
  };
  return f;
}

bool power_of_two_in(int value, int low, int high) {
  return value >= low && value <= high && (value & (value - 1)) == 0;
}

const auto kAnything = [](const auto&) { return true; };
const auto kEnum = kAnything;  // its codec admits nothing but the words

// Comparisons are written so that NaN fails them.
const auto kPositive = [](double v) { return v > 0 && std::isfinite(v); };
const auto kNotNegative = [](double v) { return v >= 0 && std::isfinite(v); };
const auto kShare = [](double v) { return v >= 0 && v <= 1; };  // [0, 1]
// Thousands of images: counters are 64-bit integers of single images.
const auto kKimg = [](double v) { return v >= 0 && v <= 1e9; };
const auto kPositiveKimg = [](double v) { return v > 0 && v <= 1e9; };
const auto kPositiveShare = [](double v) { return v > 0 && v <= 1; };  // (0, 1]
const auto kBelowOne = [](double v) { return v >= 0 && v < 1; };       // [0, 1)

template <int low, int high>
bool int_in(int v) {
  return v >= low && v <= high;
}

template <class Value, class Ok>
auto resolution_map(Ok value_ok) {
  return [value_ok](const std::map<int, Value>& map) {
    for (const auto& [resolution, value] : map)
      if (!power_of_two_in(resolution, 4, 1024) || !value_ok(value)) return false;
    return !map.empty();
  };
}

#define PGAD_MEMBER(path) \
  [](Config & c) -> auto& { return c.path; }

std::vector<Field> make_fields() {
  using enum Group;
  const char* kBatchExpected = "a whole number in [1, 4096], or resolution:number,... with resolutions in 4..1024";
  const char* kLrExpected = "a number in (0, 1], or resolution:number,... with resolutions in 4..1024";
  const auto one_of = [](auto... words) {
    return [words...](const std::string& value) { return ((value == words) || ...); };
  };
  std::vector<Field> fields = {
      field(kRun, "preset", PGAD_MEMBER(preset), "tiny, small, tile64, tile128, pggan, paper-tiny or paper-pggan",
            one_of("tiny", "small", "tile64", "tile128", "pggan", "paper-tiny", "paper-pggan"),
            "set of defaults that everything else is relative to"),

      field(
          kNetwork, "architecture", PGAD_MEMBER(network.architecture), architecture_names(),
          is_architecture,
          "what generator, discriminator and encoder are built of"),
      field(
          kNetwork, "resolution", PGAD_MEMBER(network.resolution), "a power of two in [8, 1024]",
          [](int v) { return power_of_two_in(v, 8, 1024); }, "side of the model's images, pixels"),
      with_auto(field(
                    kNetwork, "channels", PGAD_MEMBER(network.channels), "auto, 1 (grey) or 3 (RGB)",
                    [](int v) { return v == 0 || v == 1 || v == 3; },
                    "channels of the model's images; auto: RGB if training images show colour, else grey"),
                PGAD_MEMBER(network.channels)),
      field(kNetwork, "latent-size", PGAD_MEMBER(network.latent_size), "a whole number in [0, 4096]", int_in<0, 4096>,
            "numbers in a latent vector z; 0: as many as fmap-max"),
      field(kNetwork, "fmap-base", PGAD_MEMBER(network.fmap_base), "a whole number in [8, 1048576]", int_in<8, 1048576>,
            "feature maps: min(fmap-base / 2^s, fmap-max), at stage s"),
      field(kNetwork, "fmap-max", PGAD_MEMBER(network.fmap_max), "a whole number in [1, 4096]", int_in<1, 4096>,
            "at most this many feature maps in a layer"),
      field(kNetwork, "latent-distribution", PGAD_MEMBER(network.latent_distribution), "uniform or normal", kEnum,
            "z is drawn from uniform [-1,1]^d (the paper) or N(0,1)"),

      field(kObjective, "loss", PGAD_MEMBER(objective.loss), "logistic or wgan-gp", kEnum,
            "adversarial loss: logistic with R1, or WGAN-GP"),
      field(kObjective, "objective", PGAD_MEMBER(objective.weighting), "mixture or eq15", kEnum,
            "weight of the real term: 1 (theory of eq 18-23), or gamma (eq 15 literally)"),
      field(kObjective, "gamma", PGAD_MEMBER(objective.gamma), "a number in (0, 1]", kPositiveShare,
            "share of the generator among D's fakes; the rest are known abnormals. 1: AnoGAN on PGGAN"),
      field(kObjective, "r1-weight", PGAD_MEMBER(objective.r1_weight), "a number >= 0", kNotNegative,
            "logistic: weight of the R1 penalty on reals"),
      field(kObjective, "gp-weight", PGAD_MEMBER(objective.gp_weight), "a number >= 0", kNotNegative,
            "wgan-gp: weight of the gradient penalty"),
      field(kObjective, "gp-target", PGAD_MEMBER(objective.gp_target), "a number > 0", kPositive,
            "wgan-gp: wanted norm of D's gradient"),
      field(kObjective, "drift", PGAD_MEMBER(objective.drift), "a number >= 0", kNotNegative,
            "wgan-gp: weight of D(real)^2, which keeps D near 0"),

      field(kData, "data", PGAD_MEMBER(data.path), "a path", kAnything,
            "IDX files, inspection folder (train/good ...), class folders or a flat folder"),
      field(kData, "normal-class", PGAD_MEMBER(data.normal_class), "names, comma-separated", kAnything,
            "class(es) counted as normal: a digit for IDX, folder names for class folders"),
      field(kData, "known-class", PGAD_MEMBER(data.known_class), "names, comma-separated", kAnything,
            "class(es) of which known abnormals are drawn; empty: all that are not normal"),
      field(kData, "normal-fraction", PGAD_MEMBER(data.normal_fraction), "a number in (0, 1]", kPositiveShare,
            "share of the normal images used for training (IDX and class folders)"),
      field(kData, "abnormal-fraction", PGAD_MEMBER(data.abnormal_fraction), "a number in [0, 1]", kShare,
            "share of every other class, or of those of --known-class, used as known abnormals (IDX and class folders)"),
      field(kData, "split-seed", PGAD_MEMBER(data.split_seed), "a whole number in [0, 2^64)", kAnything,
            "which images the fractions pick"),
      field(kData, "calibration-fraction", PGAD_MEMBER(data.calibration_fraction), "a number in [0, 1)", kBelowOne,
            "share of the training normals and known abnormals held out for calibration"),
      field(
          kData, "calibration-images", PGAD_MEMBER(data.calibration_images), "a whole number >= 1",
          [](int v) { return v >= 1; }, "at most this many images of each kind are used for calibration"),
      field(kData, "tiles", PGAD_MEMBER(data.tiles), "auto, on or off", kEnum,
            "work on tiles of images at their own size, not on whole images brought to the square; auto: where folders "
            "of normal and defective images hold much larger ones"),
      field(
          kData, "scale", PGAD_MEMBER(data.scale), "a number in (0, 4]", [](double v) { return v > 0 && v <= 4; },
          "with tiles: factor of the images' size before they are cut"),
      field(kData, "normalise", PGAD_MEMBER(data.normalise), "true or false", kAnything,
            "with tiles: the networks see pixels in units of their image's own brightness and contrast"),
      field(kData, "turns", PGAD_MEMBER(data.turns), "true or false", kAnything,
            "with tiles: they are turned by random quarter turns in training"),
      field(kData, "jitter", PGAD_MEMBER(data.jitter), "a number in [0, 1)", kBelowOne,
            "with tiles: in training their brightness and contrast vary by up to this share"),
      field(kData, "synthetic-abnormal", PGAD_MEMBER(data.synthetic_abnormal), "true or false", kAnything,
            "with tiles: drawn defects serve as known ones, beside those that there are"),
      field(kData, "fit", PGAD_MEMBER(data.fit), "resize or letterbox", kEnum,
            "images of another shape are stretched, or keep their aspect ratio and are padded"),
      field(kData, "mirror", PGAD_MEMBER(data.mirror), "true or false", kAnything,
            "augmentation: flip images left-right at random"),
      field(kData, "exif-orientation", PGAD_MEMBER(data.exif_orientation), "true or false", kAnything,
            "turn pictures upright as their files say (EXIF)"),
      field(
          kData, "bits", PGAD_MEMBER(data.bits), "0 or a whole number in [9, 16]",
          [](int v) { return v == 0 || (v >= 9 && v <= 16); },
          "significant bits of values in files of more than 8 bits; 0: as the file says"),
      field(
          kData, "max-pixels", PGAD_MEMBER(data.max_pixels), "a whole number in [1, 1e12]",
          [](std::int64_t v) { return v >= 1 && v <= 1'000'000'000'000; }, "an image of more pixels is an error"),

      field(
          kSchedule, "start-resolution", PGAD_MEMBER(schedule.start_resolution), "a power of two in [4, resolution]",
          [](int v) { return power_of_two_in(v, 4, 1024); }, "side at which growing starts, pixels"),
      field(kSchedule, "fade-kimg", PGAD_MEMBER(schedule.fade_kimg), "a number in [0, 1e9]", kKimg,
            "length of a fade-in, thousands of real images"),
      field(kSchedule, "stable-kimg", PGAD_MEMBER(schedule.stable_kimg), "a number in [0, 1e9]", kKimg,
            "training at each resolution after its fade, thousands of real images"),
      field(kSchedule, "total-kimg", PGAD_MEMBER(schedule.total_kimg), "a number in (0, 1e9]", kPositiveKimg,
            "length of the whole training, thousands of real images"),
      field(kSchedule, "batch", PGAD_MEMBER(schedule.batch), kBatchExpected, resolution_map<int>(int_in<1, 4096>),
            "images per step, from each resolution on: 4:128,32:64 or 16"),
      field(kSchedule, "lr", PGAD_MEMBER(schedule.lr), kLrExpected, resolution_map<double>(kPositiveShare),
            "Adam's learning rate, from each resolution on: 4:0.001,1024:0.0015 or 0.001"),

      field(kOptimizer, "beta1", PGAD_MEMBER(optimizer.beta1), "a number in [0, 1)", kBelowOne,
            "Adam: decay of the first moment"),
      field(kOptimizer, "beta2", PGAD_MEMBER(optimizer.beta2), "a number in [0, 1)", kBelowOne,
            "Adam: decay of the second moment"),
      field(kOptimizer, "adam-epsilon", PGAD_MEMBER(optimizer.epsilon), "a number > 0", kPositive,
            "Adam: added to the root of the second moment"),
      field(kOptimizer, "ema-half-life-kimg", PGAD_MEMBER(optimizer.ema_half_life_kimg), "a number >= 0", kNotNegative,
            "half-life of G's running average, thousands of real images; 0: no averaging"),
      field(
          kOptimizer, "max-skipped-steps", PGAD_MEMBER(optimizer.max_skipped_steps), "a whole number >= 1",
          [](int v) { return v >= 1; }, "this many non-finite steps in a row end the run"),

      field(kEncoder, "encoder", PGAD_MEMBER(encoder.train), "true or false", kAnything,
            "after the GAN train an encoder that gives the search its start (f-AnoGAN's izi_f)"),
      field(kEncoder, "encoder-kimg", PGAD_MEMBER(encoder.kimg), "a number in [0, 1e9]",
            [](double v) { return v >= 0 && v <= 1e9; },
            "length of its training, thousands of images; 0: a third of total-kimg"),
      field(kEncoder, "encoder-lr", PGAD_MEMBER(encoder.lr), "a number in (0, 1]", kPositiveShare,
            "its learning rate at the start; falls to 0"),
      field(kEncoder, "encoder-feature-weight", PGAD_MEMBER(encoder.feature_weight), "a number >= 0", kNotNegative,
            "weight of the feature term beside the image's"),

      field(kPatchCritic, "patch-critic", PGAD_MEMBER(patch_critic.train), "true or false", kAnything,
            "with tiles: after the GAN train a network that judges small cells, on known, pasted and synthetic defects"),
      field(kPatchCritic, "patch-critic-kimg", PGAD_MEMBER(patch_critic.kimg), "a number in (0, 1e9]", kPositiveKimg,
            "length of its training, thousands of crops"),
      field(kPatchCritic, "patch-critic-lr", PGAD_MEMBER(patch_critic.lr), "a number in (0, 1]", kPositiveShare,
            "its learning rate, after a short rise; falls to nearly 0"),
      field(kPatchCritic, "patch-critic-maps", PGAD_MEMBER(patch_critic.maps), "a whole number in [1, 1024]",
            int_in<1, 1024>, "its feature maps at the image's size; twice as many at each halving"),
      field(kPatchCritic, "patch-critic-most-maps", PGAD_MEMBER(patch_critic.most_maps), "a whole number in [1, 1024]",
            int_in<1, 1024>, "but no more than so many"),
      field(kPatchCritic, "patch-critic-levels", PGAD_MEMBER(patch_critic.levels), "a whole number in [1, 8]",
            int_in<1, 8>, "sizes that it looks at, each half the one before"),
      field(
          kPatchCritic, "patch-critic-cell", PGAD_MEMBER(patch_critic.cell), "a power of two in [1, 128]",
          [](int v) { return power_of_two_in(v, 1, 128); }, "side of the cells that it judges, pixels"),
      field(
          kPatchCritic, "patch-critic-crop", PGAD_MEMBER(patch_critic.crop), "0 or a whole number in [8, 1024]",
          [](int v) { return v == 0 || (v >= 8 && v <= 1024); },
          "side of the crops that it learns from, pixels; 0: the network's"),
      field(kPatchCritic, "patch-critic-members", PGAD_MEMBER(patch_critic.members), "a whole number in [1, 16]",
            int_in<1, 16>, "critics whose logits are averaged; every second one learns from no synthetic defects"),
      field(kPatchCritic, "defects-on-objects", PGAD_MEMBER(patch_critic.on_objects), "true or false", kAnything,
            "drawn and pasted defects lie where the image varies most: for objects on an even ground"),
      field(
          kPatchCritic, "cascade-loss", PGAD_MEMBER(patch_critic.cascade_loss), "a number in [0, 1)",
          [](double v) { return v >= 0 && v < 1; },
          "calibration chooses the smallest search-share that loses no larger a share of the held-out abnormal images "
          "which searching all tiles detects; 0: search-share as given"),
      field(kPatchCritic, "paste-defects", PGAD_MEMBER(patch_critic.paste), "true or false", kAnything,
            "known defects are cut out by their masks and pasted on normal surface for it"),

      with_short_name(
          with_unset(field(
                         kScoring, "score-gamma", PGAD_MEMBER(scoring.gamma), "a number in (0, 1], or objective",
                         [](double v) { return std::isnan(v) || kPositiveShare(v); },
                         "share of residual and feature terms in the score (eq 24)"),
                     PGAD_MEMBER(scoring.gamma)),
          "gamma"),
      field(kScoring, "lambda", PGAD_MEMBER(scoring.lambda), "a number in [0, 1]", kShare,
            "share of the feature term beside the residual (eq 4)"),
      field(kScoring, "reduction", PGAD_MEMBER(scoring.reduction), "mean or sum", kEnum,
            "of the loss terms over pixels and features"),
      field(
          kScoring, "steps", PGAD_MEMBER(scoring.steps), "a whole number >= 1, or -1",
          [](int v) { return v >= 1 || v == -1; },
          "updates of z per image (n of Algorithm 1), at most; -1: 10 from an encoder's start, 500 from a random one, "
          "restarts included"),
      field(kScoring, "start", PGAD_MEMBER(scoring.start), "auto or random", kEnum,
            "where the first search begins; auto: at the encoder's z where the model has one"),
      field(
          kScoring, "patience", PGAD_MEMBER(scoring.patience), "a whole number >= -1", [](int v) { return v >= -1; },
          "a search whose loss has not fallen by .2 % in so many steps ends; 0: all steps are taken; -1: 10 from an "
          "encoder's start, 0 from a random one, restarts included"),
      field(kScoring, "z-lr", PGAD_MEMBER(scoring.z_lr), "a number > 0", kPositive, "learning rate of the search"),
      field(kScoring, "z-lr-schedule", PGAD_MEMBER(scoring.z_lr_schedule), "constant or cosine", kEnum,
            "z-lr over the steps: constant, or falling to 0"),
      field(kScoring, "restarts", PGAD_MEMBER(scoring.restarts), "a whole number in [1, 1000]", int_in<1, 1000>,
            "searches per image from different z; the best counts"),
      with_short_name(field(kScoring, "search-batch", PGAD_MEMBER(scoring.batch), "a whole number in [1, 4096]",
                            int_in<1, 4096>, "images searched at once; scores do not depend on it"),
                      "batch"),
      with_short_name(field(kScoring, "score-seed", PGAD_MEMBER(scoring.seed), "a whole number in [0, 2^64)", kAnything,
                            "of the first z, together with the image's content"),
                      "seed"),
      field(
          kScoring, "false-reject-rate", PGAD_MEMBER(scoring.false_reject_rate), "a number in (0, 1)",
          [](double v) { return v > 0 && v < 1; }, "wanted share of normal images rejected; fixes the threshold"),
      field(
          kScoring, "map-sigma", PGAD_MEMBER(scoring.map_sigma), "a number in [0, 64]",
          [](double v) { return v >= 0 && v <= 64; }, "Gaussian smoothing of the calibrated map, pixels"),
      field(kScoring, "region-min-area", PGAD_MEMBER(scoring.region_min_area), "a whole number in [1, 1000000000]",
            int_in<1, 1000000000>, "pixels of the image that a region has at least"),
      field(kScoring, "search-share", PGAD_MEMBER(scoring.search_share), "a number in [0, 1]", kShare,
            "with a patch critic: share of normal surface's tiles that are searched, those it finds oddest; the others "
            "are drawn once from the encoder's latent"),
      field(
          kScoring, "tile-overlap", PGAD_MEMBER(scoring.tile_overlap), "a number in [0, 0.9]",
          [](double v) { return v >= 0 && v <= 0.9; }, "of neighbouring tiles, share of their side"),

      field(kRun, "out", PGAD_MEMBER(run.out), "a path", kAnything, "folder of the run's files"),
      field(kRun, "resume", PGAD_MEMBER(run.resume), "true or false", kAnything,
            "go on from the newest checkpoint in the folder"),
      field(kRun, "from", PGAD_MEMBER(run.from), "a path", kAnything,
            "a finished model: its generator, discriminator and encoder are taken; only patch critics are trained, then "
            "calibration"),
      field(kRun, "seed", PGAD_MEMBER(run.seed), "a whole number in [0, 2^64)", kAnything,
            "of weights, latents and the order of the images"),
      field(kRun, "threads", PGAD_MEMBER(run.threads), "a whole number in [0, 4096]", int_in<0, 4096>,
            "CPU threads; 0: one per core"),
      field(
          kRun, "device", PGAD_MEMBER(run.device), "auto, cpu, cuda or cuda:N",
          [](const std::string& v) {
            const auto digit = [](char c) { return c >= '0' && c <= '9'; };
            return v == "auto" || v == "cpu" || v == "cuda" || v == "cuda-emulated" ||
                   (v.starts_with("cuda:") && v.size() > 5 && std::all_of(v.begin() + 5, v.end(), digit));
          },
          "where to compute; auto: a GPU if there is one, else the CPU"),
      field(kRun, "precision", PGAD_MEMBER(run.precision), "fp32, tf32 or bf16", one_of("fp32", "tf32", "bf16"),
            "of convolutions and products on a GPU; weights and sums stay fp32"),
      field(kRun, "tuning", PGAD_MEMBER(run.tuning), "a path", kAnything,
            "file of the fastest kernels on this GPU, made and completed as needed; empty: the hand-written ones"),
      field(kRun, "time-budget", PGAD_MEMBER(run.time_budget_minutes), "a number >= 0", kNotNegative,
            "stop, checkpointed, after this many minutes of training, all sessions of a resumed run together; 0: no "
            "limit"),
      field(kRun, "checkpoint-kimg", PGAD_MEMBER(run.checkpoint_kimg), "a number in (0, 1e9]", kPositiveKimg,
            "between checkpoints, thousands of real images"),
      field(
          kRun, "keep-checkpoints", PGAD_MEMBER(run.keep_checkpoints), "a whole number >= 1",
          [](int v) { return v >= 1; }, "older checkpoints than these are deleted"),
      field(kRun, "sample-kimg", PGAD_MEMBER(run.sample_kimg), "a number in [0, 1e9]", kKimg,
            "between sheets of generated images, thousands of real images; 0: none"),
      field(kRun, "report", PGAD_MEMBER(run.report), "true or false", kAnything,
            "also write report.html to --out: curves, samples and calibration, anew while training goes on"),
      field(kRun, "tensorboard", PGAD_MEMBER(run.tensorboard), "true or false", kAnything,
            "also write the log, the sheets and calibration's scores for TensorBoard, to tensorboard/ in --out"),
      field(kRun, "max-unreadable", PGAD_MEMBER(run.max_unreadable), "a number in [0, 1]", kShare,
            "share of the training images that may be unreadable and are left out; more is an error"),
  };
  return fields;
}

#undef PGAD_MEMBER

}  // namespace

const char* group_title(Group group) {
  switch (group) {
    case Group::kNetwork:
      return "Network";
    case Group::kObjective:
      return "Objective";
    case Group::kData:
      return "Data";
    case Group::kSchedule:
      return "Schedule";
    case Group::kOptimizer:
      return "Optimizer";
    case Group::kPatchCritic:
      return "Patch critic";
    case Group::kEncoder:
      return "Encoder";
    case Group::kScoring:
      return "Scoring";
    case Group::kRun:
      return "Run";
  }
  return "";
}

const std::vector<Field>& all_fields() {
  static const std::vector<Field> fields = make_fields();
  return fields;
}

}  // namespace pgad
