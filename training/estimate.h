#pragma once
// What training will need, found by going through its steps on a device that counts memory instead of having it.

#include <string>
#include <vector>

#include "engine/device.h"
#include "model/config.h"

namespace pgad {

struct StepEstimate {
  int side;  // pixels
  bool fading;
  int batch;
  double parameters;  // of the generator and discriminator in use at this size
  double flops;       // of one step, by the direct algorithms
  double calls;       // of kernels in one step
  double bytes;       // of tensors: weights, optimizer, and everything that lives during the step
};

// One entry per resolution (its fading step, which needs most, if it has one). device: its type decides which kernels'
// memory counts.
std::vector<StepEstimate> estimate_training(const Config& config, Device device);
std::string estimate_table(const std::vector<StepEstimate>& estimates);
// A step of a patch critic, and how many of them there will be. config.network.channels must be decided.
struct PatchCriticEstimate {
  StepEstimate step;
  double steps;  // of all critics together
};
PatchCriticEstimate estimate_patch_critics(const Config& config, Device device);

}  // namespace pgad
