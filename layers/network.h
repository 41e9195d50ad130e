#pragma once
// The networks as training and search see them, whatever they are built of. An architecture makes them by name
// (NetworkConfig::architecture); pggan.cpp is the one there is.
//
// Networks are immutable but for their parameters' values and may be shared; what they compute goes to their Exec, on
// the thread that it belongs to.

#include <memory>
#include <string>
#include <vector>

#include "layers/network_config.h"
#include "layers/parameter.h"
#include "layers/stage.h"

namespace pgad {

class Network {
 public:
  virtual ~Network() = default;

  // All parameters, in the order of the flat tensor, where sizes follow each other as they grow.
  const std::vector<Parameter>& parameters() const { return parameters_.all(); }
  // The weights as one tensor, [size].
  const Tensor& flat() const { return parameters_.flat(); }
  // The parameters that results at a size depend on; the flat tensor's first Parameters::end_of() elements hold them.
  virtual std::vector<Parameter> active_parameters(int level, bool fading) const = 0;

 protected:
  Network() = default;
  Network(const Network&) = default;
  Network& operator=(const Network&) = default;
  Parameters parameters_;  // set by the constructor of the class that is built of them
};

class Generator : public Network {
 public:
  // z [n, d] -> images [n, 2^level, 2^level, channels], NHWC. No tanh: they live in [-1, 1] because the real ones do.
  // Throws Error for a level outside [2, log2 resolution].
  virtual Var forward(const Var& z, const Stage& stage) const = 0;
};

class Discriminator : public Network {
 public:
  struct Output {
    Var score;     // [n], logit (logistic) or critic value (wgan-gp)
    Var features;  // [n,h,w,c]: the map that f of eq 3 is taken from, before samples meet in minibatch-stddev
    Var stddev;    // [groups], or the constant
  };
  // x [n, 2^level, 2^level, channels]. stddev: a [1] constant that takes the place of the batch's standard
  // deviation, so that an image's score does not depend on its batch. maps: also receives what feature_maps() gives.
  // Throws Error for images of another size.
  virtual Output forward(const Var& x, const Stage& stage, const Var& stddev = {},
                         std::vector<Var>* maps = nullptr) const = 0;
  // What it sees of the images at their own size and at each half of it down to 8x8, [n, s, s, maps] each.
  virtual std::vector<Var> feature_maps(const Var& x, const Stage& stage) const = 0;
};

// Gives the search its start: image -> latent, trained after the GAN against its frozen networks (f-AnoGAN's izi_f:
// Schlegl et al., Medical Image Analysis 2019). For images of one size.
class Encoder : public Network {
 public:
  int level() const { return level_; }
  // x [n, s, s, channels], s = 2^level -> z [n, d] on the sphere of radius sqrt(d), where the search looks.
  virtual Var forward(const Var& x) const = 0;

 protected:
  explicit Encoder(int level) : level_(level) {}
  int level_;
};

struct Architecture {
  const char* name;
  std::shared_ptr<const Generator> (*generator)(Exec&, const NetworkConfig&, Seed, DType);
  std::shared_ptr<const Discriminator> (*discriminator)(Exec&, const NetworkConfig&, Seed, DType);
  std::shared_ptr<const Encoder> (*encoder)(Exec&, const NetworkConfig&, int level, Seed, DType);
};
bool is_architecture(const std::string& name);
std::string architecture_names();  // "pggan", in general "a or b"

// Networks of config.architecture. Throws UsageError for a name that is none. level: log2 of the image's side, >= 2.
std::shared_ptr<const Generator> make_generator(Exec& exec, const NetworkConfig& config, Seed seed,
                                                DType dtype = DType::kF32);
std::shared_ptr<const Discriminator> make_discriminator(Exec& exec, const NetworkConfig& config, Seed seed,
                                                        DType dtype = DType::kF32);
std::shared_ptr<const Encoder> make_encoder(Exec& exec, const NetworkConfig& config, int level, Seed seed,
                                            DType dtype = DType::kF32);

// mean |x - G(z)|^2 + feature_weight mean |f(x) - f(G(z))|^2 for images and features of the same shapes.
Var encoder_loss(const Var& image, const Var& drawn, const Var& features, const Var& drawn_features,
                 double feature_weight);

// Samples per minibatch-stddev group: the largest size up to 4 that divides the batch.
std::int64_t stddev_group_size(std::int64_t batch);

}  // namespace pgad
