// Against PyTorch: small models, inputs and results that scripts/parity/make_golden.py computed there in double.

#include <gtest/gtest.h>

#include <cmath>

#include "model/model.h"
#include "tests/golden_files.h"
#include "tests/parity_outputs.h"
#include "tests/test_device.h"

namespace pgad::test {
namespace {

struct Golden {
  SafeTensorsFile file;
  NetworkConfig network;
  ParitySetting setting;
  NamedTensors inputs;

  explicit Golden(const std::string& name) : file(read_safetensors(golden_file(name + ".safetensors"))) {
    const auto integer = [&](const char* key) { return static_cast<int>(metadata_integer(file, key)); };
    network.resolution = integer("resolution");
    network.channels = integer("channels");
    network.fmap_base = integer("fmap_base");
    network.fmap_max = integer("fmap_max");
    network.latent_size = integer("latent_size");
    setting.level = integer("level");
    setting.full_level = network.log2_resolution();
    setting.alpha = 1 - metadata_number(file, "alpha");  // the file tells the previous size's weight
    setting.stddev = metadata_number(file, "mbstd");
    setting.objective.gamma = metadata_number(file, "gamma");
    if (metadata_text(file, "kind") == "train") {
      setting.objective.r1_weight = metadata_number(file, "r1_weight");
      setting.objective.gp_weight = metadata_number(file, "gp_weight");
      setting.objective.gp_target = metadata_number(file, "gp_target");
      setting.objective.drift = metadata_number(file, "drift");
    }
    for (const auto& [key, tensor] : file.tensors)
      if (key.rfind("input.", 0) == 0) inputs[key.substr(6)] = {tensor.shape, tensor.elements<float>()};
  }

  template <class Network>
  void load(const Network& network_) const {
    for (const Parameter& p : network_.parameters()) {
      const auto values = file.get("model." + p.name, "F32", file_shape(p)).template elements<float>();
      from_file_order(p, values.data(), p.var.value());
    }
  }

  // Largest deviation beside the largest magnitude of the tensor.
  void expect_near(const std::string& name, const Named& got, double tolerance, double least_scale = 1e-12) const {
    const auto found = file.tensors.find("output." + name);
    ASSERT_NE(found, file.tensors.end()) << name;
    const auto wanted = found->second.elements<float>();
    ASSERT_EQ(found->second.shape, got.shape) << name;
    double scale = least_scale, worst = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      scale = std::max(scale, std::fabs(static_cast<double>(wanted[i])));
      worst = std::max(worst, std::fabs(static_cast<double>(wanted[i]) - got.values[i]));
    }
    EXPECT_LE(worst / scale, tolerance) << name;
  }
};

class TrainGolden : public testing::TestWithParam<const char*> {};

TEST_P(TrainGolden, OutputsLossesAndGradients) {
  const Golden golden(GetParam());
  struct Kind {
    DType dtype;
    Implementation implementation;
    Device device = {};
  };
  for (const Kind kind :
       {Kind{DType::kF64, Implementation::kReference}, Kind{DType::kF32, Implementation::kReference},
        Kind{DType::kF32, Implementation::kFastest}, Kind{DType::kF32, Implementation::kFastest, test_device()}}) {
    Exec exec(kind.device, 2, kind.implementation);
    const auto g = make_generator(exec, golden.network, 1, kind.dtype);
    const auto d = make_discriminator(exec, golden.network, 1, kind.dtype);
    golden.load(*g);
    golden.load(*d);
    std::size_t compared = 0;
    for (const auto& [name, got] : parity_outputs(exec, *g, *d, golden.setting, golden.inputs, kind.dtype)) {
      const bool gradient = name.find(".grad.") != std::string::npos;
      // The wgan-gp mixture's gradient in the last bias is a sum that cancels: its terms are of order 1.
      const bool cancels = name.find("wgan-gp") == 0 && name.find("dense1.bias") != std::string::npos;
      golden.expect_near(name, got, gradient ? 1e-4 : 1e-5, cancels ? 1.0 : 1e-12);
      ++compared;
    }
    std::size_t outputs = 0;
    for (const auto& [key, tensor] : golden.file.tensors) outputs += key.rfind("output.", 0) == 0;
    EXPECT_EQ(compared, outputs);
  }
}

INSTANTIATE_TEST_SUITE_P(All, TrainGolden,
                         testing::Values("train_16x16x1_stable", "train_16x16x3_fading", "train_16x16x1_at_8x8_fading",
                                         "train_8x8x3_stable"));

class SearchGolden : public testing::TestWithParam<const char*> {};

TEST_P(SearchGolden, TermsAndLatentGradient) {
  const Golden golden(GetParam());
  for (const Device device : {Device{}, test_device()}) {
    Exec exec(device, 2);
    const auto g = make_generator(exec, golden.network, 1);
    const auto d = make_discriminator(exec, golden.network, 1);
    golden.load(*g);
    golden.load(*d);
    const bool mean = metadata_text(golden.file, "reduction") == "mean";
    const double gamma = golden.setting.objective.gamma, lambda = metadata_number(golden.file, "lambda");
    const Var stddev(exec, from_nchw(exec, {{1}, {static_cast<float>(golden.setting.stddev)}}, DType::kF32));
    const Var x(exec, from_nchw(exec, golden.inputs.at("real"), DType::kF32));
    const Var z(exec, from_nchw(exec, golden.inputs.at("z"), DType::kF32), true);
    const Stage stage{golden.setting.level, {}};
    const Var image = g->forward(z, stage);
    const auto on_x = d->forward(x, stage, stddev), on_g = d->forward(image, stage, stddev);
    const auto reduce = [&](const Var& v) {
      return sum_per_sample(v, mean ? static_cast<double>(v.shape()[0]) / static_cast<double>(v.shape().numel()) : 1);
    };
    const auto one_minus_sigmoid = [](const Var& v) { return affine(sigmoid(v), -1, 1); };
    const Var residual = reduce(abs(sub(x, image))), feature = reduce(abs(sub(on_x.features, on_g.features)));
    const Var latent_critic = one_minus_sigmoid(on_g.score);
    const Var loss = axpby(axpby(residual, feature, 1 - lambda, lambda), latent_critic, gamma, 1 - gamma);
    golden.expect_near("g_out", to_nchw(exec, image), 1e-5);
    golden.expect_near("search.residual", to_nchw(exec, residual), 1e-5);
    golden.expect_near("search.feature", to_nchw(exec, feature), 1e-5);
    golden.expect_near("search.latent_critic", to_nchw(exec, latent_critic), 1e-5);
    golden.expect_near("search.critic", to_nchw(exec, one_minus_sigmoid(on_x.score)), 1e-5);
    golden.expect_near("search.loss", to_nchw(exec, loss), 1e-5);
    const Var zs[] = {z};
    golden.expect_near("search.grad_z", to_nchw(exec, grad(sum(loss), zs)[0]), 1e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(All, SearchGolden, testing::Values("search_16x16x1_mean", "search_8x8x3_sum"));

}  // namespace
}  // namespace pgad::test
