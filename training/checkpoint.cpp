#include "training/checkpoint.h"

#include <cstdio>
#include <filesystem>

#include "model/model.h"

namespace pgad {
namespace {

constexpr const char* kFormat = "pgad-checkpoint";
constexpr const char* kVersion = "1";

// Calls body(name in the file, parameter, tensor) for every tensor of a checkpoint.
template <class Body>
void for_each_tensor(const Networks& networks, const Body& body) {
  const auto of = [&](const Network& network, const std::string& prefix, const Tensor& flat) {
    for (const Parameter& p : network.parameters()) body(prefix + p.name, p, Parameters::view(flat, p));
  };
  of(*networks.g, "", networks.g->flat());
  of(*networks.d, "", networks.d->flat());
  of(*networks.g_ema, "ema.", networks.g_ema->flat());
  of(*networks.g, "adam.m.", networks.g_adam.m());
  of(*networks.g, "adam.v.", networks.g_adam.v());
  of(*networks.d, "adam.m.", networks.d_adam.m());
  of(*networks.d, "adam.v.", networks.d_adam.v());
}

SafeTensorsFile read_checkpoint(const std::string& path) {
  SafeTensorsFile file = read_safetensors(path);
  const auto format = file.metadata.find("format");
  if (format == file.metadata.end() || format->second != kFormat) throw Error(str(path, ": not a pgad checkpoint"));
  if (const std::string version = metadata_text(file, "format_version"); version != kVersion)
    throw Error(str(path, ": format version ", version, ", this program reads ", kVersion));
  return file;
}

}  // namespace

void save_checkpoint(const std::string& path, const Networks& networks, const TrainingState& s,
                     const std::string& config_json, const RememberedSplit& split) {
  ParameterViews tensors;
  for_each_tensor(networks, [&](const std::string& name, const Parameter& p, const Tensor& values) {
    tensors.add(name, p, values);
  });
  std::map<std::string, std::string> metadata = {{"format", kFormat},
                                                 {"format_version", kVersion},
                                                 {"config", config_json},
                                                 {"images", std::to_string(s.images)},
                                                 {"images_before_last_step", std::to_string(s.images_before_last_step)},
                                                 {"steps", std::to_string(s.steps)},
                                                 {"skipped", std::to_string(s.skipped)},
                                                 {"skipped_in_row", std::to_string(s.skipped_in_row)},
                                                 {"level", std::to_string(s.level)},
                                                 {"fading", s.fading ? "1" : "0"},
                                                 {"statistic", exact(s.stddev)},
                                                 {"has_statistic", s.has_stddev ? "1" : "0"},
                                                 {"seconds", exact(s.seconds)},
                                                 {"log_bytes", std::to_string(s.log_bytes)},
                                                 {"g_adam_steps", std::to_string(networks.g_adam.steps())},
                                                 {"d_adam_steps", std::to_string(networks.d_adam.steps())}};
  add_split(split, tensors, metadata);
  write_safetensors(path, tensors.views(), metadata);
}

TrainingState load_checkpoint(const std::string& path, Networks& networks) {
  const SafeTensorsFile file = read_checkpoint(path);
  TrainingState s;
  s.images = metadata_integer(file, "images");
  s.images_before_last_step = metadata_integer(file, "images_before_last_step");
  s.steps = metadata_integer(file, "steps");
  s.skipped = metadata_integer(file, "skipped");
  s.skipped_in_row = metadata_integer(file, "skipped_in_row");
  s.level = static_cast<int>(metadata_integer(file, "level"));
  s.fading = metadata_integer(file, "fading") != 0;
  s.stddev = metadata_number(file, "statistic");
  s.has_stddev = metadata_integer(file, "has_statistic") != 0;
  s.seconds = metadata_number(file, "seconds");
  s.log_bytes = metadata_integer(file, "log_bytes");
  const std::int64_t g_steps = metadata_integer(file, "g_adam_steps"), d_steps = metadata_integer(file, "d_adam_steps");
  // All is there and fits before anything is changed.
  for_each_tensor(networks, [&](const std::string& name, const Parameter& p, const Tensor&) {
    file.get(name, "F32", file_shape(p));
  });
  for_each_tensor(networks, [&](const std::string& name, const Parameter& p, const Tensor& values) {
    read_parameter(file, name, p, values);
  });
  networks.g_adam.set_steps(g_steps);
  networks.d_adam.set_steps(d_steps);
  return s;
}

RunOrigin checkpoint_origin(const std::string& path) {
  const SafeTensorsFile file = read_checkpoint(path);
  return {metadata_text(file, "config"), read_split(file)};
}

std::string checkpoint_path(const std::string& out, std::int64_t images) {
  char name[64];
  std::snprintf(name, sizeof name, "images-%012lld.safetensors", static_cast<long long>(images));
  return (std::filesystem::path(out) / "checkpoints" / name).string();
}

std::map<std::int64_t, std::string> list_checkpoints(const std::string& out) {
  std::map<std::int64_t, std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(out) / "checkpoints", error)) {
    long long images = 0;
    const std::string name = entry.path().filename().string();
    if (std::sscanf(name.c_str(), "images-%12lld.safetensors", &images) == 1 &&
        entry.path() == checkpoint_path(out, images))
      found[images] = entry.path().string();
  }
  return found;
}

}  // namespace pgad
