#include "layers/network.h"

#include "autograd/ops.h"
#include "layers/pggan.h"

namespace pgad {
namespace {

const Architecture* const kArchitectures[] = {&kPggan};

const Architecture* find_architecture(const std::string& name) {
  for (const Architecture* a : kArchitectures)
    if (name == a->name) return a;
  return nullptr;
}

const Architecture& architecture_of(const NetworkConfig& config) {
  if (const Architecture* found = find_architecture(config.architecture)) return *found;
  throw UsageError(str("network.architecture: '", config.architecture, "', expected ", architecture_names()));
}

}  // namespace

bool is_architecture(const std::string& name) { return find_architecture(name) != nullptr; }

std::string architecture_names() {
  std::string names;
  for (const Architecture* a : kArchitectures) names += str(names.empty() ? "" : " or ", a->name);
  return names;
}

std::shared_ptr<const Generator> make_generator(Exec& exec, const NetworkConfig& config, Seed seed, DType dtype) {
  return architecture_of(config).generator(exec, config, seed, dtype);
}
std::shared_ptr<const Discriminator> make_discriminator(Exec& exec, const NetworkConfig& config, Seed seed,
                                                        DType dtype) {
  return architecture_of(config).discriminator(exec, config, seed, dtype);
}
std::shared_ptr<const Encoder> make_encoder(Exec& exec, const NetworkConfig& config, int level, Seed seed,
                                            DType dtype) {
  return architecture_of(config).encoder(exec, config, level, seed, dtype);
}

Var encoder_loss(const Var& image, const Var& drawn, const Var& features, const Var& drawn_features,
                 double feature_weight) {
  return axpby(mean(square(sub(image, drawn))), mean(square(sub(features, drawn_features))), 1, feature_weight);
}

std::int64_t stddev_group_size(std::int64_t batch) {
  for (std::int64_t g = 4; g > 1; --g)
    if (batch % g == 0) return g;
  return 1;
}

}  // namespace pgad
