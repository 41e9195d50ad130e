// Geometry and values of preprocessing, masks, and the way back.

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "engine/check.h"
#include "images/preprocess.h"

namespace pgad {
namespace {

Image filled(int height, int width, const std::vector<float>& color) {
  Image image{height, width, static_cast<int>(color.size()), {}};
  image.pixels.resize(image.size());
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = color[i % color.size()];
  return image;
}

Image ramp(int height, int width, int channels) {
  Image image{height, width, channels, {}};
  for (std::size_t i = 0; i < image.size(); ++i) image.pixels.push_back(static_cast<float>((i * 37) % 256) / 255.0f);
  return image;
}

TEST(DataPreprocess, ConstantStaysConstant) {
  for (const auto& [h, w] : std::vector<std::pair<int, int>>{{1, 1}, {7, 100}, {33, 31}, {500, 3}, {32, 32}}) {
    for (const Fit fit : {Fit::kResize, Fit::kLetterbox}) {
      const auto out = preprocess(filled(h, w, {0.25f}), {32, 1, fit, false});
      ASSERT_EQ(out.size(), 32u * 32u);
      for (const float v : out) ASSERT_NEAR(v, -0.5f, 1e-6) << h << "x" << w;
    }
  }
}

TEST(DataPreprocess, SameSizeIsExact) {
  const Image image = ramp(16, 16, 3);
  for (const Fit fit : {Fit::kResize, Fit::kLetterbox}) {
    const auto out = preprocess(image, {16, 3, fit, false});
    for (std::size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], image.pixels[i] * 2.0f - 1.0f);
  }
}

TEST(DataPreprocess, ShrinkingAveragesAreasExactly) {
  // 3 -> 2: each output covers one and a half pixels.
  const std::vector<float> row = {0.0f, 0.6f, 0.9f};
  const auto out = resize(row, 1, 3, 1, 1, 2);
  EXPECT_FLOAT_EQ(out[0], (0.0f + 0.5f * 0.6f) / 1.5f);
  EXPECT_FLOAT_EQ(out[1], (0.5f * 0.6f + 0.9f) / 1.5f);
  const auto column = resize(row, 3, 1, 1, 2, 1);
  EXPECT_EQ(column, out);
  // The mean survives any factor.
  const Image image = ramp(37, 53, 1);
  const auto small = resize(image.pixels, 37, 53, 1, 8, 11);
  const auto mean = [](const std::vector<float>& v) { return std::accumulate(v.begin(), v.end(), 0.0) / v.size(); };
  EXPECT_NEAR(mean(small), mean(image.pixels), 1e-6);
}

// Plain loops over all pairs of pixels, against which the row-wise version is checked.
TEST(DataPreprocess, ShrinkingMatchesTheDefinition) {
  const Image image = ramp(29, 41, 3);
  const int nh = 10, nw = 41;
  const auto out = resize(image.pixels, 29, 41, 3, nh, nw);
  for (int y = 0; y < nh; ++y) {
    for (int x = 0; x < nw * 3; ++x) {
      double sum = 0, weight = 0;
      for (int sy = 0; sy < 29; ++sy) {
        const double covered = std::min((y + 1) * 2.9, sy + 1.0) - std::max(y * 2.9, double(sy));
        if (covered <= 0) continue;
        sum += covered * image.pixels[sy * 41 * 3 + x];
        weight += covered;
      }
      ASSERT_NEAR(out[y * 41 * 3 + x], sum / weight, 1e-6);
    }
  }
}

TEST(DataPreprocess, EnlargingIsBilinear) {
  const auto out = resize(std::vector<float>{0.0f, 1.0f}, 1, 2, 1, 1, 4);
  const std::vector<float> expected = {0.0f, 0.25f, 0.75f, 1.0f};
  EXPECT_EQ(out, expected);
  EXPECT_EQ(resize(std::vector<float>{0.0f, 1.0f}, 2, 1, 1, 4, 1), expected);
  // Mixed: taller and narrower.
  const auto mixed = resize(std::vector<float>{0, 1, 1, 0}, 2, 2, 1, 4, 1);
  EXPECT_EQ(mixed, std::vector<float>(4, 0.5f));
}

TEST(DataPreprocess, SmallImagesArePaddedWithBackground) {
  const Preprocessing p{32, 1, Fit::kResize, true};
  const Image image = ramp(28, 28, 1);
  const auto out = preprocess(image, p);
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 32; ++x) {
      const bool inside = y >= 2 && y < 30 && x >= 2 && x < 30;
      ASSERT_EQ(out[y * 32 + x], inside ? image.pixels[(y - 2) * 28 + x - 2] * 2.0f - 1.0f : -1.0f);
    }
  }
  EXPECT_EQ(place(22, 20, p).height, 22);  // 32 < 1.5 * 22
  EXPECT_EQ(place(21, 20, p).height, 32);  // 32 >= 1.5 * 21: enlarged
  EXPECT_EQ(place(28, 33, p).width, 32);   // does not fit
  EXPECT_EQ(place(28, 28, {32, 1, Fit::kResize, false}).height, 32);
  EXPECT_EQ(place(28, 28, {64, 1, Fit::kResize, true}).height, 64);
  const Placement odd = place(27, 32, p);
  EXPECT_EQ(odd.top, 2);
  EXPECT_EQ(odd.left, 0);
}

