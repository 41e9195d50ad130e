#include "layers/equalized.h"

#include "autograd/ops.h"

namespace pgad {

EqualizedConv::EqualizedConv(Exec& exec, DType dtype, const std::string& name, int ci, int co, int k, double gain,
                             double slope_)
    : weight(make_parameter(exec, dtype, name + ".weight", {co, k, k, ci}, FileOrder::kConv, Initial::kNormal)),
      bias(make_parameter(exec, dtype, name + ".bias", {co}, FileOrder::kPlain, Initial::kZero)),
      factor(gain / std::sqrt(static_cast<double>(k * k * ci))),
      slope(slope_) {}

Var EqualizedConv::operator()(const Var& x) const { return conv2d_bias_act(x, weight.var, bias.var, factor, slope); }

Var EqualizedConv::normalised(const Var& x) const {
  return conv2d_bias_act_pixelnorm(x, weight.var, bias.var, factor, slope);
}
Var EqualizedConv::upsampled_normalised(const Var& x) const {
  return upsample2x_conv2d_bias_act_pixelnorm(x, weight.var, bias.var, factor, slope);
}

EqualizedDense::EqualizedDense(Exec& exec, DType dtype, const std::string& name, int in, int out, int bias_size,
                               FileOrder order, double gain)
    : weight(make_parameter(exec, dtype, name + ".weight", {out, in}, order, Initial::kNormal)),
      bias(make_parameter(exec, dtype, name + ".bias", {bias_size}, FileOrder::kPlain, Initial::kZero)),
      factor(gain / std::sqrt(static_cast<double>(in))) {}

Var EqualizedDense::product(const Var& x) const { return matmul(x, weight.var, false, true, factor); }

}  // namespace pgad
