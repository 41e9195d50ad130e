#include "layers/adam.h"

#include <algorithm>
#include <cmath>

#include "kernels/adam/adam.h"

namespace pgad {
namespace {

// Fills args with n tensors, kTensorsPerCall at a time, and calls for each filling.
template <class Args, class Make, class Call>
void in_calls(std::size_t n, Args& args, const Make& make, const Call& call) {
  for (std::size_t i = 0; i < n; ++i) {
    args.tensors[static_cast<std::size_t>(args.count++)] = make(i);
    if (args.count < kTensorsPerCall && i + 1 < n) continue;
    call();
    args.count = 0;
  }
}

}  // namespace

AdamRate adam_rate(const AdamConfig& config, double lr, std::int64_t step) {
  const double t = static_cast<double>(step);
  return {static_cast<float>(lr), static_cast<float>(1 / (1 - std::pow(config.beta1, t))),
          static_cast<float>(1 / (1 - std::pow(config.beta2, t)))};
}

Adam::Adam(Exec& exec, const AdamConfig& config, std::vector<Parameter> parameters)
    : exec_(exec), config_(config), rate_(exec, {3}) {
  for (Parameter& p : parameters) {
    const Shape shape = p.var.shape();
    moments_.push_back({std::move(p), exec.zeros(shape), exec.zeros(shape)});
  }
}

void Adam::prepare(double lr) {
  const AdamRate rate = adam_rate(config_, lr, steps_ + 1);
  const std::span<float> p = rate_.host();
  p[0] = rate.lr;
  p[1] = rate.correction1;
  p[2] = rate.correction2;
  rate_.upload();
}

void Adam::apply(const std::vector<Parameter>& subset, const std::vector<Var>& gradients, const Tensor& gate) {
  PGAD_CHECK(subset.size() == gradients.size());
  AdamArgs<float> args{};
  args.rate = rate_.tensor().data<float>();
  args.gate = gate.data<float>();
  args.beta1 = static_cast<float>(config_.beta1);
  args.beta2 = static_cast<float>(config_.beta2);
  args.epsilon = static_cast<float>(config_.epsilon);
  in_calls(
      subset.size(), args,
      [&](std::size_t i) {
        const auto found = std::find_if(moments_.begin(), moments_.end(), [&](const Moments& m) {
          return m.parameter.var.node() == subset[i].var.node();
        });
        PGAD_CHECK(found != moments_.end(), subset[i].name, " is not one of this optimizer's parameters");
        const Tensor& w = subset[i].var.value();
        if (PreparedWeights* prepared = exec_.prepared_weights()) prepared->forget(w);
        return AdamTensor<float>{w.numel(), w.data<float>(), gradients[i].value().data<float>(), found->m.data<float>(),
                                 found->v.data<float>()};
      },
      [&] { run(kAdam, exec_, args); });
}

void update_average(Exec& exec, const std::vector<Parameter>& ema, const std::vector<Parameter>& parameters,
                    const Tensor& t) {
  PGAD_CHECK(ema.size() == parameters.size());
  EmaArgs<float> args{};
  args.t = t.data<float>();
  in_calls(
      ema.size(), args,
      [&](std::size_t i) {
        const Tensor& average = ema[i].var.value();
        return EmaTensor<float>{average.numel(), average.data<float>(), parameters[i].var.value().data<float>()};
      },
      [&] { run(kEma, exec, args); });
}

Tensor squared_norm(Exec& exec, const std::vector<Var>& tensors) {
  const Tensor out = exec.empty({1});
  SquaredNormArgs<float> args{};
  args.out = out.data<float>();
  in_calls(
      tensors.size(), args,
      [&](std::size_t i) {
        return NormTensor<float>{tensors[i].value().numel(), tensors[i].value().data<float>()};
      },
      [&] {
        const Tensor partial = exec.empty({args.chunks()});
        args.partial = partial.data<float>();
        run(kSquaredNorm, exec, args);
        args.before = args.out;
      });
  return out;
}

void Adam::reset() {
  for (const Moments& m : moments_) {
    exec_.clear(m.m);
    exec_.clear(m.v);
  }
  steps_ = 0;
}

}  // namespace pgad
