#pragma once
// Everything an independent implementation is compared on: outputs, penalties, losses and every parameter gradient of
// both networks, under the names that scripts/parity/make_golden.py documents. Tensors in PyTorch's orders.

#include <map>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "images/safetensors.h"
#include "layers/objective.h"

namespace pgad::test {

struct Named {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};
using NamedTensors = std::map<std::string, Named>;

struct ParitySetting {
  int level = 2, full_level = 2;
  double alpha = 1, stddev = 0;
  ObjectiveConfig objective;  // loss and weighting are varied
};

inline Tensor tensor_of(Exec& exec, const std::vector<float>& values, const Shape& shape, DType dtype) {
  return dtype == DType::kF32 ? exec.from<float>(values, shape)
                              : exec.from<double>(std::vector<double>(values.begin(), values.end()), shape);
}

inline Tensor from_nchw(Exec& exec, const Named& in, DType dtype) {
  const auto& s = in.shape;
  if (s.size() != 4) return tensor_of(exec, in.values, Shape(std::span<const std::int64_t>(s)), dtype);
  std::vector<float> nhwc(in.values.size());
  std::size_t at = 0;
  for (std::int64_t n = 0; n < s[0]; ++n)
    for (std::int64_t c = 0; c < s[1]; ++c)
      for (std::int64_t p = 0; p < s[2] * s[3]; ++p)
        nhwc[static_cast<std::size_t>((n * s[2] * s[3] + p) * s[1] + c)] = in.values[at++];
  return tensor_of(exec, nhwc, {s[0], s[2], s[3], s[1]}, dtype);
}

inline Tensor as_float(Exec& exec, const Tensor& t) {
  if (t.dtype() == DType::kF32) return t;
  const std::vector<double> values = exec.read<double>(t);
  return tensor_of(exec, std::vector<float>(values.begin(), values.end()), t.shape(), DType::kF32);
}

inline Named to_nchw(Exec& exec, const Var& v) {
  const std::vector<float> values = exec.read<float>(as_float(exec, v.value()));
  const Shape& s = v.shape();
  Named out;
  if (s.rank() != 4) {
    for (int i = 0; i < s.rank(); ++i) out.shape.push_back(s[i]);
    out.values = values;
    return out;
  }
  out.shape = {s[0], s[3], s[1], s[2]};
  for (std::int64_t n = 0; n < s[0]; ++n)
    for (std::int64_t c = 0; c < s[3]; ++c)
      for (std::int64_t p = 0; p < s[1] * s[2]; ++p)
        out.values.push_back(values[static_cast<std::size_t>((n * s[1] * s[2] + p) * s[3] + c)]);
  return out;
}

inline Named scalar_of(const Var& v) { return {{}, {static_cast<float>(v.item())}}; }

inline void add_gradients(Exec& exec, NamedTensors& out, const std::string& prefix, const Var& loss,
                          const std::vector<Parameter>& parameters) {
  std::vector<Var> leaves;
  for (const Parameter& p : parameters) leaves.push_back(p.var);
  const auto gradients = grad(loss, leaves);
  for (std::size_t i = 0; i < parameters.size(); ++i)
    out[prefix + parameters[i].name] = {file_shape(parameters[i]),
                                        to_file_order(parameters[i], as_float(exec, gradients[i].value()))};
}

// inputs: z, real, abnormal, u, pick; `fake` where given, else G(z).
inline NamedTensors parity_outputs(Exec& exec, const Generator& g, const Discriminator& d, const ParitySetting& s,
                                   const NamedTensors& inputs, DType dtype) {
  const auto input = [&](const char* name) { return Var(exec, from_nchw(exec, inputs.at(name), dtype)); };
  const auto constant = [&](double v) { return Var(exec, from_nchw(exec, {{1}, {static_cast<float>(v)}}, dtype)); };
  const Stage stage{s.level, s.alpha < 1 ? constant(s.alpha) : Var()};
  NamedTensors out;
  const Var image = g.forward(input("z"), stage);
  out["g_out"] = to_nchw(exec, image);
  DiscriminatorBatch batch;
  batch.real = input("real");
  batch.fake = inputs.count("fake") > 0 ? input("fake") : image.detach();
  batch.abnormal = input("abnormal");
  batch.mix = input("u");
  batch.pick = input("pick");
  const auto on_real = d.forward(batch.real, stage);
  out["d_real"] = to_nchw(exec, on_real.score);
  out["d_fake"] = to_nchw(exec, d.forward(batch.fake, stage).score);
  out["d_real_constant"] = to_nchw(exec, d.forward(batch.real, stage, constant(s.stddev)).score);
  out["mbstd_real"] = to_nchw(exec, on_real.stddev);
  out["feature_real"] = to_nchw(exec, on_real.features);
  const double divisor = 1 << (s.full_level - s.level);
  for (const Loss loss : {Loss::kLogistic, Loss::kWganGp}) {
    const std::string loss_name = loss == Loss::kLogistic ? "logistic" : "wgan-gp";
    ObjectiveConfig objective = s.objective;
    objective.loss = loss;
    for (const Weighting weighting : {Weighting::kMixture, Weighting::kEq15}) {
      objective.weighting = weighting;
      const std::string name = loss_name + (weighting == Weighting::kMixture ? ".mixture" : ".eq15");
      const DiscriminatorLoss l = discriminator_loss(objective, d, batch, stage, divisor);
      const Var squares = sum_per_sample(square(l.gradient.detach()));
      if (loss == Loss::kLogistic)
        out["r1"] = to_nchw(exec, squares);
      else
        out["gp_norm"] = to_nchw(exec, scale(sqrt(affine(squares, 1, 1e-8)), 1 / divisor));
      out[name + ".d_loss"] = scalar_of(l.total);
      add_gradients(exec, out, name + ".grad.", l.total, d.parameters());
    }
    const Var l = generator_loss(objective, d.forward(image, stage).score);
    out[loss_name + ".g_loss"] = scalar_of(l);
    add_gradients(exec, out, loss_name + ".grad.", l, g.parameters());
  }
  return out;
}

}  // namespace pgad::test
