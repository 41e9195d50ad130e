#include "training/adam_step.h"

#include <cmath>

namespace pgad {

AdamStep::Result AdamStep::run(double lr, const std::function<void()>& step) {
  adam_.prepare(lr);
  if (graph_)
    graph_->replay();
  else
    graph_.emplace(exec_, step);
  const Result r{exec_.read<float>(loss_)[0], !std::isfinite(exec_.read<float>(norm_)[0])};
  if (!r.skipped) adam_.advance();
  return r;
}

void AdamStep::update(const Tensor& loss, const Tensor& gradients) {
  loss_ = loss;
  norm_ = squared_norm(exec_, gradients);
  adam_.apply(gradients, norm_);
}

}  // namespace pgad
