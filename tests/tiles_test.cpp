// Images in tiles: their places, blending, and crops for training.

#include "images/tiles.h"

#include <gtest/gtest.h>

#include <cmath>

#include "images/loader.h"
#include "images/survey.h"
#include "tests/noise.h"
#include "tests/temp_dir.h"
#include "training/training_crops.h"

namespace pgad::test {
namespace {

TEST(TileGrid, CoversEveryPixelOfAnySize) {
  for (const int height : {1, 7, 16, 17, 40})
    for (const int width : {5, 16, 31})
      for (const int stride : {1, 8, 11, 16}) {
        const TileGrid grid(height, width, 16, stride);
        std::vector<int> covered(static_cast<std::size_t>(height * width));
        for (std::int64_t t = 0; t < grid.size(); ++t) {
          EXPECT_TRUE(grid.top(t) >= 0 && (grid.top(t) + 16 <= height || grid.top(t) == 0));
          for (int y = grid.top(t); y < std::min(height, grid.top(t) + 16); ++y)
            for (int x = grid.left(t); x < std::min(width, grid.left(t) + 16); ++x)
              ++covered[static_cast<std::size_t>(y * width + x)];
        }
        EXPECT_TRUE(std::ranges::all_of(covered, [](int n) { return n > 0; }))
            << height << "x" << width << " " << stride;
      }
  EXPECT_THROW(TileGrid(4, 4, 8, 9), Error);
  EXPECT_THROW(TileGrid(0, 4, 8, 8), Error);
}

// Tiles cut from an image and blended give the image back, its borders too, and what is smaller than a tile.
TEST(TileBlend, TilesOfAnImageAreTheImage) {
  for (const auto& [height, width] : std::vector<std::pair<int, int>>{{40, 61}, {16, 16}, {9, 33}, {3, 5}})
    for (const int channels : {1, 3}) {
      const std::vector<float> image = noise(static_cast<std::size_t>(height * width * channels), 3);
      const TileGrid grid(height, width, 16, 8);
      TileBlend blend(grid, channels);
      std::vector<float> tile(static_cast<std::size_t>(16 * 16 * channels));
      for (std::int64_t t = 0; t < grid.size(); ++t) {
        grid.cut(image, channels, t, tile);
        blend.add(t, tile);
      }
      const std::vector<float> back = blend.finish();
      ASSERT_EQ(back.size(), image.size());
      for (std::size_t i = 0; i < image.size(); ++i) EXPECT_NEAR(back[i], image[i], 1e-5) << i;
    }
}

// A tile's border counts for nothing where another one's inner part is: a tile that is wrong at its border leaves no
// seam.
TEST(TileBlend, BordersOfTilesDoNotShow) {
  const TileGrid grid(16, 48, 16, 8);
  TileBlend blend(grid);
  for (std::int64_t t = 0; t < grid.size(); ++t) {
    std::vector<float> tile(16 * 16, 0.f);
    for (std::size_t y = 0; y < 16; ++y) tile[y * 16] = tile[y * 16 + 15] = 1;
    blend.add(t, tile);
  }
  const std::vector<float> map = blend.finish();
  for (std::size_t x = 8; x < 40; ++x) EXPECT_LT(map[8 * 48 + x], 0.02) << x;
}

TEST(Tiles, MirroredRowsGoOnBeyondBothEnds) {
  EXPECT_EQ(mirrored(-1, 4), 0);
  EXPECT_EQ(mirrored(-3, 4), 2);
  EXPECT_EQ(mirrored(4, 4), 3);
  EXPECT_EQ(mirrored(7, 4), 0);
  EXPECT_EQ(mirrored(8, 4), 0);
  EXPECT_EQ(mirrored(-100, 1), 0);
}

TEST(Preprocessing, TilesAreKeptInItsText) {
  Preprocessing p;
  p.resolution = 64;
  p.tiles = true;
  p.scale = 0.1;
  EXPECT_EQ(preprocessing_to_string(p), "64x64x1 tiles scale 0.1 upright");
  EXPECT_EQ(preprocessing_from_string(preprocessing_to_string(p)), p);
  p.normalise = true;
  EXPECT_EQ(preprocessing_to_string(p), "64x64x1 tiles scale 0.1 normalised upright");
  EXPECT_EQ(preprocessing_from_string(preprocessing_to_string(p)), p);
  EXPECT_THROW(preprocessing_from_string("64x64x1 tiles scale 0 upright"), Error);
  EXPECT_THROW(preprocessing_from_string("64x64x1 tiles scale 9 upright"), Error);
  const Image image{10, 21, 3, noise(10 * 21 * 3, 1)};
  p.scale = 0.5;
  EXPECT_EQ(preprocess(image, p).size(), 5u * 11u);
}

// ---- crops ----------------------------------------------------------------------------------------------------------

class TiledFolder : public ::testing::Test {
 protected:
  // Images of 40x52 whose value says the place: row / 255 in red, column / 255 in green, the number in blue.
  void SetUp() override {
    for (int i = 0; i < 3; ++i) {
      Image image{40, 52, 3, {}};
      for (int y = 0; y < 40; ++y)
        for (int x = 0; x < 52; ++x)
          for (const int v : {y, x, i}) image.pixels.push_back(static_cast<float>(v) / 255);
      Image mask{40, 52, 1, std::vector<float>(40 * 52)};
      mask.pixels[static_cast<std::size_t>((5 + 10 * i) * 52 + 37)] = 1;
      const std::string name = str(i, ".png");
      write_png(dir_ / name, image);
      write_png(dir_ / ("mask" + name), mask);
      samples_.push_back({name, dir_ / name, -1, "abnormal", true, dir_ / ("mask" + name)});
    }
    p_.resolution = 16;
    p_.channels = 3;
    p_.tiles = true;
  }
  static int value(float v) { return static_cast<int>(std::lround((v + 1) / 2 * 255)); }

