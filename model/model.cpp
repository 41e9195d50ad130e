#include "model/model.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "model/config_io.h"

namespace pgad {
namespace {

constexpr const char* kFormat = "pgad-model";
constexpr const char* kVersion = "1";
constexpr const char* kTrainNames = "data.train_names";
constexpr const char* kCalibrationNames = "data.calibration_names";

std::string calibration_to_json(const Calibration& c) {
  nlohmann::ordered_json json;
  json["fitted"] = c.fitted;
  json["bias"] = c.bias;
  if (c.drawn > 0) json["drawn"] = c.drawn;
  for (int i = 0; i < kTermCount; ++i)
    if (c.has(static_cast<ScoreIndex>(i)))
      json["terms"][kScoreNames[i]] = {{"mean", c.mean[i]}, {"spread", c.spread[i]}, {"weight", c.weight[i]}};
  if (c.has(kFeatureMaps)) json["feature_map"] = {{"mean", c.feature_map_mean}, {"spread", c.feature_map_spread}};
  if (c.has(kPatchCritic)) json["critic_map"] = {{"mean", c.critic_map_mean}, {"spread", c.critic_map_spread}};
  if (!c.map_weights.empty()) json["map_weights"] = c.map_weights;
  if (!c.notes.empty()) json["notes"] = c.notes;
  return json.dump();
}

void calibration_from_json(const std::string& text, const std::string& path, Calibration& c) {
  try {
    const auto json = nlohmann::json::parse(text);
    c.fitted = json.at("fitted").get<bool>();
    c.bias = json.at("bias").get<double>();
    c.drawn = json.value("drawn", std::size_t{0});
    for (int i = 0; i < kTermCount; ++i) {
      if (i >= kSearchTerms && !json.at("terms").contains(kScoreNames[i])) {
        c.mean[i] = c.spread[i] = c.weight[i] = std::nan("");
        continue;
      }
      const auto& term = json.at("terms").at(kScoreNames[i]);
      c.mean[i] = term.at("mean").get<double>();
      c.spread[i] = term.at("spread").get<double>();
      c.weight[i] = term.at("weight").get<double>();
    }
    if (json.contains("feature_map")) {
      c.feature_map_mean = json.at("feature_map").at("mean").get<double>();
      c.feature_map_spread = json.at("feature_map").at("spread").get<double>();
    }
    if (json.contains("critic_map")) {
      c.critic_map_mean = json.at("critic_map").at("mean").get<double>();
      c.critic_map_spread = json.at("critic_map").at("spread").get<double>();
    }
    c.map_weights = json.value("map_weights", c.map_weights);
    if (!c.map_weights.empty() &&
        (c.map_weights.size() != kMapParts ||
         std::ranges::any_of(c.map_weights, [](double w) { return !(w >= 0 && std::isfinite(w)); })))
      throw Error(str(path, ": metadata 'calibration': map_weights, expected ", kMapParts, " numbers >= 0"));
    c.notes = json.value("notes", c.notes);
  } catch (const nlohmann::json::exception& e) {
    throw Error(str(path, ": metadata 'calibration': ", e.what()));
  }
}

// The columns of the scores that the model has; without tiles those are the first.
void add_terms(ParameterViews& tensors, const std::string& name, const std::vector<double>& terms,
               const Calibration& c) {
  std::vector<float> values;
  std::int64_t columns = 0;
  for (int t = 0; t < kTermCount; ++t) columns += c.has(static_cast<ScoreIndex>(t));
  for (std::size_t i = 0; i < terms.size(); ++i)
    if (c.has(static_cast<ScoreIndex>(i % kTermCount))) values.push_back(static_cast<float>(terms[i]));
  tensors.add(name, {static_cast<std::int64_t>(terms.size()) / kTermCount, columns}, std::move(values));
}

std::vector<double> read_terms(const SafeTensorsFile& file, const std::string& name, const Calibration& c) {
  const auto found = file.tensors.find(name);
  if (found == file.tensors.end()) return {};
  const SafeTensor& t = found->second;
  std::int64_t columns = 0;
  for (int i = 0; i < kTermCount; ++i) columns += c.has(static_cast<ScoreIndex>(i));
  if (t.shape.size() != 2 || t.shape[1] != columns)
    throw Error(str(file.path, ": tensor '", name, "': expected shape [count, ", columns, "]"));
  const auto values = file.get(name, "F32", t.shape).elements<float>();
  std::vector<double> terms;
  for (auto value = values.begin(); value != values.end();)
    for (int i = 0; i < kTermCount; ++i)
      terms.push_back(c.has(static_cast<ScoreIndex>(i)) ? static_cast<double>(*value++) : std::nan(""));
  return terms;
}

}  // namespace

void ParameterViews::add(const std::string& name, const Parameter& parameter, const Tensor& values) {
  add(name, file_shape(parameter), to_file_order(parameter, values));
}

void ParameterViews::add(const std::string& name, std::vector<std::int64_t> shape, std::vector<float> values) {
  memory_.push_back(std::make_unique<std::vector<float>>(std::move(values)));
  views_.push_back(safe_tensor_view<float>(name, std::move(shape), *memory_.back()));
}

void ParameterViews::add(const std::string& name, const std::vector<std::uint64_t>& values) {
  integers_.push_back(std::make_unique<std::vector<std::int64_t>>(values.begin(), values.end()));
  views_.push_back(safe_tensor_view<std::int64_t>(name, {static_cast<std::int64_t>(values.size())}, *integers_.back()));
}

void read_parameter(const SafeTensorsFile& file, const std::string& name, const Parameter& parameter,
                    const Tensor& out) {
  const auto values = file.get(name, "F32", file_shape(parameter)).elements<float>();
  from_file_order(parameter, values.data(), out);
}

std::string metadata_text(const SafeTensorsFile& file, const std::string& key) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) throw Error(str(file.path, ": metadata has no '", key, "'"));
  return found->second;
}

