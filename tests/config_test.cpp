// The configuration table: every field survives the way through JSON and the command line, every bad value is
// refused with its name, the value and what was expected, and the command line wins over file over preset.

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>

#include "apps/options.h"
#include "images/printable.h"
#include "images/strict_json.h"
#include "model/config_io.h"

namespace pgad {
namespace {

using Json = nlohmann::json;

const FieldList& everything() {
  static const FieldList fields = [] {
    FieldList list;
    for (const Field& f : all_fields()) list.push_back(&f);
    return list;
  }();
  return fields;
}

// A JSON value that differs from the default and is in range, for any field.
Json random_value(const Field& field, std::mt19937& rng) {
  const Json now = field.get(Config{});
  const auto pick = [&](std::initializer_list<Json> list) {
    return *(list.begin() + std::uniform_int_distribution<size_t>(0, list.size() - 1)(rng));
  };
  const auto real = [&] { return std::uniform_real_distribution<double>(1e-3, 0.999)(rng); };
  const auto integer = [&] { return std::uniform_int_distribution<int>(8, 900)(rng); };
  if (field.name == "preset") return pick({"small", "tile64", "tile128", "pggan", "paper-tiny", "paper-pggan"});
  if (field.name == "architecture") return "pggan";  // there is no other
  if (field.name == "resolution") return pick({128, 256, 512});
  if (field.name == "channels") return pick({1, 3, "auto"});
  if (field.name == "bits") return pick({9, 12, 16});
  if (field.name == "fmap-base") return 512 + integer();  // at least resolution / 2
  if (field.name == "start-resolution") return pick({8, 16, 32});
  if (field.name == "latent-distribution") return "normal";
  if (field.name == "loss") return "wgan-gp";
  if (field.name == "objective") return "eq15";
  if (field.name == "reduction") return "sum";
  if (field.name == "fit") return "letterbox";
  if (field.name == "patch-critic-levels") return pick({6, 7, 8});
  if (field.name == "patch-critic-members") return pick({1, 3, 16});
  if (field.name == "patch-critic-cell") return pick({2, 8, 16});
  if (field.name == "patch-critic-crop") return pick({128, 256});
  if (field.name == "tile-overlap") return pick({0.25, 0.75});
  if (field.name == "tiles") return pick({"on", "off"});
  if (field.name == "start") return "random";
  if (field.name == "z-lr-schedule") return "constant";
  if (field.name == "device") return "cpu";
  if (field.name == "precision") return "tf32";
  if (field.name == "batch") return {{"4", integer()}, {"64", integer()}, {"1024", integer()}};
  if (field.name == "lr") return {{"4", real()}, {"32", real()}};
  if (now.is_boolean()) return !now.get<bool>();
  if (now.is_string()) return str("väl ue,", integer());
  if (field.name == "seed" || field.name == "split-seed" || field.name == "score-seed")
    return std::uint64_t{rng()} << 32 | rng();
  if (now.is_number_integer()) return integer();
  return real();
}

Json random_config(unsigned seed) {
  std::mt19937 rng(seed);
  Json json = Json::object();
  for (const Field& f : all_fields()) json[f.name] = random_value(f, rng);
  return json;
}

// The command line's spelling of a JSON value.
std::string to_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_object()) return value.dump();
  std::string text;
  for (const auto& [key, entry] : value.items()) text += str(text.empty() ? "" : ",", key, ":", entry.dump());
  return text;
}

GivenOptions parse(const std::vector<std::string>& args, const FieldList& fields, Naming naming = Naming::kFull) {
  CLI::App app;
  GivenOptions given;
  add_options(app, given, fields, preset("tiny"), naming);
  app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  return given;
}

GivenOptions given(const std::string& name, const std::string& text) { return {{&find_field(name), text}}; }

