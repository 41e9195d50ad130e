#include "layers/adam.h"

#include <algorithm>
#include <cmath>

#include "kernels/adam/adam.h"

namespace pgad {

AdamRate adam_rate(const AdamConfig& config, double lr, std::int64_t step) {
  const double t = static_cast<double>(step);
  return {static_cast<float>(lr), static_cast<float>(1 / (1 - std::pow(config.beta1, t))),
          static_cast<float>(1 / (1 - std::pow(config.beta2, t)))};
}

Adam::Adam(Exec& exec, const AdamConfig& config, std::vector<Parameter> parameters)
    : exec_(exec), config_(config), rate_(exec.zeros({3})) {
  for (Parameter& p : parameters) {
    const Shape shape = p.var.shape();
    moments_.push_back({std::move(p), exec.zeros(shape), exec.zeros(shape)});
  }
}

void Adam::prepare(double lr) {
  const AdamRate rate = adam_rate(config_, lr, steps_ + 1);
  float* p = rate_.data<float>();
  p[0] = rate.lr;
  p[1] = rate.correction1;
  p[2] = rate.correction2;
}

void Adam::apply(const std::vector<Parameter>& subset, const std::vector<Var>& gradients, const Tensor& gate) {
  PGAD_CHECK(subset.size() == gradients.size());
  for (std::size_t i = 0; i < subset.size(); ++i) {
    const auto found = std::find_if(moments_.begin(), moments_.end(),
                                    [&](const Moments& m) { return m.parameter.var.node() == subset[i].var.node(); });
    PGAD_CHECK(found != moments_.end(), subset[i].name, " is not one of this optimizer's parameters");
    const Tensor& w = subset[i].var.value();
    run(kAdam, exec_,
        AdamArgs<float>{w.numel(), w.data<float>(), gradients[i].value().data<float>(), found->m.data<float>(),
                        found->v.data<float>(), rate_.data<float>(), gate.data<float>(),
                        static_cast<float>(config_.beta1), static_cast<float>(config_.beta2),
                        static_cast<float>(config_.epsilon)});
    if (PreparedWeights* prepared = exec_.prepared_weights()) prepared->forget(w);
  }
}

void Adam::reset() {
  for (const Moments& m : moments_) {
    std::ranges::fill(m.m.span<float>(), 0.f);
    std::ranges::fill(m.v.span<float>(), 0.f);
  }
  steps_ = 0;
}

}  // namespace pgad
