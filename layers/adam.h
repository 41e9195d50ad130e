#pragma once
// Adam over a set of parameters, the moving average of a generator's, and the norm of gradients.

#include <vector>

#include "engine/mirror.h"
#include "layers/parameter.h"

namespace pgad {

struct AdamConfig {
  double beta1 = 0.0, beta2 = 0.99, epsilon = 1e-8;
};

// The three numbers of a step that kernels/adam reads from device memory.
struct AdamRate {
  float lr, correction1, correction2;
};
// step counts from 1.
AdamRate adam_rate(const AdamConfig& config, double lr, std::int64_t step);

// Device side: ema = (1 - t) ema + t w for parameters that correspond; t: [1].
void update_average(Exec& exec, const std::vector<Parameter>& ema, const std::vector<Parameter>& parameters,
                    const Tensor& t);
// Device side: the sum of all squares, [1].
Tensor squared_norm(Exec& exec, const std::vector<Var>& tensors);

class Adam {
 public:
  Adam(Exec& exec, const AdamConfig& config, std::vector<Parameter> parameters);

  // Host side, before a step: sets the rate that the step's kernels will read, for step number steps() + 1.
  void prepare(double lr);
  // Device side; part of a recorded step. gradients belong to `subset`, parameters of this optimizer; gate: [1], not
  // finite: nothing changes.
  void apply(const std::vector<Parameter>& subset, const std::vector<Var>& gradients, const Tensor& gate);
  // Host side, after a step that took place.
  void advance() { ++steps_; }
  // Forgets moments and the step count (PGGAN: at the start and the end of every fade).
  void reset();

  std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }
  struct Moments {
    Parameter parameter;
    Tensor m, v;
  };
  const std::vector<Moments>& moments() const { return moments_; }

 private:
  Exec& exec_;
  AdamConfig config_;
  std::vector<Moments> moments_;
  Mirror rate_;  // [3]
  std::int64_t steps_ = 0;
};

}  // namespace pgad