class TempFile {
 public:
  explicit TempFile(const std::string& text)
      : path_(std::filesystem::temp_directory_path() / str("pgad_config_test_", std::random_device{}(), ".json")) {
    std::ofstream(path_) << text;
  }
  ~TempFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// Runs `action` and expects a UsageError that contains all of `parts`.
template <class Action>
void expect_usage_error(Action action, const std::vector<std::string>& parts) {
  try {
    action();
    ADD_FAILURE() << "nothing thrown; expected " << ::testing::PrintToString(parts);
  } catch (const UsageError& e) {
    for (const std::string& part : parts)
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << "'" << part << "' is not in: " << e.what();
  } catch (const std::exception& e) {
    ADD_FAILURE() << "not a UsageError: " << e.what();
  }
}

// A member added to a Config without an entry in the table breaks this test (its structured binding does not
// compile, or the counts differ).
TEST(ConfigTable, CoversEveryMember) {
  std::map<Group, int> entries;
  for (const Field& f : all_fields()) ++entries[f.group];
  Config c;
  [[maybe_unused]] auto& [preset_name, network, objective, data, schedule, optimizer, encoder, patch_critic, scoring,
                          run] = c;
  {
    [[maybe_unused]] auto& [architecture, resolution, channels, latent_size, fmap_base, fmap_max, distribution] =
        network;
    EXPECT_EQ(entries[Group::kNetwork], 7);
  }
  {
    [[maybe_unused]] auto& [loss, weighting, gamma, r1, gp, target, drift] = objective;
    EXPECT_EQ(entries[Group::kObjective], 7);
  }
  {
    [[maybe_unused]] auto& [path, normal, known, normals, abnormals, seed, calibration, images, tiles, scale,
                            normalised, synthetic, fit, mirror, turns, jitter, exif, bits, pixels] = data;
    EXPECT_EQ(entries[Group::kData], 19);
  }
  {
    [[maybe_unused]] auto& [start, fade, stable, total, batch, lr] = schedule;
    EXPECT_EQ(entries[Group::kSchedule], 6);
  }
  {
    [[maybe_unused]] auto& [beta1, beta2, epsilon, ema, skipped] = optimizer;
    EXPECT_EQ(entries[Group::kOptimizer], 5);
  }
  {
    [[maybe_unused]] auto& [train, kimg, lr, weight] = encoder;
    EXPECT_EQ(entries[Group::kEncoder], 4);
  }
  {
    [[maybe_unused]] auto& [train, kimg, lr, maps, most_maps, levels, cell, crop, members, on_objects, loss, paste] =
        patch_critic;
    EXPECT_EQ(entries[Group::kPatchCritic], 12);
  }
  {
    [[maybe_unused]] auto& [gamma, lambda, reduction, steps, start, patience, lr, lr_schedule, restarts, batch, seed,
                            rate, sigma, area, share, overlap] = scoring;
    EXPECT_EQ(entries[Group::kScoring], 16);
  }
  {
    [[maybe_unused]] auto& [out, resume, from, seed, threads, device, precision, tuning, budget, checkpoint, keep,
                            sample, tensorboard, report, unreadable] = run;
    EXPECT_EQ(entries[Group::kRun], 15 + 1);  // and the preset
  }
}

TEST(ConfigTable, NamesAreUniqueAndEveryFieldIsDescribed) {
  std::set<std::string> names;
  for (const Field& f : all_fields()) {
    EXPECT_TRUE(names.insert(f.name).second) << f.name;
    EXPECT_FALSE(f.help.empty()) << f.name;
    EXPECT_FALSE(f.expected.empty()) << f.name;
  }
}

TEST(ConfigJson, RandomValuesSurviveTheRoundTrip) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    const Json in = random_config(seed);
    const Config config = config_from_json(in, "test");
    EXPECT_NO_THROW(validate(config));
    const Json out = config_to_json(config);
    EXPECT_EQ(out, in);  // two fields on one member would differ here
    // Through text as well: numbers are printed with all their digits.
    EXPECT_EQ(config_to_json(config_from_json(Json::parse(out.dump()), "test")), in);
  }
}