double metadata_number(const SafeTensorsFile& file, const std::string& key) {
  const std::string text = metadata_text(file, key);
  double value = 0;
  const auto end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (result.ec != std::errc() || result.ptr != end || !std::isfinite(value))
    throw Error(str(file.path, ": metadata '", key, "': '", text, "', expected a finite number"));
  return value;
}

std::int64_t metadata_integer(const SafeTensorsFile& file, const std::string& key) {
  const double value = metadata_number(file, key);
  if (value != std::floor(value) || std::fabs(value) > 9e15)
    throw Error(str(file.path, ": metadata '", key, "': ", value, ", expected an integer"));
  return static_cast<std::int64_t>(value);
}

void add_split(const RememberedSplit& split, ParameterViews& tensors, std::map<std::string, std::string>& metadata) {
  if (split.empty()) return;
  metadata["data_images"] = std::to_string(split.images);
  if (!split.train.empty()) tensors.add(kTrainNames, split.train);
  if (!split.calibration.empty()) tensors.add(kCalibrationNames, split.calibration);
}

RememberedSplit read_split(const SafeTensorsFile& file) {
  const auto names = [&](const char* tensor) {
    std::vector<std::uint64_t> digests;
    const auto found = file.tensors.find(tensor);
    if (found == file.tensors.end()) return digests;
    const auto& shape = found->second.shape;
    const auto values = file.get(tensor, "I64", {shape.empty() ? 0 : shape[0]}).elements<std::int64_t>();
    digests.assign(values.begin(), values.end());
    std::ranges::sort(digests);
    return digests;
  };
  RememberedSplit split{names(kTrainNames), names(kCalibrationNames), 0};
  if (!split.empty()) split.images = metadata_integer(file, "data_images");
  return split;
}

std::string exact(double value) {
  char text[32];
  const auto result = std::to_chars(text, text + sizeof text, value);
  return std::string(text, result.ptr);
}

