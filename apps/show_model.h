#pragma once
// What a model is and what it draws: pgad_infer's `info` and `generate`.

#include <cstdint>
#include <string>

#include "model/config_io.h"

namespace pgad {

struct GenerateOptions {
  std::string model, out, latents;  // latents: a NumPy file [count, latent size]; empty: drawn by the seed
  std::int64_t count = 64;
  std::uint64_t seed = 1;
  GivenOptions given;
};

// Writes samples.png and samples.npy to options.out. Returns the exit code.
int generate_images(const GenerateOptions& options);

// To standard output: networks, calibration with thresholds, configuration; with `speed` the time of a search here,
// which takes two; on terminals, or with `pictures`, what it draws, as wide as the terminal. Returns the exit code.
int print_model(const std::string& file, const GivenOptions& given, bool speed, bool pictures);

}  // namespace pgad