TEST(ConfigJson, SpotChecksOfMembers) {
  const Config c = config_from_json({{"gamma", 0.25},
                                     {"score-gamma", 0.5},
                                     {"objective", "eq15"},
                                     {"batch", 12},
                                     {"lr", {{"4", 0.5}, {"64", 0.25}}},
                                     {"seed", 18446744073709551615u},
                                     {"score-seed", 3},
                                     {"split-seed", 4},
                                     {"time-budget", 2},
                                     {"search-batch", 7}},
                                    "test");
  EXPECT_EQ(c.objective.gamma, 0.25);
  EXPECT_EQ(c.scoring.gamma, 0.5);
  EXPECT_EQ(c.objective.weighting, Weighting::kEq15);
  EXPECT_EQ(c.schedule.batch, (std::map<int, int>{{4, 12}}));
  EXPECT_EQ(c.schedule.lr, (std::map<int, double>{{4, 0.5}, {64, 0.25}}));
  EXPECT_EQ(c.run.seed, 18446744073709551615u);
  EXPECT_EQ(c.scoring.seed, 3u);
  EXPECT_EQ(c.data.split_seed, 4u);
  EXPECT_EQ(c.run.time_budget_minutes, 2.0);
  EXPECT_EQ(c.scoring.batch, 7);
}

TEST(ConfigJson, StoredOnesOfOlderProgramsTreatImagesAsThoseDid) {
  Json json = config_to_json(preset("tiny"));
  EXPECT_EQ(config_to_json(stored_config_from_json(json, "test")), json);
  json.erase("exif-orientation");
  json.erase("bits");
  EXPECT_FALSE(stored_config_from_json(json, "test").data.exif_orientation);
  EXPECT_EQ(stored_config_from_json(json, "test").data.bits, 16);
  EXPECT_TRUE(config_from_json(json, "test").data.exif_orientation);
}

TEST(ConfigJson, UnsetScoreGammaIsNull) {
  const Json json = config_to_json(Config{});
  EXPECT_TRUE(json.at("score-gamma").is_null());
  EXPECT_TRUE(std::isnan(config_from_json(json, "test").scoring.gamma));
}

TEST(ConfigJson, UnknownKeysNameTheClosest) {
  expect_usage_error(
      [] {
        config_from_json({{"fade_kimg", 3}}, "run.json");
      },
      {"run.json", "\"fade_kimg\"", "\"fade-kimg\""});
  expect_usage_error([] { config_from_json({{"gama", 0.3}}, "run.json"); }, {"\"gama\"", "\"gamma\""});
  expect_usage_error([] { config_from_json({{"batch-size", 3}}, "run.json"); }, {"\"batch-size\"", "batch"});
  expect_usage_error([] { find_field("lamda"); }, {"lamda", "--lambda"});
}

TEST(ConfigJson, EveryFieldRefusesEveryWrongType) {
  for (const Field& f : all_fields()) {
    const Json good = f.get(Config{});
    for (const Json& wrong : {Json(true), Json("a word"), Json(-2), Json(0.12345), Json(nullptr), Json::array({1}),
                              Json{{"x", 1}}, Json{{"4", "x"}}}) {
      const bool number_for_real = wrong.is_number() && (good.is_number_float() || good.is_null());
      const bool number_for_map = wrong.is_number() && good.is_object();
      const bool free_text = wrong.is_string() && good.is_string() && f.expected.find(" or ") == std::string::npos;
      const bool null_for_unset = wrong.is_null() && good.is_null();
      if ((wrong.is_boolean() && good.is_boolean()) || number_for_real || number_for_map || free_text || null_for_unset)
        continue;
      expect_usage_error(
          [&] {
            config_from_json({{f.name, wrong}}, "c.json");
          },
          {"c.json", "\"" + f.name + "\"", wrong.dump(), "expected " + f.expected});
    }
  }
}