void save_model(const std::string& path, const Model& model) {
  std::map<std::string, std::string> metadata = {
      {"format", kFormat},
      {"format_version", kVersion},
      {"config", config_to_json(model.config).dump()},
      {"preprocessing", preprocessing_to_string(model.preprocessing)},
      {"level", std::to_string(model.level)},
      {"alpha", exact(model.alpha)},
      {"minibatch_stddev", exact(model.stddev)},
      {"normal_critic", exact(model.normal_critic)},
      {"top_tiles", std::to_string(model.top_tiles)},
      {"images", std::to_string(model.images)},
  };
  ParameterViews tensors;
  for (const Parameter& p : model.g->parameters()) tensors.add(p.name, p, p.var.value());
  for (const Parameter& p : model.d->parameters()) tensors.add(p.name, p, p.var.value());
  if (!model.patch_critics.empty()) {
    metadata["patch_critic"] = std::to_string(model.patch_critics.size());
    for (const auto& critic : model.patch_critics)
      for (const Parameter& p : critic->parameters()) tensors.add(p.name, p, p.var.value());
    if (!model.border_odds.empty())
      tensors.add("border_odds", {static_cast<std::int64_t>(model.border_odds.size())}, model.border_odds);
    if (!model.tile_quantiles.empty())
      tensors.add("tile_quantiles", {static_cast<std::int64_t>(model.tile_quantiles.size())}, model.tile_quantiles);
  }
  for (std::size_t l = 0; l < model.features.mean.size(); ++l)
    for (const auto& [what, all] :
         {std::pair("mean", &model.features.mean), std::pair("spread", &model.features.spread)})
      tensors.add(str("features.", l, ".", what), {static_cast<std::int64_t>((*all)[l].size())}, (*all)[l]);
  if (model.encoder) {
    metadata["encoder"] = std::to_string(model.encoder->level());
    for (const Parameter& p : model.encoder->parameters()) tensors.add(p.name, p, p.var.value());
  }
  add_split(model.split, tensors, metadata);
  if (model.ignore) {
    metadata["ignored_height"] = std::to_string(model.ignore->height);
    metadata["ignored_width"] = std::to_string(model.ignore->width);
    tensors.add("ignored_runs", model.ignore->runs());
  }
  if (model.calibration) {
    const Calibration& c = *model.calibration;
    metadata["calibration"] = calibration_to_json(c);
    add_terms(tensors, "calibration.normal_terms", c.normal_terms, c);
    if (!c.abnormal_terms.empty()) add_terms(tensors, "calibration.abnormal_terms", c.abnormal_terms, c);
    if (!c.normal_combined.empty())
      tensors.add("calibration.normal_combined", {static_cast<std::int64_t>(c.normals())},
                  std::vector<float>(c.normal_combined.begin(), c.normal_combined.end()));
    const std::int64_t side = model.preprocessing.tiles ? 1 : model.side();
    if (!c.normal_map_peaks.empty())
      tensors.add("calibration.normal_map_peaks", {std::ssize(c.normal_map_peaks)},
                  std::vector<float>(c.normal_map_peaks.begin(), c.normal_map_peaks.end()));
    tensors.add("calibration.map_mean", {side, side}, c.map_mean);
    tensors.add("calibration.map_spread", {side, side}, c.map_spread);
  }
  write_safetensors(path, tensors.views(), metadata);
}

