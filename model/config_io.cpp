#include "model/config_io.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <numeric>

#include "images/strict_json.h"

namespace pgad {
namespace {

using Json = nlohmann::json;

// Levenshtein distance.
int edit_distance(const std::string& a, const std::string& b) {
  std::vector<int> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const int substitute = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitute});
    }
  }
  return row[b.size()];
}

const Field* lookup(const std::string& name) {
  for (const Field& field : all_fields())
    if (field.name == name) return &field;
  return nullptr;
}

const Field& closest_field(const std::string& name) {
  const auto distance = [&](const Field& f) { return edit_distance(f.name, name); };
  return *std::ranges::min_element(all_fields(), {}, distance);
}

std::string display(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

[[noreturn]] void refuse(const std::string& what, const std::string& value, const std::string& expected) {
  throw UsageError(str(what, ": value ", value.empty() ? "\"\"" : value, ", expected ", expected));
}

void apply_json(Config& config, const Json& json, const std::string& source_name) {
  for (const auto& [key, value] : json.items()) {
    const Field* field = lookup(key);
    if (field == nullptr)
      throw UsageError(
          str(source_name, ": unknown key \"", key, "\"; the closest known one is \"", closest_field(key).name, "\""));
    if (!field->set_json(config, value) || !field->in_range(config))
      refuse(str(source_name, ": key \"", key, "\""), value.dump(), field->expected);
  }
}

void apply_given(Config& config, const GivenOptions& given, Naming naming) {
  for (const auto& [field, text] : given)
    if (!field->set_text(config, text) || !field->in_range(config))
      refuse("--" + option_name(*field, naming), text, field->expected);
}

// The preset that `json` names; ranges of its other values are not looked at here.
Config preset_of(const Json& json, const std::string& source_name) {
  if (!json.is_object())
    throw UsageError(str(source_name, ": expected a JSON object of option names and values, found ", json.type_name()));
  Config named = preset("tiny");
  if (json.contains("preset")) apply_json(named, Json{{"preset", json["preset"]}}, source_name);
  return preset(named.preset);
}

std::string read_text(const std::string& path) {
  std::string text;
  char chunk[4096];
  std::FILE* file = std::fopen(path.c_str(), "rb");
  bool failed = file == nullptr;
  if (file != nullptr) {
    while (const size_t got = std::fread(chunk, 1, sizeof chunk, file)) text.append(chunk, got);
    failed = std::ferror(file) != 0;
  }
  const int error = errno;
  if (file != nullptr) std::fclose(file);
  if (failed) throw Error(str(path, ": cannot read configuration: ", std::strerror(error)));
  return text;
}

void finish(Config& config) {
  if (std::isnan(config.scoring.gamma)) config.scoring.gamma = config.objective.gamma;
  validate(config);
}

}  // namespace

const std::string& option_name(const Field& field, Naming naming) {
  return naming == Naming::kShort ? field.short_name : field.name;
}

std::string value_text(const Field& field, const Config& config) {
  const Json value = field.get(config);
  if (value.is_null()) return field.name == "score-gamma" ? "objective" : "not finite";
  if (!value.is_object()) return display(value);
  std::vector<std::pair<int, std::string>> entries;
  for (const auto& [key, entry] : value.items()) entries.emplace_back(std::stoi(key), entry.dump());
  std::ranges::sort(entries);
  std::string text;
  for (const auto& [key, entry] : entries) text += str(text.empty() ? "" : ",", key, ":", entry);
  return text;
}

FieldList select_fields(std::initializer_list<Group> groups, std::initializer_list<const char*> names) {
  FieldList fields;
  for (const Field& field : all_fields())
    if (std::ranges::find(groups, field.group) != groups.end()) fields.push_back(&field);
  for (const char* name : names) {
    const Field* field = &find_field(name);
    if (std::ranges::find(fields, field) == fields.end()) fields.push_back(field);
  }
  return fields;
}

const Field& find_field(const std::string& name) {
  const Field* field = lookup(name);
  if (field == nullptr)
    throw UsageError(str("unknown option --", name, "; the closest known one is --", closest_field(name).name));
  return *field;
}