TEST(ConfigJson, NotAnObject) {
  expect_usage_error([] { config_from_json(Json::array(), "c.json"); }, {"c.json", "object", "array"});
}

// option, value as on the command line
const std::vector<std::pair<std::string, std::string>> kBadValues = {
    {"preset", "large"},
    {"architecture", "stylegan"},
    {"resolution", "48"},
    {"resolution", "4"},
    {"resolution", "2048"},
    {"resolution", "64.0"},
    {"resolution", "99999999999"},
    {"channels", "2"},
    {"channels", "0"},
    {"channels", "rgb"},
    {"exif-orientation", "yes"},
    {"bits", "8"},
    {"bits", "17"},
    {"max-pixels", "0"},
    {"latent-size", "-1"},
    {"fmap-base", "0"},
    {"fmap-max", "0"},
    {"latent-distribution", "x"},
    {"loss", "hinge"},
    {"objective", "eq16"},
    {"gamma", "0"},
    {"gamma", "1.01"},
    {"gamma", "nan"},
    {"gamma", "0.1x"},
    {"gamma", ""},
    {"gamma", "-1"},
    {"r1-weight", "-0.1"},
    {"gp-weight", "inf"},
    {"gp-target", "0"},
    {"drift", "-1"},
    {"normal-fraction", "0"},
    {"normal-fraction", "1.1"},
    {"abnormal-fraction", "-0.1"},
    {"split-seed", "-1"},
    {"calibration-fraction", "1"},
    {"calibration-images", "0"},
    {"fit", "crop"},
    {"tiles", "yes"},
    {"scale", "0"},
    {"scale", "4.1"},
    {"turns", "1"},
    {"normalise", "1"},
    {"jitter", "1"},
    {"tile-overlap", "1"},
    {"search-share", "1.1"},
    {"synthetic-abnormal", "1"},
    {"patch-critic", "1"},
    {"patch-critic-kimg", "0"},
    {"patch-critic-lr", "0"},
    {"patch-critic-maps", "0"},
    {"patch-critic-crop", "7"},
    {"cascade-loss", "1"},
    {"defects-on-objects", "1"},
    {"patch-critic-most-maps", "0"},
    {"patch-critic-levels", "9"},
    {"patch-critic-members", "0"},
    {"patch-critic-members", "17"},
    {"paste-defects", "1"},
    {"patch-critic-cell", "3"},
    {"start-resolution", "2"},
    {"start-resolution", "12"},
    {"fade-kimg", "-1"},
    {"stable-kimg", "-1"},
    {"total-kimg", "0"},
    {"batch", "0"},
    {"batch", "4:16,32"},
    {"batch", "4:16,4:8"},
    {"batch", "5:16"},
    {"batch", "4:0"},
    {"batch", "4:"},
    {"batch", "4:16,"},
    {"batch", "2048:4"},
    {"lr", "0"},
    {"lr", "4:0.001,1024:-1"},
    {"lr", "2"},
    {"beta1", "1"},
    {"beta2", "-0.1"},
    {"adam-epsilon", "0"},
    {"ema-half-life-kimg", "-1"},
    {"max-skipped-steps", "0"},
    {"score-gamma", "0"},
    {"score-gamma", "2"},
    {"lambda", "-0.01"},
    {"lambda", "1.01"},
    {"reduction", "max"},
    {"steps", "0"},
    {"start", "zero"},
    {"patience", "-2"},
    {"encoder-kimg", "-1"},
    {"encoder-lr", "0"},
    {"encoder-feature-weight", "-1"},
    {"z-lr", "0"},
    {"z-lr-schedule", "linear"},
    {"restarts", "0"},
    {"search-batch", "0"},
    {"score-seed", "18446744073709551616"},
    {"false-reject-rate", "0"},
    {"false-reject-rate", "1"},
    {"map-sigma", "-1"},
    {"region-min-area", "0"},
    {"seed", "1.5"},
    {"threads", "-1"},
    {"device", "gpu"},
    {"device", "cuda:"},
    {"device", "cuda:x"},
    {"precision", "fp64"},
    {"time-budget", "-1"},
    {"checkpoint-kimg", "0"},
    {"keep-checkpoints", "0"},
    {"sample-kimg", "-1"},
    {"max-unreadable", "1.1"},
    {"mirror", "yes"},
    {"encoder", "yes"},
    {"resume", "1"},
    {"tensorboard", "1"},
    {"report", "1"},
};

