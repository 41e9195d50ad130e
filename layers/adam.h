#pragma once
// Adam over a network's parameters, the moving average of a generator's, and gradients with their norm.

#include <vector>

#include "engine/mirror.h"
#include "layers/network.h"

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

// Device side: ema = (1 - t) ema + t w for two tensors of one shape; t: [1].
void update_average(Exec& exec, const Tensor& ema, const Tensor& weights, const Tensor& t);
// Device side: the sum of all squares, [1].
Tensor squared_norm(Exec& exec, const Tensor& values);

// Device side, part of a recorded step: gradients of parameters, some or all of a network's, in one flat tensor of
// their network's layout. Several losses' add up.
class Gradients {
 public:
  Gradients(Exec& exec, const std::vector<Parameter>& parameters);

  void add(const Var& loss);
  void add(std::span<const Var> from, std::span<const Var> seeds);  // of sum(from * seeds)
  // [size]: the part of the layout that holds these parameters; 0 where others lie between them.
  const Tensor& flat() const { return flat_; }

 private:
  void add(const std::vector<Var>& gradients);

  Exec& exec_;
  std::vector<Var> leaves_;  // the parameters
  Tensor flat_;
  bool empty_ = true;
};

class Adam {
 public:
  // For weights in a flat tensor of this layout.
  Adam(Exec& exec, const AdamConfig& config, const Tensor& weights);

  // Host side, before a step: sets the rate that the step's kernels will read, for step number steps() + 1.
  void prepare(double lr);
  // Device side; part of a recorded step. Updates as many of the weights, from the first on, as there are gradients.
  // gate: [1], not finite: nothing changes.
  void apply(const Tensor& gradients, const Tensor& gate);
  // Host side, after a step that took place.
  void advance() { ++steps_; }
  // Forgets moments and the step count (PGGAN: at the start and the end of every fade).
  void reset();

  std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }
  // Flat tensors of the weights' layout.
  const Tensor& m() const { return m_; }
  const Tensor& v() const { return v_; }

 private:
  Exec& exec_;
  AdamConfig config_;
  Tensor weights_, m_, v_;
  Mirror rate_;  // [3]
  std::int64_t steps_ = 0;
};

}  // namespace pgad
