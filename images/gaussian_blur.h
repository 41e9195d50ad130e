#pragma once

#include <span>
#include <vector>

namespace pgad {

// Gaussian smoothing, sigma in pixels, cut at 3 sigma. At borders the weights inside are renormalised: a
// constant map stays constant. sigma 0: a copy.
std::vector<float> gaussian_blur(std::span<const float> map, int h, int w, double sigma);

}  // namespace pgad