TEST(ConfigRange, BadValuesOnTheCommandLine) {
  std::set<std::string> tested;
  for (const auto& [name, value] : kBadValues) {
    tested.insert(name);
    expect_usage_error([&, n = name, v = value] { resolve_config(given(n, v), ""); },
                       {"--" + name, value, "expected " + find_field(name).expected});
  }
  for (const Field& f : all_fields()) {
    const bool anything_goes = f.name == "data" || f.name == "normal-class" || f.name == "known-class" ||
                               f.name == "out" || f.name == "tuning" || f.name == "from";
    EXPECT_EQ(tested.contains(f.name), !anything_goes) << f.name;
  }
}

TEST(ConfigRange, BadValuesInJson) {
  for (const auto& [name, value] : kBadValues) {
    const Json json = Json::accept(value) ? Json::parse(value) : Json(value);
    expect_usage_error([&, n = name] { config_from_json({{n, json}}, "c.json"); }, {"c.json", "\"" + name + "\""});
  }
}

TEST(ConfigRange, RelationsBetweenValues) {
  expect_usage_error([] { resolve_config(given("start-resolution", "64"), ""); },
                     {"--start-resolution", "64", "resolution is 32"});
  expect_usage_error([] { resolve_config(given("fmap-base", "15"), ""); }, {"--fmap-base", "15", "16"});
  expect_usage_error([] { resolve_config(given("batch", "8:16"), ""); }, {"--batch", "8:16", "start resolution 4"});
  expect_usage_error([] { resolve_config(given("lr", "8:0.1"), ""); }, {"--lr", "8:0.1", "start resolution 4"});
  EXPECT_NO_THROW(resolve_config(parse({"--start-resolution", "8", "--batch", "8:16"}, everything()), ""));
}

TEST(ConfigRange, ValidateSeesValuesSetInCode) {
  Config c = preset("tiny");
  EXPECT_NO_THROW(validate(c));
  c.optimizer.beta1 = std::nan("");
  expect_usage_error([&] { validate(c); }, {"--beta1", "not finite", "[0, 1)"});
  c = preset("tiny");
  c.schedule.batch.clear();
  expect_usage_error([&] { validate(c); }, {"--batch"});
}

TEST(ConfigCommandLine, EveryFieldThroughTheParser) {
  for (unsigned seed = 0; seed < 5; ++seed) {
    const Json wanted = random_config(seed);
    std::vector<std::string> args;
    for (const Field& f : all_fields()) {
      if (f.is_flag) {
        args.push_back((wanted[f.name] == true ? "--" : "--no-") + f.name);
      } else {
        args.push_back("--" + f.name);
        args.push_back(to_text(wanted[f.name]));
      }
    }
    EXPECT_EQ(config_to_json(resolve_config(parse(args, everything()), "")), wanted);
  }
}

TEST(ConfigCommandLine, NegativeNumbersAndEqualSignsReachTheRangeCheck) {
  expect_usage_error([] { resolve_config(parse({"--gamma", "-1"}, everything()), ""); }, {"--gamma", "-1"});
  expect_usage_error([] { resolve_config(parse({"--gamma=-1"}, everything()), ""); }, {"--gamma", "-1"});
  EXPECT_THROW(parse({"--gama", "1"}, everything()), CLI::ParseError);
  EXPECT_THROW(parse({"--gamma"}, everything()), CLI::ParseError);
  EXPECT_THROW(parse({"--gamma", "0.1", "--gamma", "0.2"}, everything()), CLI::ParseError);
}

