#include "images/ignore_mask.h"

#include <gtest/gtest.h>

#include <cmath>

#include "images/polygon.h"
#include "tests/temp_dir.h"

namespace pgad::test {
namespace {

TEST(IgnoreMask, PolygonsAndPicturesSayTheSame) {
  const TempDir dir;
  put(dir / "mask.json",
      " {\"width\": 7, \"height\": 5, \"polygons\": [[1, 1, 4, 1, 4, 3, 1, 3], [5.4, 3.4, 9, 3.4, 9, 9, 5.4, 9]]}");
  const IgnoreMask drawn = read_ignore_mask(dir / "mask.json");
  Image picture{5, 7, 1, std::vector<float>(35)};
  // Column 5 has its centres at 5.5, row 3 at 3.5.
  for (const int at : {8, 9, 10, 15, 16, 17, 26, 27, 33, 34}) picture.pixels[static_cast<std::size_t>(at)] = 1;
  write_png(dir / "mask.png", picture);
  const IgnoreMask read = read_ignore_mask(dir / "mask.png");
  EXPECT_EQ(read.height, 5);
  EXPECT_EQ(read.width, 7);
  EXPECT_EQ(read.pixels, drawn.pixels);
  EXPECT_DOUBLE_EQ(read.share(), 10.0 / 35);
  const IgnoreMask again = IgnoreMask::from_runs(5, 7, read.runs());
  EXPECT_EQ(again.pixels, read.pixels);
  EXPECT_THROW(IgnoreMask::from_runs(5, 6, read.runs()), Error);
  EXPECT_THROW(IgnoreMask::from_runs(5, 8, read.runs()), Error);
  EXPECT_THROW(IgnoreMask::from_runs(-5, 8, read.runs()), Error);
}

TEST(IgnoreMask, WhatIsNoneIsAnErrorThatNamesIt) {
  const TempDir dir;
  const auto message = [&](const std::string& name, const std::string& bytes) -> std::string {
    put(dir / name, bytes);
    try {
      read_ignore_mask(dir / name);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  const auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  EXPECT_TRUE(has(message("a.json", "{"), "a.json"));
  EXPECT_TRUE(has(message("b.json", "{\"width\": 3, \"height\": 2}"), "polygons"));
  EXPECT_TRUE(has(message("c.json", "{\"width\": 3, \"height\": 0, \"polygons\": []}"), "height"));
  EXPECT_TRUE(has(message("d.json", "{\"width\": 3, \"height\": 2, \"polygons\": [[0, 0, 1, \"x\", 2, 2]]}"), "\"x\""));
  EXPECT_TRUE(has(message("e.json", "{\"width\": 3, \"height\": 2, \"polygons\": []}"), "no pixel"));
  EXPECT_TRUE(has(message("f.json", "{\"width\": 3, \"height\": 2, \"polygons\": [[-1, -1, 9, -1, 9, 9, -1, 9]]}"),
                  "every pixel"));
  EXPECT_TRUE(has(message("g.json", "{\"width\": 1000000, \"height\": 1000000, \"polygons\": []}"), "too many"));
  EXPECT_TRUE(has(message("h.png", "hello"), "h.png"));
  EXPECT_THROW(read_ignore_mask(dir / "none.png"), Error);
}

// A plane goes on as a plane; what was there has no part in it.
TEST(IgnoreMask, FillsFromTheSurroundings) {
  const int height = 37, width = 50;
  IgnoreMask mask{height, width, std::vector<std::uint8_t>(static_cast<std::size_t>(height * width))};
  for (int y = 10; y < 22; ++y)
    for (int x = 18; x < 35; ++x) mask.pixels[static_cast<std::size_t>(y * width + x)] = 1;
  for (int y = 0; y < height; ++y)
    for (int x = 44; x < width; ++x) mask.pixels[static_cast<std::size_t>(y * width + x)] = 1;
  std::vector<std::vector<float>> filled;
  for (const float there : {0.0f, 1.0f, std::nanf("")}) {
    Image image{height, width, 3, {}};
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x)
        for (int c = 0; c < 3; ++c)
          image.pixels.push_back(mask.pixels[static_cast<std::size_t>(y * width + x)] != 0
                                     ? there
                                     : 0.2f + 0.01f * static_cast<float>(y) + 0.005f * static_cast<float>(x * c));
    const Image before = image;
    fill_ignored(mask, image, "image");
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
      ASSERT_TRUE(mask.pixels[i / 3] != 0 || image.pixels[i] == before.pixels[i]);
    filled.push_back(image.pixels);
  }
  EXPECT_EQ(filled[0], filled[1]);
  EXPECT_EQ(filled[0], filled[2]);
  for (int y = 10; y < 22; ++y)
    for (int x = 18; x < 35; ++x)
      for (int c = 0; c < 3; ++c)
        EXPECT_NEAR(filled[0][static_cast<std::size_t>((y * width + x) * 3 + c)],
                    0.2f + 0.01f * static_cast<float>(y) + 0.005f * static_cast<float>(x * c), 0.05f);
  Image other{width, height, 1, std::vector<float>(static_cast<std::size_t>(height * width))};
  EXPECT_THROW(fill_ignored(mask, other, "other"), DataError);
}

}  // namespace
}  // namespace pgad::test