  TempDir dir_;
  std::vector<Sample> samples_;
  Preprocessing p_;
};

TEST_F(TiledFolder, CropsHoldTheDefectAndAreNewEachTime) {
  TrainingImages images(samples_, ImageSource(), p_);
  std::set<std::pair<int, int>> places;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const long index = static_cast<long>(seed % 3);
    Rng rng(7, seed), again(7, seed);
    const Crop crop = images.crops(std::span(&index, 1), std::span(&rng, 1), {})[0];
    EXPECT_EQ(crop.pixels, images.crops(std::span(&index, 1), std::span(&again, 1), {})[0].pixels);
    EXPECT_EQ(std::ranges::count(crop.mask, 1), 1);
    const int top = value(crop.pixels[0]), left = value(crop.pixels[1]);
    for (int y = 0; y < 16; ++y)
      for (int x = 0; x < 16; ++x) {
        const auto at = static_cast<std::size_t>(3 * (y * 16 + x));
        EXPECT_EQ(value(crop.pixels[at]), top + y);
        EXPECT_EQ(value(crop.pixels[at + 1]), left + x);
        EXPECT_EQ(value(crop.pixels[at + 2]), index);
        EXPECT_EQ(crop.mask[at / 3], top + y == 5 + 10 * index && left + x == 37);
      }
    places.insert({top, left});
  }
  EXPECT_GT(places.size(), 30u);
}

// Training sees the same of a surface whatever the light.
TEST_F(TiledFolder, NormalisedCropsDoNotDependOnBrightness) {
  const std::vector<float> values = noise(40 * 52, 1);
  std::vector<Sample> samples;
  for (const float contrast : {1.0f, 0.4f}) {
    Image image{40, 52, 1, {}};
    for (const float v : values) image.pixels.push_back(0.5f + 0.25f * contrast * v);
    const std::string name = str("light", contrast, ".png");
    write_png(dir_ / name, image);
    samples.push_back({name, dir_ / name, -1, "good", false, ""});
  }
  p_.channels = 1;
  for (const bool normalised : {false, true}) {
    p_.normalise = normalised;
    TrainingImages images(samples, ImageSource(), p_);
    std::vector<float> a(16 * 16), b(16 * 16);
    for (const long index : {0L, 1L}) {
      std::vector<float>& out = index == 0 ? a : b;
      fetch_images(images, {}, std::span(&index, 1), 1, 5, 16, out.data());
    }
    double change = 0, size = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      change += std::abs(a[i] - b[i]);
      size += std::abs(a[i]);
    }
    if (normalised)
      EXPECT_LT(change, 0.05 * size);  // 8-bit values
    else
      EXPECT_GT(change, 0.3 * size);
  }
}

