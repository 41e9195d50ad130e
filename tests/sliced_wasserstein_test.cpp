// The sliced Wasserstein distance of image patches: what it sees, what it does not, and its value where it is known.

#include "training/sliced_wasserstein.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "engine/rng.h"

namespace pgad {
namespace {

constexpr int kSide = 32;
constexpr std::int64_t kImages = 32;

// Waves of a random phase and direction, with noise of this deviation.
std::vector<float> textures(std::uint64_t seed, double frequency, double noise, int channels = 1, int side = kSide) {
  std::vector<float> values;
  for (std::int64_t n = 0; n < kImages; ++n) {
    Rng rng(seed, static_cast<std::uint64_t>(n));
    const double angle = 6.28 * rng.uniform(), phase = 6.28 * rng.uniform();
    for (int y = 0; y < side; ++y)
      for (int x = 0; x < side; ++x)
        for (int c = 0; c < channels; ++c)
          values.push_back(static_cast<float>(
              0.5 * std::sin(frequency * (x * std::cos(angle) + y * std::sin(angle)) + phase) + noise * rng.normal()));
  }
  return values;
}

std::vector<double> distance(const std::vector<float>& a, const std::vector<float>& b, int channels = 1,
                             int threads = 2, int side = kSide) {
  return sliced_wasserstein(Exec(Device{}, threads), a, b, kImages, side, channels);
}

TEST(SlicedWasserstein, EqualSetsAreAtZero) {
  for (const int channels : {1, 3}) {
    const std::vector<float> a = textures(1, 0.5, 0.1, channels);
    EXPECT_EQ(distance(a, a, channels), (std::vector<double>{0, 0}));  // 32x32 and 16x16
  }
}

TEST(SlicedWasserstein, SizesGoDownToSixteen) {
  EXPECT_EQ(distance(textures(1, 0.5, 0.1, 1, 64), textures(2, 0.5, 0.1, 1, 64), 1, 2, 64).size(), 3u);
  EXPECT_EQ(distance(textures(1, 0.5, 0.1, 1, 8), textures(2, 0.5, 0.1, 1, 8), 1, 2, 8).size(), 1u);
  const std::vector<float> images = textures(1, 0.5, 0.1, 1, 4);
  EXPECT_THROW(distance(images, images, 1, 2, 4), Error);  // smaller than a patch
  EXPECT_THROW(distance(images, images, 1, 2, 8), Error);  // other numbers of values
}

// More of one kind are nearer than others; noise shows in the fine size, another wave length in the coarse one.
TEST(SlicedWasserstein, TellsTextures) {
  const std::vector<float> a = textures(1, 0.5, 0.1);
  const std::vector<double> same = distance(a, textures(2, 0.5, 0.1)), noisy = distance(a, textures(2, 0.5, 0.4)),
                            shorter = distance(a, textures(2, 1.2, 0.1));
  EXPECT_GT(noisy[0], 2 * same[0]);
  EXPECT_GT(shorter[1], 1.5 * same[1]);
}

TEST(SlicedWasserstein, IgnoresBrightnessAndContrast) {
  const std::vector<float> a = textures(1, 0.5, 0.1);
  std::vector<float> b = a;
  for (float& v : b) v = 0.3f * v + 0.2f;
  for (const double d : distance(a, b)) EXPECT_LT(d, 0.1);
}

// White noise against images of noise that is +1 or -1: patches of one pixel, for which the distance is that of two
// distributions on a line, E|Phi^-1(u) - sign(u - 1/2)|, below by quadrature.
TEST(SlicedWasserstein, KnownDistance) {
  SlicedWassersteinConfig config;
  config.patch = 1;
  config.directions = 4;
  Rng rng(3, 3);
  std::vector<float> normal, sign;
  constexpr int kSixteen = 16;
  for (int i = 0; i < kImages * kSixteen * kSixteen; ++i) {
    normal.push_back(static_cast<float>(rng.normal()));
    sign.push_back(rng.uniform() < 0.5 ? 1.f : -1.f);
  }
  const Exec exec(Device{}, 2);
  const std::vector<double> d = sliced_wasserstein(exec, normal, sign, kImages, kSixteen, 1, config);
  double expected = 0;
  constexpr int kSteps = 200000;
  for (int i = 0; i < kSteps; ++i) {  // over |z| of the half normal, weighted by its density
    const double z = 8.0 * (i + 0.5) / kSteps;
    expected += std::fabs(z - 1) * std::sqrt(2 / 3.14159265358979) * std::exp(-z * z / 2) * 8.0 / kSteps;
  }
  ASSERT_EQ(d.size(), 1u);
  EXPECT_NEAR(d[0] / 1000, expected, 0.03);
}

TEST(SlicedWasserstein, TheSameForAnyNumberOfThreads) {
  const std::vector<float> a = textures(1, 0.5, 0.1), b = textures(2, 0.7, 0.1);
  EXPECT_EQ(distance(a, b, 1, 1), distance(a, b, 1, 2));
}

}  // namespace
}  // namespace pgad