TEST(ConfigCommandLine, ShortNamesForInference) {
  const FieldList fields = select_fields({Group::kScoring}, {"threads"});
  EXPECT_EQ(fields.size(), 17u);
  const Config stored = preset("small");
  const GivenOptions list =
      parse({"--gamma", "0.3", "--batch", "5", "--seed", "9", "--threads", "2"}, fields, Naming::kShort);
  const Config c = resolve_config(stored, list, Naming::kShort);
  EXPECT_EQ(c.scoring.gamma, 0.3);
  EXPECT_EQ(c.objective.gamma, 0.1);
  EXPECT_EQ(c.scoring.batch, 5);
  EXPECT_EQ(c.scoring.seed, 9u);
  EXPECT_EQ(c.run.seed, 1u);
  EXPECT_EQ(c.run.threads, 2);
  EXPECT_EQ(c.network.resolution, 64);
  expect_usage_error(
      [&] {
        resolve_config(stored, parse({"--batch", "0"}, fields, Naming::kShort), Naming::kShort);
      },
      {"--batch: value 0"});
}

TEST(ConfigCommandLine, HelpStatesRangeAndDefault) {
  CLI::App app;
  GivenOptions list;
  add_options(app, list, everything(), preset("tiny"));
  const std::string help = app.help();
  for (const char* part : {"--fade-kimg", "a number >= 0", "4:16", "--mirror", "--no-mirror", "Schedule", "objective"})
    EXPECT_NE(help.find(part), std::string::npos) << part << " is not in\n" << help;
}

TEST(ConfigCommandLine, HelpOverAModelShowsThatTheValuesAreItsOwn) {
  CLI::App app;
  GivenOptions list;
  add_options(app, list, select_fields({Group::kScoring}, {"split-seed", "threads"}), preset("tiny"), Naming::kShort);
  for (const char* name : {"--steps", "--gamma", "--false-reject-rate", "--split-seed", "--start"})
    EXPECT_EQ(app.get_option(name)->get_default_str(), "the model's") << name;
  EXPECT_EQ(app.get_option("--threads")->get_default_str(), "0");  // not the model's
}

TEST(ConfigPriority, PresetThenFileThenCommandLine) {
  const TempFile file(R"({"preset": "small", "steps": 100, "lambda": 0.2})");
  const Config from_file = resolve_config(GivenOptions{}, file.path());
  EXPECT_EQ(from_file.preset, "small");
  EXPECT_EQ(from_file.network.resolution, 64);
  EXPECT_EQ(from_file.scoring.steps, 100);
  EXPECT_EQ(from_file.scoring.lambda, 0.2);

  const Config won = resolve_config(parse({"--steps", "7"}, everything()), file.path());
  EXPECT_EQ(won.scoring.steps, 7);
  EXPECT_EQ(won.scoring.lambda, 0.2);
  EXPECT_EQ(won.network.resolution, 64);

  // The given preset replaces the file's, wherever it stands; the file's values still hold over it.
  const Config other = resolve_config(parse({"--steps", "7", "--preset", "pggan"}, everything()), file.path());
  EXPECT_EQ(other.preset, "pggan");
  EXPECT_EQ(other.network.resolution, 1024);
  EXPECT_EQ(other.scoring.steps, 7);
  EXPECT_EQ(other.scoring.lambda, 0.2);

  // A value equal to the default still counts as given.
  EXPECT_EQ(resolve_config(parse({"--steps", "500"}, everything()), file.path()).scoring.steps, 500);
}