Model load_model(Exec& exec, const std::string& path) {
  const SafeTensorsFile file = read_safetensors(path);
  const auto format = file.metadata.find("format");
  if (format == file.metadata.end() || format->second != kFormat)
    throw Error(str(path, ": not a pgad model (metadata 'format' is ",
                    format == file.metadata.end() ? "missing" : "'" + format->second + "'", ", expected '", kFormat,
                    "')"));
  if (const std::string version = metadata_text(file, "format_version"); version != kVersion)
    throw Error(str(path, ": format version ", version, ", this program reads ", kVersion));
  Model model;
  try {
    model.config =
        stored_config_from_json(nlohmann::json::parse(metadata_text(file, "config")), path + ": metadata 'config'");
    validate(model.config);
  } catch (const nlohmann::json::exception& e) {
    throw Error(str(path, ": metadata 'config': ", e.what()));
  } catch (const UsageError& e) {  // the file's fault, not the caller's
    throw Error(str(path, ": ", e.what()));
  }
  try {
    model.preprocessing = preprocessing_from_string(metadata_text(file, "preprocessing"));
  } catch (const Error& e) {
    throw Error(str(path, ": metadata 'preprocessing': ", e.what()));
  }
  model.level = static_cast<int>(metadata_integer(file, "level"));
  // Older files tell the previous size's weight.
  model.alpha =
      file.metadata.count("old_weight") > 0 ? 1 - metadata_number(file, "old_weight") : metadata_number(file, "alpha");
  model.stddev = metadata_number(file, "minibatch_stddev");
  model.normal_critic = metadata_number(file, "normal_critic");
  if (file.metadata.contains("top_tiles")) {
    const std::int64_t tiles = metadata_integer(file, "top_tiles");
    if (tiles < 1 || tiles > 1000000) throw Error(str(path, ": metadata 'top_tiles': ", tiles, ", expected 1 or more"));
    model.top_tiles = static_cast<int>(tiles);
  }
  model.images = metadata_integer(file, "images");
  model.split = read_split(file);
  const NetworkConfig& network = model.config.network;
  if (!(model.alpha >= 0 && model.alpha <= 1))
    throw Error(str(path, ": metadata 'alpha' is ", model.alpha, ", expected 0 to 1"));
  if (model.level < 2 || model.level > network.log2_resolution())
    throw Error(str(path, ": metadata 'level' is ", model.level, ", expected 2 to ", network.log2_resolution()));
  if (model.preprocessing.resolution != network.resolution || model.preprocessing.channels != network.channels)
    throw Error(str(path, ": metadata 'preprocessing' makes images of ", model.preprocessing.resolution, "x",
                    model.preprocessing.resolution, "x", model.preprocessing.channels, ", the networks take ",
                    network.resolution, "x", network.resolution, "x", network.channels));
  model.g = make_generator(exec, network, std::nullopt);
  model.d = make_discriminator(exec, network, std::nullopt);
  for (const Parameter& p : model.g->parameters()) read_parameter(file, p.name, p, p.var.value());
  for (const Parameter& p : model.d->parameters()) read_parameter(file, p.name, p, p.var.value());
  if (file.metadata.count("encoder") > 0) {
    if (const std::int64_t level = metadata_integer(file, "encoder"); level != model.level)
      throw Error(str(path, ": metadata 'encoder' is ", level, ", expected the level ", model.level));
    model.encoder = make_encoder(exec, network, model.level, std::nullopt);
    for (const Parameter& p : model.encoder->parameters()) read_parameter(file, p.name, p, p.var.value());
  }
  if (file.metadata.count("patch_critic") > 0) {
    if (!model.preprocessing.tiles) throw Error(str(path, ": a patch critic, but no tiles"));
    const std::int64_t members = metadata_integer(file, "patch_critic");
    if (members < 1 || members > 16)
      throw Error(str(path, ": metadata 'patch_critic': ", members, ", expected 1 to 16"));
    for (int member = 0; member < members; ++member) {
      auto critic =
          std::make_shared<PatchCritic>(exec, model.config.patch_critic, network.channels + 1, std::nullopt, member);
      for (const Parameter& p : critic->parameters()) read_parameter(file, p.name, p, p.var.value());
      model.patch_critics.push_back(std::move(critic));
    }
    if (const auto found = file.tensors.find("border_odds"); found != file.tensors.end())
      model.border_odds = file.get("border_odds", "F32", found->second.shape).elements<float>();
    if (const auto found = file.tensors.find("tile_quantiles"); found != file.tensors.end()) {
      if (found->second.shape.size() != 1 || found->second.shape[0] < 2)
        throw Error(str(path, ": tensor 'tile_quantiles': expected shape [2 or more]"));
      model.tile_quantiles = file.get("tile_quantiles", "F32", found->second.shape).elements<float>();
    }
  }
  for (std::size_t l = 0; file.tensors.contains(str("features.", l, ".mean")); ++l) {
    const auto& shape = file.tensors.at(str("features.", l, ".mean")).shape;
    model.features.mean.push_back(file.get(str("features.", l, ".mean"), "F32", shape).elements<float>());
    model.features.spread.push_back(file.get(str("features.", l, ".spread"), "F32", shape).elements<float>());
  }
  if (const auto found = file.tensors.find("ignored_runs"); found != file.tensors.end()) {
    const auto& shape = found->second.shape;
    const auto runs = file.get("ignored_runs", "I64", {shape.empty() ? 0 : shape[0]}).elements<std::int64_t>();
    const auto side = [&](const char* key) {
      return static_cast<int>(
          std::clamp<std::int64_t>(metadata_integer(file, key), 0, std::numeric_limits<int>::max()));
    };
    try {
      model.ignore = std::make_shared<const IgnoreMask>(
          IgnoreMask::from_runs(side("ignored_height"), side("ignored_width"), {runs.begin(), runs.end()}));
    } catch (const DataError& e) {
      throw Error(str(path, ": ", e.what()));
    }
  }
  if (file.metadata.count("calibration") > 0) {
    Calibration c;
    calibration_from_json(file.metadata.at("calibration"), path, c);
    c.normal_terms = read_terms(file, "calibration.normal_terms", c);
    c.abnormal_terms = read_terms(file, "calibration.abnormal_terms", c);
    if (c.normal_terms.empty()) throw Error(str(path, ": calibration without tensor 'calibration.normal_terms'"));
    if (c.drawn > c.abnormals())
      throw Error(str(path, ": metadata 'calibration': ", c.drawn, " drawn of ", c.abnormals(), " abnormals"));
    if (file.tensors.count("calibration.normal_combined") > 0) {
      const auto count = static_cast<std::int64_t>(c.normals());
      const auto values = file.get("calibration.normal_combined", "F32", {count}).elements<float>();
      c.normal_combined.assign(values.begin(), values.end());
    }
    if (const auto peaks = file.tensors.find("calibration.normal_map_peaks"); peaks != file.tensors.end()) {
      if (peaks->second.shape.size() != 1 || peaks->second.shape[0] < 1)
        throw Error(str(path, ": tensor 'calibration.normal_map_peaks': expected shape [1 or more]"));
      const auto values = file.get("calibration.normal_map_peaks", "F32", peaks->second.shape).elements<float>();
      c.normal_map_peaks.assign(values.begin(), values.end());
    }
    const std::int64_t side = model.preprocessing.tiles ? 1 : model.side();
    c.map_mean = file.get("calibration.map_mean", "F32", {side, side}).elements<float>();
    c.map_spread = file.get("calibration.map_spread", "F32", {side, side}).elements<float>();
    model.calibration = std::move(c);
  }
  return model;
}

}  // namespace pgad