TEST(DataPreprocess, LetterboxKeepsTheAspectAndPadsWithTheBorderColour) {
  Image image = filled(10, 20, {0.2f, 0.4f, 0.6f});
  for (int y = 1; y < 9; ++y) {
    for (int x = 1; x < 19; ++x) image.pixels[(y * 20 + x) * 3] = 1.0f;  // the inside must not count
  }
  const Preprocessing p{32, 3, Fit::kLetterbox, false};
  const Placement at = place(10, 20, p);
  EXPECT_EQ(at.width, 32);
  EXPECT_EQ(at.height, 16);
  EXPECT_EQ(at.top, 8);
  const auto out = preprocess(image, p);
  for (const int y : {0, 7, 24, 31}) {
    EXPECT_NEAR(out[(y * 32 + 5) * 3 + 0], -0.6f, 1e-6);
    EXPECT_NEAR(out[(y * 32 + 5) * 3 + 1], -0.2f, 1e-6);
    EXPECT_NEAR(out[(y * 32 + 5) * 3 + 2], 0.2f, 1e-6);
  }
  EXPECT_NEAR(out[(16 * 32 + 16) * 3], 1.0f, 1e-6);
  EXPECT_EQ(place(1000, 1, p).width, 1);  // never nothing
}

TEST(DataPreprocess, Channels) {
  const auto luma = preprocess_unit(filled(4, 4, {1.0f, 0.5f, 0.25f}), {4, 1, Fit::kResize, false});
  EXPECT_FLOAT_EQ(luma[3], 0.299f + 0.587f * 0.5f + 0.114f * 0.25f);
  for (int v = 0; v < 256; ++v) {
    const float grey = static_cast<float>(v) / 255.0f;
    EXPECT_EQ(convert_channels(filled(1, 1, {grey, grey, grey}), 1).pixels[0], grey);
  }
  const auto rgb = preprocess(ramp(9, 9, 1), {8, 3, Fit::kResize, false});
  const auto grey = preprocess(ramp(9, 9, 1), {8, 1, Fit::kResize, false});
  ASSERT_EQ(rgb.size(), 3 * grey.size());
  for (std::size_t i = 0; i < rgb.size(); ++i) ASSERT_EQ(rgb[i], grey[i / 3]);
  EXPECT_THROW(preprocess(ramp(9, 9, 1), {8, 2, Fit::kResize, false}), Error);
  EXPECT_THROW(preprocess(ramp(9, 9, 1), {0, 1, Fit::kResize, false}), Error);
  EXPECT_THROW(preprocess({3, 3, 1, {0.0f}}, {8, 1, Fit::kResize, false}), Error);
}

// As an evaluation does it: the rules, then the geometry.
std::vector<std::uint8_t> mask_of(const Image& mask, const Preprocessing& p) {
  return preprocess_mask(mask_pixels(mask, std::nan(""), "m"), mask.height, mask.width, p);
}

TEST(DataPreprocess, MaskKeepsTheSmallestDefect) {
  Image mask = filled(100, 100, {0.0f});
  mask.pixels[57 * 100 + 31] = 1.0f;  // one pixel of 10,000
  const auto out = mask_of(mask, {8, 1, Fit::kResize, false});
  EXPECT_EQ(std::accumulate(out.begin(), out.end(), 0), 1);
  EXPECT_EQ(out[4 * 8 + 2], 1);  // 57 / 12.5, 31 / 12.5
  // A pixel on the seam of two outputs marks both.
  Image seam = filled(3, 3, {0.0f});
  seam.pixels[4] = 1.0f;
  EXPECT_EQ(mask_of(seam, {2, 1, Fit::kResize, false}), std::vector<std::uint8_t>(4, 1));
}

TEST(DataPreprocess, MaskGeometryFollowsTheImage) {
  const auto letter = mask_of(filled(10, 20, {1.0f, 1.0f, 1.0f}), {32, 3, Fit::kLetterbox, false});
  for (int y = 0; y < 32; ++y) ASSERT_EQ(letter[y * 32], y >= 8 && y < 24) << y;
  const auto padded = mask_of(filled(28, 28, {1.0f}), {32, 1, Fit::kResize, true});
  EXPECT_EQ(std::accumulate(padded.begin(), padded.end(), 0), 28 * 28);
  EXPECT_EQ(padded[2 * 32 + 2], 1);
  EXPECT_EQ(padded[1 * 32 + 2], 0);
  Image half = filled(4, 4, {0.0f});  // right half; enlarged, edges stay sharp
  for (int i = 0; i < 16; ++i) half.pixels[i] = i % 4 >= 2 ? 1.0f : 0.0f;
  const auto big = mask_of(half, {16, 1, Fit::kResize, false});
  for (int i = 0; i < 256; ++i) ASSERT_EQ(big[i], i % 16 >= 8) << i;
}