TEST(ConfigPriority, ScoreGammaFollowsTheObjective) {
  EXPECT_EQ(resolve_config(parse({"--gamma", "0.4"}, everything()), "").scoring.gamma, 0.4);
  const Config both = resolve_config(parse({"--gamma", "0.4", "--score-gamma", "0.2"}, everything()), "");
  EXPECT_EQ(both.scoring.gamma, 0.2);
  const Config reset = resolve_config(both, parse({"--score-gamma", "objective"}, everything()));
  EXPECT_EQ(reset.scoring.gamma, 0.4);
}

TEST(ConfigPriority, TheEncodersLengthFollowsTheGans) {
  EXPECT_EQ(resolve_config(parse({"--total-kimg", "30"}, everything()), "").encoder_kimg(), 10);
  EXPECT_EQ(resolve_config(parse({"--total-kimg", "30", "--encoder-kimg", "7"}, everything()), "").encoder_kimg(), 7);
}

TEST(ConfigPriority, StoredConfigurations) {
  Config stored = preset("tiny");
  stored.scoring.steps = 11;
  const Config c = resolve_config(stored, parse({"--total-kimg", "200"}, everything()));
  EXPECT_EQ(c.scoring.steps, 11);
  EXPECT_EQ(c.schedule.total_kimg, 200);
  EXPECT_NO_THROW(resolve_config(stored, given("preset", "tiny")));
  expect_usage_error([&] { resolve_config(stored, given("preset", "small")); }, {"--preset", "small", "tiny"});
}

TEST(ConfigFile, Errors) {
  expect_usage_error([] { resolve_config(GivenOptions{}, TempFile(R"({"stepz": 3})").path()); }, {"stepz", "steps"});
  try {
    resolve_config(GivenOptions{}, "/nowhere/at/all.json");
    ADD_FAILURE() << "nothing thrown";
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "/nowhere/at/all.json: cannot read configuration: No such file or directory");
  }
  EXPECT_THROW(resolve_config(GivenOptions{}, TempFile("{\"steps\": ").path()), Error);
  EXPECT_THROW(resolve_config(GivenOptions{}, TempFile("").path()), Error);
  EXPECT_THROW(resolve_config(GivenOptions{}, TempFile(R"({"steps": 3, "steps": 4})").path()), Error);
  EXPECT_THROW(resolve_config(GivenOptions{}, "/"), Error);
}

TEST(StrictJson, DuplicatesAtAnyDepth) {
  EXPECT_EQ(parse_strict_json(R"({"a": {"x": 1}, "b": {"x": 2}})", "s")["b"]["x"], 2);
  EXPECT_THROW(parse_strict_json(R"({"a": {"x": 1, "x": 2}})", "s"), Error);
  EXPECT_THROW(parse_strict_json(R"([{"x": 1}, {"x": 1, "y": 0, "x": 2}])", "s"), Error);
  EXPECT_NO_THROW(parse_strict_json(R"([{"x": 1}, {"x": 1}])", "s"));
}

TEST(Presets, AreValid) {
  for (const char* name : {"tiny", "small", "tile64", "tile128", "pggan", "paper-tiny", "paper-pggan"}) {
    const Config c = preset(name);
    EXPECT_EQ(c.preset, name);
    EXPECT_NO_THROW(validate(c)) << name;
  }
  expect_usage_error([] { preset("huge"); },
                     {"--preset", "huge", "tiny, small, tile64, tile128, pggan, paper-tiny or paper-pggan"});
}

TEST(Presets, ThePapersDifferInObjectiveAndSearchAlone) {
  for (const char* name : {"tiny", "pggan"}) {
    const Config c = preset(str("paper-", name)), base = preset(name);
    std::set<std::string> differ;
    for (const Field& f : all_fields())
      if (f.get(c) != f.get(base)) differ.insert(f.name);
    std::set<std::string> expected{"preset", "objective", "reduction", "start", "patience", "steps"};
    if (base.encoder.train) expected.insert("encoder");
    EXPECT_EQ(differ, expected);
    EXPECT_FALSE(c.encoder.train);
    EXPECT_EQ(c.objective.weighting, Weighting::kEq15);
    EXPECT_EQ(c.objective.gamma, 0.1);
    EXPECT_EQ(c.scoring.lambda, 0.1);
    EXPECT_EQ(c.scoring.steps, 500);
  }
}