Config preset(const std::string& name) {
  // As Kimura & Yanagihara (2018) have it, to the letter, on the network and schedule of another preset.
  if (const std::string paper = "paper-"; name == "paper-tiny" || name == "paper-pggan") {
    Config c = preset(name.substr(paper.size()));
    c.preset = name;
    c.objective.weighting = Weighting::kEq15;
    c.encoder.train = false;
    c.scoring.reduction = Reduction::kSum;
    c.scoring.steps = 500;
    c.scoring.start = Start::kRandom;
    c.scoring.patience = 0;
    return c;
  }
  Config c;
  c.preset = name;
  if (name == "tiny") {
    c.network.channels = 0;
    c.network.fmap_max = 32;
    c.schedule.fade_kimg = c.schedule.stable_kimg = 8;
    c.schedule.total_kimg = 64;
    c.schedule.batch = {{4, 16}};
    c.schedule.lr = {{4, 0.001}};
    c.encoder.train = true;
  } else if (name == "small") {
    c.network.channels = 0;
    c.network.resolution = 64;
    c.network.fmap_max = 128;
    c.schedule.fade_kimg = c.schedule.stable_kimg = 60;
    c.schedule.total_kimg = 600;
    c.schedule.batch = {{4, 16}};
    c.schedule.lr = {{4, 0.001}};
    c.encoder.train = true;
  } else if (name == "tile64" || name == "tile128") {
    const bool large = name == "tile128";
    // Surfaces, within half an hour or an hour on two cores; most of it is the patch critics'. They know of defects,
    // the GAN does not: gamma is 1.
    c.network.channels = 0;
    c.network.resolution = large ? 128 : 64;
    c.network.fmap_max = 32;
    c.objective.gamma = 1;
    c.data.tiles = Tiles::kOn;
    c.data.mirror = true;
    c.data.normalise = true;
    c.data.synthetic_abnormal = true;
    c.schedule.start_resolution = 16;
    c.schedule.fade_kimg = c.schedule.stable_kimg = 2;
    c.schedule.total_kimg = 32;
    c.schedule.batch = {{4, 8}};
    c.schedule.lr = {{4, 0.004}};
    c.optimizer.ema_half_life_kimg = 4;
    c.encoder.train = true;
    c.encoder.kimg = 12;
    c.patch_critic.train = true;
    if (large) c.patch_critic.kimg = 60;  // of crops four times as large
    c.scoring.steps = 10;
    c.run.sample_kimg = 4;
  } else if (name == "pggan") {
    c.network.resolution = 1024;
    c.network.channels = 3;
    c.network.fmap_max = 512;
    c.objective.loss = Loss::kWganGp;
  } else {
    throw UsageError(str("--preset: value ", name, ", expected ", find_field("preset").expected));
  }
  return c;
}

Config resolve_config(const GivenOptions& given, const std::string& config_file, Naming naming) {
  Config config = preset("tiny");
  Json json = Json::object();
  if (!config_file.empty()) {
    json = parse_strict_json(read_text(config_file), config_file);
    config = preset_of(json, config_file);
  }
  for (const auto& [field, text] : given)
    if (field->name == "preset") config = preset(text);
  apply_json(config, json, config_file);
  apply_given(config, given, naming);
  finish(config);
  return config;
}

Config resolve_config(const Config& stored, const GivenOptions& given, Naming naming) {
  for (const auto& [field, text] : given)
    if (field->name == "preset" && text != stored.preset)
      throw UsageError(str("--preset: value ", text, ", expected the stored configuration's ", stored.preset));
  Config config = stored;
  apply_given(config, given, naming);
  finish(config);
  return config;
}

Config config_from_json(const nlohmann::json& json, const std::string& source_name) {
  Config config = preset_of(json, source_name);
  apply_json(config, json, source_name);
  return config;
}

Config stored_config_from_json(const nlohmann::json& json, const std::string& source_name) {
  Config config = config_from_json(json, source_name);
  if (!json.contains("exif-orientation")) config.data.exif_orientation = false;
  if (!json.contains("bits")) config.data.bits = 16;
  return config;
}

nlohmann::json config_to_json(const Config& config) {
  Json json = Json::object();
  for (const Field& field : all_fields()) json[field.name] = field.get(config);
  return json;
}

void validate(const Config& config) {
  const auto value = [&](const char* name) { return value_text(find_field(name), config); };
  for (const Field& field : all_fields())
    if (!field.in_range(config)) refuse("--" + field.name, value_text(field, config), field.expected);

  const int resolution = config.network.resolution;
  const int start = config.schedule.start_resolution;
  if (start > resolution)
    refuse("--start-resolution", value("start-resolution"),
           str("a power of two in [4, resolution], resolution is ", resolution));
  // Halved once per doubling of the side: the finest block would have no feature map left.
  if (config.network.feature_maps(config.network.log2_resolution() - 1) < 1)
    refuse("--fmap-base", value("fmap-base"), str("at least resolution / 2 = ", resolution / 2));
  const PatchCriticConfig& critic = config.patch_critic;
  if (critic.cell >= 1 << critic.levels)
    refuse("--patch-critic-cell", value("patch-critic-cell"),
           str("below 2^patch-critic-levels = ", 1 << critic.levels));
  if (const int grain = 1 << (critic.levels - 1); critic.train && config.critic_crop() % grain != 0)
    refuse("--patch-critic-crop", value("patch-critic-crop"),
           str("a multiple of 2^(patch-critic-levels - 1) = ", grain, "; 0 is the resolution, ", resolution));
  if (config.schedule.batch.begin()->first > start)
    refuse("--batch", value("batch"), str("an entry for the start resolution ", start, " or a smaller one"));
  if (config.schedule.lr.begin()->first > start)
    refuse("--lr", value("lr"), str("an entry for the start resolution ", start, " or a smaller one"));
}

}  // namespace pgad