// A mask of one row; values of 255.
Image mask_row(const std::vector<float>& values, int channels = 1) {
  Image image{1, static_cast<int>(values.size()) / channels, channels, {}};
  for (const float v : values) image.pixels.push_back(v / 255.0f);
  return image;
}

using Marks = std::vector<std::uint8_t>;
const double kByRule = std::nan("");

TEST(DataPreprocess, MasksOfTwoValuesMarkWhatIsNotBackground) {
  const auto marks = [](const Image& mask) {
    std::vector<std::string> notes;
    const Marks out = mask_pixels(mask, kByRule, "m.png", &notes);
    EXPECT_TRUE(notes.empty()) << notes[0];
    return out;
  };
  EXPECT_EQ(marks(mask_row({0, 255, 0})), (Marks{0, 1, 0}));
  EXPECT_EQ(marks(mask_row({0, 1, 0})), (Marks{0, 1, 0}));                           // labels
  EXPECT_EQ(marks(mask_row({1, 2, 1})), (Marks{0, 1, 0}));                           // labels from 1
  EXPECT_EQ(marks(mask_row({0, 0, 0, 255, 0, 0, 0, 0, 0}, 3)), (Marks{0, 1, 0}));    // red
  EXPECT_EQ(marks(mask_row({0, 0, 0, 10, 20, 128, 0, 0, 0}, 3)), (Marks{0, 1, 0}));  // any colour
  EXPECT_EQ(marks(mask_row({0, 0, 0, 255, 0, 0, 0, 0, 255}, 3)), (Marks{0, 1, 1}));  // two of equal brightness
  EXPECT_EQ(marks(mask_row({0, 0, 0})), (Marks{0, 0, 0}));
}

TEST(DataPreprocess, MasksThatAreAllAnomalousOrTransparentAreNoted) {
  std::vector<std::string> notes;
  EXPECT_EQ(mask_pixels(mask_row({255, 255}), kByRule, "w.png", &notes), (Marks{1, 1}));
  EXPECT_EQ(notes, std::vector<std::string>{"mask 'w.png': all of it is anomalous"});
  notes.clear();
  Image clear = mask_row({255, 200, 3});
  clear.alpha = {0, 0, 0};
  EXPECT_EQ(mask_pixels(clear, kByRule, "t.png", &notes), (Marks{0, 0, 0}));
  EXPECT_EQ(notes, std::vector<std::string>{"mask 't.png': all of it is transparent, so no pixel is anomalous"});
}

TEST(DataPreprocess, TransparentPixelsOfMasksAreBackground) {
  Image red = mask_row({255, 255, 255, 255, 0, 0}, 3);  // white, but not to be seen
  red.alpha = {0, 1};
  EXPECT_EQ(mask_pixels(red, kByRule, "m"), (Marks{0, 1}));
  Image black = mask_row({0, 0, 0});  // drawn in black on nothing
  black.alpha = {0, 1, 0};
  EXPECT_EQ(mask_pixels(black, kByRule, "m"), (Marks{0, 1, 0}));
  black.alpha = {1, 1, 1};
  EXPECT_EQ(mask_pixels(black, kByRule, "m"), (Marks{0, 0, 0}));
}

TEST(DataPreprocess, MasksOfSeveralValuesAreRefusedUnlessTold) {
  const auto error = [](const Image& mask) {
    try {
      mask_pixels(mask, kByRule, "mask.png");
      return std::string("no error");
    } catch (const Error& e) {
      return std::string(e.what());
    }
  };
  const Image labels = mask_row({0, 1, 2, 3});
  EXPECT_NE(error(labels).find("mask 'mask.png': it has 4 different values (0, 1, 2, 3 of 255)"), std::string::npos)
      << error(labels);
  EXPECT_NE(error(labels).find("--mask-threshold 0"), std::string::npos);
  EXPECT_EQ(mask_pixels(labels, 0.0, "m"), (Marks{0, 1, 1, 1}));
  EXPECT_EQ(mask_pixels(labels, 1.5 / 255, "m"), (Marks{0, 0, 1, 1}));
  EXPECT_NE(error(mask_row({0, 1, 255})), "no error");  // labels and a border
  EXPECT_NE(error(mask_row({0, 2, 136, 254, 255})), "no error");
  EXPECT_EQ(mask_pixels(mask_row({0, 2, 20, 252, 255}), kByRule, "m"), (Marks{0, 0, 0, 1, 1}));  // not quite exact
  // Edges that fade: many values between black and white.
  Image soft = mask_row({0, 10, 20, 30, 40, 100, 127, 128, 200, 240, 255});
  EXPECT_EQ(mask_pixels(soft, kByRule, "m"), (Marks{0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1}));
  for (float& v : soft.pixels) v /= 2;
  EXPECT_NE(error(soft).find("its values go from 0 to 127.5 of 255"), std::string::npos) << error(soft);
}