TEST(Presets, PgganIsAsPublished) {
  const Config c = preset("pggan");
  EXPECT_EQ(c.network.resolution, 1024);
  EXPECT_EQ(c.network.channels, 3);
  EXPECT_EQ(c.network.fmap_base, 8192);
  EXPECT_EQ(c.network.latent(), 512);
  EXPECT_EQ(c.objective.loss, Loss::kWganGp);
  EXPECT_EQ(c.objective.gp_weight, 10);
  EXPECT_EQ(c.objective.gp_target, 1);
  EXPECT_EQ(c.objective.drift, 0.001);
  EXPECT_EQ(c.schedule.start_resolution, 4);
  EXPECT_EQ(c.schedule.fade_kimg, 600);
  EXPECT_EQ(c.schedule.stable_kimg, 600);
  EXPECT_EQ(c.schedule.total_kimg, 12000);
  EXPECT_EQ(c.schedule.batch, (std::map<int, int>{{4, 128}, {32, 64}, {64, 32}, {128, 16}, {256, 8}, {512, 4}}));
  EXPECT_EQ(c.schedule.lr, (std::map<int, double>{{4, 0.001}, {1024, 0.0015}}));
  EXPECT_EQ(c.optimizer.beta1, 0);
  EXPECT_EQ(c.optimizer.beta2, 0.99);
  EXPECT_EQ(c.optimizer.epsilon, 1e-8);
  EXPECT_EQ(c.optimizer.ema_half_life_kimg, 10);
}

// ---- names of any bytes ---------------------------------------------------------------------------------------------

TEST(Printable, KeepsWhatIsUtf8) {
  for (const char* text : {"", "a.png", "gr\xC3\xBCn.png", "C:\\pictures\\xmas.png", "\\x4", "\\", "\\xZZ", "a\nb",
                           "\xE2\x82\xAC \xF0\x9F\x94\xA7 \xEF\xBF\xBD"})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, EscapesWhatIsNot) {
  EXPECT_EQ(printable("gr\xFCn.png"), "gr\\xFCn.png");
  EXPECT_EQ(printable("\\x41"), "\\x5Cx41");                // would read as A
  EXPECT_EQ(printable("\xC0\xAF"), "\\xC0\\xAF");           // overlong
  EXPECT_EQ(printable("\xED\xA0\x80"), "\\xED\\xA0\\x80");  // a surrogate
  EXPECT_EQ(printable("\xF4\x90\x80\x80"), "\\xF4\\x90\\x80\\x80");
  EXPECT_EQ(printable("\xE2\x82"), "\\xE2\\x82");  // cut off
}

TEST(Printable, CanBeReadBackAndIsJson) {
  std::mt19937 rng(1);
  const std::string alphabet = "\\\\x4aF.\xC3\xBC\xE2\x82\xAC\xF0\x9F\xFF\x80\xED\xA0";
  for (int trial = 0; trial < 20000; ++trial) {
    std::string bytes;
    for (unsigned n = rng() % 12; n > 0; --n)
      bytes += trial % 2 ? static_cast<char>(rng() % 256) : alphabet[rng() % alphabet.size()];
    const std::string text = printable(bytes);
    EXPECT_EQ(from_printable(text), bytes);
    EXPECT_NO_THROW(nlohmann::json(text).dump()) << text;
  }
}

TEST(ConfigJson, PathsOfAnyBytes) {
  Config config = preset("tiny");
  config.data.path = "/data/gr\xFCn\\x41";
  const std::string text = config_to_json(config).dump();
  EXPECT_EQ(config_from_json(nlohmann::json::parse(text), "test").data.path, config.data.path);
}

}  // namespace
}  // namespace pgad
