// For scripts/parity.sh: random inputs for a model, and what pgad makes of them.
//   parity_dump MODEL OUTDIR SEED -> OUTDIR/inputs.safetensors, OUTDIR/outputs.safetensors

#include <iostream>

#include "engine/rng.h"
#include "images/atomic_file.h"
#include "model/model.h"
#include "tests/parity_outputs.h"

namespace {

using namespace pgad;

void save(const std::string& path, const test::NamedTensors& tensors,
          const std::map<std::string, std::string>& metadata) {
  std::vector<SafeTensorView> views;
  for (const auto& [name, t] : tensors) views.push_back(safe_tensor_view<float>(name, t.shape, t.values));
  write_safetensors(path, views, metadata);
}

test::Named random(std::vector<std::int64_t> shape, std::uint64_t seed, std::uint64_t stream, bool unit) {
  std::int64_t n = 1;
  for (const auto s : shape) n *= s;
  test::Named t{std::move(shape), {}};
  Rng rng(seed, stream);
  for (std::int64_t i = 0; i < n; ++i)
    t.values.push_back(static_cast<float>(unit ? rng.uniform() : 2 * rng.uniform() - 1));
  return t;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: parity_dump MODEL OUTDIR SEED\n";
    return 2;
  }
  try {
    Exec exec;
    const Model model = load_model(exec, argv[1]);
    const std::string out = argv[2];
    const std::uint64_t seed = std::stoull(argv[3]);
    ensure_directory(out);
    const std::int64_t n = 4, side = model.side(), c = model.config.network.channels;
    test::NamedTensors inputs;
    inputs["z"] = random({n, model.config.network.latent()}, seed, 1, false);
    inputs["real"] = random({n, c, side, side}, seed, 2, false);
    inputs["abnormal"] = random({n, c, side, side}, seed, 3, false);
    inputs["u"] = random({n}, seed, 4, true);
    inputs["pick"] = {{n}, {1, 0, 0, 1}};
    test::ParitySetting s;
    s.level = model.level;
    s.full_level = model.config.network.log2_resolution();
    s.alpha = model.alpha;
    s.stddev = model.stddev;
    s.objective = model.config.objective;
    const auto image = model.g->forward(Var(exec, test::from_nchw(exec, inputs["z"], DType::kF32)), model.stage(exec));
    inputs["fake"] = test::to_nchw(exec, image);
    save(out + "/outputs.safetensors", test::parity_outputs(exec, *model.g, *model.d, s, inputs, DType::kF32), {});
    save(out + "/inputs.safetensors", inputs,
         {{"level", std::to_string(s.level)},
          {"alpha", exact(1 - s.alpha)},  // the previous size's weight
          {"gamma", exact(s.objective.gamma)},
          {"r1_weight", exact(s.objective.r1_weight)},
          {"gp_weight", exact(s.objective.gp_weight)},
          {"gp_target", exact(s.objective.gp_target)},
          {"drift", exact(s.objective.drift)},
          {"mbstd", exact(s.stddev)}});
  } catch (const std::exception& e) {
    std::cerr << "parity_dump: " << e.what() << "\n";
    return 1;
  }
  return 0;
}