TEST(DataPreprocess, MasksOfLossyFilesAreSplitInTheMiddle) {
  Image jpeg = mask_row({0, 1, 254, 255});
  jpeg.lossy = true;
  EXPECT_EQ(mask_pixels(jpeg, kByRule, "m"), (Marks{0, 0, 1, 1}));
  jpeg = mask_row({0, 1, 1});  // labels, or noise on black: nobody can tell
  jpeg.lossy = true;
  EXPECT_THROW(mask_pixels(jpeg, kByRule, "m"), Error);
  jpeg.pixels.assign(3, 0.0f);
  EXPECT_EQ(mask_pixels(jpeg, kByRule, "m"), (Marks{0, 0, 0}));
}

TEST(DataPreprocess, MasksAreResizedToTheNearestPixel) {
  const Marks small = {1, 0, 0, 1};
  EXPECT_EQ(resize_nearest(small, 2, 2, 4, 4), (Marks{1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 1, 1}));
  EXPECT_EQ(resize_nearest(small, 2, 2, 2, 2), small);
  EXPECT_EQ(resize_nearest(Marks{0, 1, 0, 0, 0, 1}, 1, 6, 1, 3), (Marks{1, 0, 1}));
  EXPECT_THROW(resize_nearest(small, 2, 3, 4, 4), Error);
}

TEST(DataPreprocess, MapComesBackToWhereTheImageWas) {
  const std::vector<Preprocessing> all = {
      {32, 1, Fit::kResize, true}, {32, 1, Fit::kResize, false}, {32, 1, Fit::kLetterbox, false}};
  for (const Preprocessing& p : all) {
    for (const auto& [h, w] : std::vector<std::pair<int, int>>{{28, 28}, {100, 60}, {64, 128}, {32, 32}}) {
      // A bright block of the image must be the bright block of the map brought back.
      Image image = filled(h, w, {0.0f});
      const int by = h / 4, bx = w / 2, bh = h / 4, bw = w / 4;
      for (int y = by; y < by + bh; ++y) std::fill_n(image.pixels.begin() + y * w + bx, bw, 1.0f);
      const auto back = map_to_image(preprocess_unit(image, p), h, w, p);
      ASSERT_EQ(back.size(), image.pixels.size());
      EXPECT_GT(back[(by + bh / 2) * w + bx + bw / 2], 0.95f);
      double off = 0;
      for (std::size_t i = 0; i < back.size(); ++i) off += std::abs(back[i] - image.pixels[i]);
      EXPECT_LT(off / back.size(), 0.04) << h << "x" << w << " " << preprocessing_to_string(p);
    }
  }
  const auto exact = map_to_image(preprocess_unit(ramp(28, 28, 1), all[0]), 28, 28, all[0]);
  EXPECT_EQ(exact, ramp(28, 28, 1).pixels);
  EXPECT_THROW(map_to_image(std::vector<float>(5), 4, 4, all[0]), Error);
}

TEST(DataPreprocess, Strings) {
  for (const Fit fit : {Fit::kResize, Fit::kLetterbox}) {
    for (const bool pad : {false, true}) {
      for (const bool upright : {false, true}) {
        for (const int bits : {0, 9, 16}) {
          const Preprocessing p{256, 3, fit, pad, upright, bits};
          EXPECT_EQ(preprocessing_from_string(preprocessing_to_string(p)), p);
        }
      }
    }
  }
  EXPECT_EQ(preprocessing_to_string({32, 1, Fit::kResize, true, true, 12}), "32x32x1 resize pad-small upright 12-bit");
  // Models from before orientations were looked at.
  EXPECT_FALSE(preprocessing_from_string("32x32x1 resize pad-small").exif_orientation);
  for (const char* bad : {"", "32x32", "32x16x1 resize", "32x32x2 resize", "0x0x1 resize", "32x32x1 crop",
                          "32x32x1 resize ", "-8x-8x1 resize", "32x32x1 resize 8-bit", "32x32x1 resize 17-bit",
                          "32x32x1 resize 12-bit upright", "32x32x1 resize 12"}) {
    EXPECT_THROW(preprocessing_from_string(bad), Error) << bad;
  }
}

}  // namespace
}  // namespace pgad
