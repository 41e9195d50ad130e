#pragma once
// One training step at a fixed resolution and batch size: a discriminator update, a generator update and the moving
// average of the generator, recorded at its first run and replayed afterwards.

#include <memory>
#include <optional>
#include <vector>

#include "engine/mirror.h"
#include "engine/step_graph.h"
#include "layers/adam.h"
#include "layers/objective.h"

namespace pgad {

// Everything training changes. The moving average is a second generator with weights of its own.
struct Networks {
  Networks(Exec& exec, const NetworkConfig& config, const AdamConfig& adam, std::uint64_t seed);
  std::shared_ptr<const Generator> g;
  std::shared_ptr<const Generator> g_ema;
  std::shared_ptr<const Discriminator> d;
  Adam g_adam;
  Adam d_adam;
};

struct TrainStepShape {
  int level;
  bool fading;
  int batch;
  bool with_abnormal;
  bool operator==(const TrainStepShape&) const = default;
};

// The numbers of one step, read back on the host.
struct TrainStepResult {
  double d_loss, g_loss, penalty;
  double d_real, d_fake, d_abnormal;  // mean scores; d_abnormal is NaN without abnormals
  double d_grad_norm, g_grad_norm;
  double gradient_norm;       // mean ||dD/dx|| of the penalty's images
  double stddev;              // mean minibatch-stddev of the real batch
  bool d_skipped, g_skipped;  // the gradients were not finite: nothing was updated
};

class TrainStep {
 public:
  TrainStep(Exec& exec, Networks& networks, const NetworkConfig& network, const ObjectiveConfig& objective,
            const TrainStepShape& shape);

  const TrainStepShape& shape() const { return shape_; }

  // Inputs. What the host writes may be written for the next step between start() and finish(). Images at the step's
  // size, NHWC in [-1,1].
  std::span<float> real() { return host(real_); }          // [batch, s, s, channels]
  std::span<float> abnormal() { return host(abnormal_); }  // [batch, s, s, channels]; only with_abnormal
  std::span<float> mix() { return host(mix_); }            // [batch], see DiscriminatorBatch
  std::span<float> pick() { return host(pick_); }          // [batch]
  void set_alpha(double alpha) { host(alpha_)[0] = static_cast<float>(alpha); }    // Stage::alpha
  void set_ema_weight(double w) { host(ema_weight_)[0] = static_cast<float>(w); }  // of the new value
  const Tensor& d_latents() const { return d_latents_; }                           // [batch, d], on the device
  const Tensor& g_latents() const { return g_latents_; }                           // [batch, d], on the device

  // After the inputs were written: on a GPU their copy begins, beside the step under way.
  void send_inputs() { inputs_.send(); }
  // With the inputs sent last; the optimizers' rates must have been prepared. On a GPU the host need not wait.
  void start();
  TrainStepResult finish();
  TrainStepResult run() {
    send_inputs();
    start();
    return finish();
  }

  StepGraph& graph() { return *graph_; }

 private:
  enum Result { kDLoss, kGLoss, kPenalty, kReal, kFake, kAbnormal, kDNorm, kGNorm, kGradientNorm, kStddev, kResults };
  // A part of the inputs, all of which lie in one tensor and travel in one copy.
  struct Input {
    std::int64_t offset = 0;
    Shape shape;
  };
  Input add_input(const Shape& shape);
  std::span<float> host(const Input& input) const;
  Var input(const Input& input) const;

  void step();
  void update_discriminator();
  void update_generator();
  void report(Result which, const Tensor& value);

  Exec& exec_;
  Networks& networks_;
  NetworkConfig network_;
  ObjectiveConfig objective_;
  TrainStepShape shape_;
  std::int64_t input_size_ = 0;
  Input real_, abnormal_, mix_, pick_, alpha_, ema_weight_;
  StagedInput inputs_;
  Tensor d_latents_, g_latents_;
  Stage stage_;
  Mirror results_;  // the numbers of TrainStepResult, in one place so that they come to the host at once
  std::optional<StepGraph> graph_;
};

}  // namespace pgad