// What does not fit into memory is decoded again, and is the same.
TEST_F(TiledFolder, CropsDoNotDependOnTheMemory) {
  TrainingImages all(samples_, ImageSource(), p_), none(samples_, ImageSource(), p_, {1, 2, false});
  EXPECT_EQ(none.cached(), 0);
  const std::vector<long> indices = {2, 0, 1, 2};
  const auto crops = [&](TrainingImages& images) {
    std::vector<Rng> rngs;
    for (std::uint64_t i = 0; i < 4; ++i) rngs.emplace_back(5, i);
    return images.crops(indices, rngs, {true, true, 0.2, 3});
  };
  const auto a = crops(all), b = crops(none);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(a[i].pixels, b[i].pixels);
    EXPECT_EQ(a[i].mask, b[i].mask);
  }
}

TEST_F(TiledFolder, AMaskOfAnotherSizeIsSaid) {
  write_png(dir_ / "mask1.png", Image{4, 4, 1, std::vector<float>(16, 1.f)});
  TrainingImages images(samples_, ImageSource(), p_);
  ASSERT_EQ(images.bad().size(), 1u);
  EXPECT_NE(images.bad()[0].reason.find("the mask is 4x4, expected its image's 52x40"), std::string::npos)
      << images.bad()[0].reason;
}

// Mirrored and turned crops hold the same pixels, the mask's with them.
TEST_F(TiledFolder, MasksTurnWithTheirCrops) {
  TrainingImages images(samples_, ImageSource(), p_);
  std::set<std::vector<float>> ways;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const long index = 1;
    Rng rng(7, seed);
    const Crop crop = images.crops(std::span(&index, 1), std::span(&rng, 1), {true, true, 0, 0})[0];
    const auto marked = static_cast<std::size_t>(std::ranges::find(crop.mask, 1) - crop.mask.begin());
    ASSERT_LT(marked, crop.mask.size());
    EXPECT_EQ(value(crop.pixels[3 * marked]), 15);
    EXPECT_EQ(value(crop.pixels[3 * marked + 1]), 37);
    const float down = crop.pixels[3 * 16] - crop.pixels[0], right = crop.pixels[3] - crop.pixels[0];
    ways.insert({std::round(255 * down), std::round(255 * right)});
  }
  EXPECT_EQ(ways.size(), 4u);  // the row grows down, up, right, left
}

TEST(ChooseTiles, LargeImagesOfSurfaces) {
  Dataset data;
  Survey survey;
  survey.side = 100;
  DataConfig config;
  for (const Layout layout : {Layout::kInspection, Layout::kFlat, Layout::kIdx, Layout::kClasses}) {
    data.layout = layout;
    const bool surfaces = layout == Layout::kInspection || layout == Layout::kFlat;
    EXPECT_EQ(choose_tiles(data, survey, config, 64), surfaces ? Tiles::kOn : Tiles::kOff);
    EXPECT_EQ(choose_tiles(data, survey, config, 128), Tiles::kOff);
  }
  data.layout = Layout::kFlat;
  config.fit = Fit::kLetterbox;
  EXPECT_EQ(choose_tiles(data, survey, config, 64), Tiles::kOff);
  config = {};
  config.scale = 0.5;
  EXPECT_EQ(choose_tiles(data, survey, config, 64), Tiles::kOff);
}

}  // namespace
}  // namespace pgad::test
