#include "layers/adam.h"

#include <cmath>

#include "autograd/grad.h"
#include "kernels/adam/adam.h"
#include "kernels/elementwise/elementwise.h"

namespace pgad {

AdamRate adam_rate(const AdamConfig& config, double lr, std::int64_t step) {
  const double t = static_cast<double>(step);
  return {static_cast<float>(lr), static_cast<float>(1 / (1 - std::pow(config.beta1, t))),
          static_cast<float>(1 / (1 - std::pow(config.beta2, t)))};
}

void update_average(Exec& exec, const Tensor& ema, const Tensor& weights, const Tensor& t) {
  PGAD_CHECK(ema.shape() == weights.shape(), ema.shape(), weights.shape());
  run(kEma, exec, EmaArgs<float>{ema.numel(), ema.data<float>(), weights.data<float>(), t.data<float>()});
}

Tensor squared_norm(Exec& exec, const Tensor& values) {
  SquaredNormArgs<float> args{values.numel(), values.data<float>(), nullptr, nullptr};
  const Tensor out = exec.empty({1}), partial = exec.empty({args.chunks()});
  args.out = out.data<float>();
  args.partial = partial.data<float>();
  run(kSquaredNorm, exec, args);
  return out;
}

Gradients::Gradients(Exec& exec, const std::vector<Parameter>& parameters)
    : exec_(exec), flat_(exec.empty({Parameters::end_of(parameters)})) {
  for (const Parameter& p : parameters) leaves_.push_back(p.var);
  run(kFill, exec, FillArgs<float>{flat_.numel(), flat_.data<float>(), 0.f});
}

void Gradients::add(const Var& loss) { add(grad(loss, leaves_)); }

void Gradients::add(std::span<const Var> from, std::span<const Var> seeds) { add(grad(from, seeds, leaves_)); }

void Gradients::add(const std::vector<Var>& gradients) {
  for (std::size_t i = 0; i < leaves_.size(); ++i) {
    const float* gradient = gradients[i].value().data<float>();
    float* sum = flat_.data<float>() + leaves_[i].value().first();
    const std::int64_t n = gradients[i].value().numel();
    if (empty_)
      run(kUnary, exec_, UnaryArgs<float>{Unary::kAffine, n, gradient, sum, 1.f, 0.f});
    else
      run(kBinary, exec_, BinaryArgs<float>{Binary::kAxpby, n, sum, gradient, sum, 1.f, 1.f});
  }
  empty_ = false;
}

Adam::Adam(Exec& exec, const AdamConfig& config, const Tensor& weights)
    : exec_(exec),
      config_(config),
      weights_(weights),
      m_(exec.zeros(weights.shape())),
      v_(exec.zeros(weights.shape())),
      rate_(exec, {3}) {}

void Adam::prepare(double lr) {
  const AdamRate rate = adam_rate(config_, lr, steps_ + 1);
  const std::span<float> p = rate_.host();
  p[0] = rate.lr;
  p[1] = rate.correction1;
  p[2] = rate.correction2;
  rate_.upload();
}

void Adam::apply(const Tensor& gradients, const Tensor& gate) {
  PGAD_CHECK(gradients.numel() <= weights_.numel(), gradients.shape(), weights_.shape());
  if (PreparedWeights* prepared = exec_.prepared_weights()) prepared->forget(weights_);
  run(kAdam, exec_,
      AdamArgs<float>{gradients.numel(), weights_.data<float>(), gradients.data<float>(), m_.data<float>(),
                      v_.data<float>(), rate_.tensor().data<float>(), gate.data<float>(),
                      static_cast<float>(config_.beta1), static_cast<float>(config_.beta2),
                      static_cast<float>(config_.epsilon)});
}

void Adam::reset() {
  exec_.clear(m_);
  exec_.clear(v_);
  steps_ = 0;
}

}  // namespace pgad
