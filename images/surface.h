#pragma once
// Surfaces in the units of their image: what the patch critic sees, and what defects are made in.

#include <span>
#include <vector>

namespace pgad {

// An image's brightness: the median of its luma, and its spread, as if it were normally distributed, from the 10th and
// 90th percentiles; at least 1/32 of the whole range. Of pixels in [-1,1].
struct Brightness {
  float median = 0, spread = 1;
};
Brightness brightness_of(std::span<const float> pixels, int channels);

// Pixels in [-1,1] in these units, and back, clamped to [-1,1].
void to_units_of(const Brightness& brightness, std::span<float> pixels);
void from_units_of(const Brightness& brightness, std::span<float> pixels);

// Pixels in [-1,1] as the networks see them where these are normalised: kNetworkRange spreads from the median are 1,
// clamped. And back, clamped too.
inline constexpr float kNetworkRange = 4;
void normalise(const Brightness& brightness, std::span<float> pixels);
void from_normalised(const Brightness& brightness, std::span<float> pixels);

// [height, width, channels] in [-1,1] -> [height, width, channels + 1]: each channel (v - median) / spread, and last
// the luma's deviation from its surroundings' mean in units of their deviation, squares of 2 * kSurroundings + 1 pixels
// within the image. All within [-4, 4].
inline constexpr int kSurroundings = 8;
std::vector<float> critic_input(std::span<const float> pixels, int height, int width, int channels,
                                const Brightness& brightness);

}  // namespace pgad
