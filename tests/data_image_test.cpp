// PNG and JPEG decoding: every colour type, and every kind of bad file.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>

#include "engine/check.h"
#include "images/atomic_file.h"
#include "images/image.h"
#include "tests/image_files.h"
#include "tests/temp_dir.h"

namespace pgad::test {
namespace {

std::string decode_error(const std::string& bytes) {
  return error_of([&] { decode_image(bytes, "x.png"); });
}

// A noisy RGB image, so that its data cannot be guessed from a part.
std::string noisy_png() {
  std::vector<Bytes> rows(12, Bytes(13 * 3));
  unsigned state = 1;
  for (Bytes& row : rows) {
    for (unsigned char& v : row) v = static_cast<unsigned char>((state = state * 1103515245u + 12345u) >> 16);
  }
  return make_png({13, 12, 8, PNG_COLOR_TYPE_RGB}, rows);
}

void expect_pixels(const Image& image, int height, int width, int channels, const std::vector<float>& pixels) {
  EXPECT_EQ(image.height, height);
  EXPECT_EQ(image.width, width);
  EXPECT_EQ(image.channels, channels);
  EXPECT_EQ(image.pixels, pixels);
}

TEST(DataImage, PngGreyOfEveryDepth) {
  expect_pixels(decode_image(make_png({4, 1, 1, PNG_COLOR_TYPE_GRAY}, {{0b01100000}}), "x"), 1, 4, 1, {0, 1, 1, 0});
  expect_pixels(decode_image(make_png({4, 1, 2, PNG_COLOR_TYPE_GRAY}, {{0b00011011}}), "x"), 1, 4, 1,
                {0, 85 / 255.f, 170 / 255.f, 1});
  expect_pixels(decode_image(make_png({2, 2, 4, PNG_COLOR_TYPE_GRAY}, {{0x0f}, {0x52}}), "x"), 2, 2, 1,
                {0, 1, 5 * 17 / 255.f, 2 * 17 / 255.f});
  expect_pixels(decode_image(make_png({2, 1, 8, PNG_COLOR_TYPE_GRAY}, {{7, 255}}), "x"), 1, 2, 1, {7 / 255.f, 1});
  expect_pixels(decode_image(make_png({2, 1, 16, PNG_COLOR_TYPE_GRAY}, {{1, 2, 255, 255}}), "x"), 1, 2, 1,
                {258 / 65535.f, 1});
}

TEST(DataImage, PngColourTypes) {
  std::vector<std::string> notes;
  expect_pixels(decode_image(make_png({1, 1, 8, PNG_COLOR_TYPE_RGB}, {{1, 2, 3}}), "x", &notes), 1, 1, 3,
                {1 / 255.f, 2 / 255.f, 3 / 255.f});
  expect_pixels(decode_image(make_png({1, 1, 16, PNG_COLOR_TYPE_RGB}, {{0, 1, 1, 0, 255, 255}}), "x", &notes), 1, 1, 3,
                {1 / 65535.f, 256 / 65535.f, 1});
  const std::vector<png_color> palette = {{10, 20, 30}, {255, 0, 5}};
  expect_pixels(decode_image(make_png({2, 1, 8, PNG_COLOR_TYPE_PALETTE, false, palette}, {{1, 0}}), "x", &notes), 1, 2,
                3, {1, 0, 5 / 255.f, 10 / 255.f, 20 / 255.f, 30 / 255.f});
  expect_pixels(decode_image(make_png({2, 1, 1, PNG_COLOR_TYPE_PALETTE, false, palette}, {{0b01000000}}), "x", &notes),
                1, 2, 3, {10 / 255.f, 20 / 255.f, 30 / 255.f, 1, 0, 5 / 255.f});
  EXPECT_TRUE(notes.empty());
}

TEST(DataImage, PngAlphaIsDroppedWithANote) {
  const std::vector<png_color> palette = {{10, 20, 30}, {255, 0, 5}};
  const std::vector<std::pair<std::string, std::vector<float>>> cases = {
      {make_png({1, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA}, {{51, 0}}), {0.2f}},
      {make_png({1, 1, 16, PNG_COLOR_TYPE_GRAY_ALPHA}, {{255, 255, 0, 0}}), {1}},
      {make_png({1, 1, 8, PNG_COLOR_TYPE_RGB_ALPHA}, {{51, 102, 255, 0}}), {0.2f, 0.4f, 1}},
      {make_png({1, 1, 16, PNG_COLOR_TYPE_RGB_ALPHA}, {{0, 0, 255, 255, 0, 0, 0, 0}}), {0, 1, 0}},
      {make_png({1, 1, 8, PNG_COLOR_TYPE_PALETTE, false, palette, true}, {{1}}), {1, 0, 5 / 255.f}},
      {make_png({1, 1, 8, PNG_COLOR_TYPE_GRAY, false, {}, true}, {{0}}), {0}},
      {make_png({1, 1, 4, PNG_COLOR_TYPE_GRAY, false, {}, true}, {{0xf0}}), {1}},
      {make_png({1, 1, 8, PNG_COLOR_TYPE_RGB, false, {}, true}, {{0, 0, 255}}), {0, 0, 1}},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    std::vector<std::string> notes;
    EXPECT_EQ(decode_image(cases[i].first, "x", &notes).pixels, cases[i].second) << i;
    EXPECT_EQ(notes, std::vector<std::string>{"alpha channel dropped"}) << i;
    EXPECT_NO_THROW(decode_image(cases[i].first, "x"));
  }
}

TEST(DataImage, PngInterlacedEqualsPlain) {
  for (const int depth : {1, 8, 16}) {
    std::vector<Bytes> rows(11, Bytes(static_cast<std::size_t>(19) * depth / 8 + 1));
    for (std::size_t y = 0; y < rows.size(); ++y) {
      for (std::size_t x = 0; x < rows[y].size(); ++x) rows[y][x] = static_cast<unsigned char>(31 * y + 77 * x);
    }
    const Image plain = decode_image(make_png({19, 11, depth, PNG_COLOR_TYPE_GRAY}, rows), "x");
    const Image interlaced = decode_image(make_png({19, 11, depth, PNG_COLOR_TYPE_GRAY, true}, rows), "x");
    EXPECT_EQ(plain.pixels, interlaced.pixels) << depth;
  }
}

TEST(DataImage, JpegGreyAndRgb) {
  for (const bool progressive : {false, true}) {
    const Image grey = decode_image(make_jpeg(20, 10, 1, progressive), "x");
    EXPECT_EQ(grey.channels, 1);
    EXPECT_EQ(grey.width, 20);
    EXPECT_EQ(grey.height, 10);
    EXPECT_NEAR(grey.pixels[3 * 20 + 7], (4 * 7 + 2 * 3) / 255.0, 4 / 255.0);
    const Image rgb = decode_image(make_jpeg(20, 10, 3, progressive), "x");
    EXPECT_EQ(rgb.channels, 3);
    EXPECT_NEAR(rgb.pixels[3 * (3 * 20 + 7) + 2], (80 + 4 * 7 + 2 * 3) / 255.0, 8 / 255.0);
  }
}

TEST(DataImage, CmykJpegIsRefused) {
  const std::string error = decode_error(make_jpeg(8, 8, 4));
  EXPECT_NE(error.find("CMYK"), std::string::npos) << error;
  EXPECT_NE(error.find("expected grey or RGB"), std::string::npos) << error;
}

TEST(DataImage, ContentDecidesNotTheExtension) {
  TempDir dir;
  write_file_atomically(dir / "really_a_jpeg.png", make_jpeg(8, 4, 3));
  EXPECT_EQ(read_image(dir / "really_a_jpeg.png").width, 8);
  write_file_atomically(dir / "really_a_png.dat", noisy_png());
  EXPECT_EQ(read_image(dir / "really_a_png.dat").width, 13);
}

TEST(DataImage, MissingDirectoryEmptyAndForeignFiles) {
  TempDir dir;
  const auto read_error = [&](const std::string& name) { return error_of([&] { read_image(dir / name); }); };
  EXPECT_NE(read_error("none.png").find("none.png': No such file"), std::string::npos) << read_error("none.png");
  std::filesystem::create_directory(dir / "folder.png");
  EXPECT_NE(read_error("folder.png").find("directory, expected a file"), std::string::npos);
  write_file_atomically(dir / "empty.png", "");
  EXPECT_NE(read_error("empty.png").find("0 bytes"), std::string::npos);
  write_file_atomically(dir / "text.png", "hello, world");
  EXPECT_NE(read_error("text.png").find("not an image of a known format (it starts with 68 65 6c"), std::string::npos)
      << read_error("text.png");
  ASSERT_EQ(::mkfifo((dir / "pipe.png").c_str(), 0600), 0);
  EXPECT_NE(read_error("pipe.png").find("not a regular file"), std::string::npos);
}

TEST(DataImage, UnreadableFile) {
  TempDir dir;
  write_file_atomically(dir / "secret.png", noisy_png());
  ::chmod((dir / "secret.png").c_str(), 0);
  const bool root = ::geteuid() == 0;
  if (root && ::seteuid(65534) != 0) GTEST_SKIP() << "cannot drop root, for whom nothing is unreadable";
  const std::string error = error_of([&] { read_image(dir / "secret.png"); });
  ASSERT_TRUE(!root || ::seteuid(0) == 0);
  EXPECT_NE(error.find("secret.png': Permission denied"), std::string::npos) << error;
}

TEST(DataImage, PngTruncatedAnywhereIsAnError) {
  for (const std::string& png : {noisy_png(), make_png({3, 2, 8, PNG_COLOR_TYPE_GRAY, true}, {{1, 2, 3}, {4, 5, 6}})}) {
    for (std::size_t n = 1; n < png.size(); ++n) {
      const std::string error = decode_error(png.substr(0, n));
      EXPECT_NE(error.find("truncated"), std::string::npos) << n << ": " << error;
      EXPECT_NE(error.find("x.png"), std::string::npos) << error;
    }
  }
}

TEST(DataImage, PngFlippedByteInTheDataIsAnError) {
  const std::string png = noisy_png();
  const std::size_t data = png.find("IDAT");
  ASSERT_NE(data, std::string::npos);
  // The last four bytes are the checksum of the end, behind all pixels: newer versions of libpng do not read it.
  for (std::size_t i = 8; i < png.size() - 4; ++i) {
    std::string bad = png;
    bad[i] = static_cast<char>(bad[i] ^ 0x41);
    const std::string error = decode_error(bad);
    // All chunks of this file matter, and all are covered by checksums.
    EXPECT_NE(error, "no error") << i;
  }
}

TEST(DataImage, PngWithTooLittleDataButRightChecksums) {
  // The IDAT of a 13x12 image under the header of a 13x13 one.
  std::string png = noisy_png();
  png[16 + 7] = 13;
  const auto crc = static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(png.data() + 12), 17));
  for (int i = 0; i < 4; ++i) png[29 + i] = static_cast<char>(crc >> (24 - 8 * i));
  const std::string error = decode_error(png);
  EXPECT_NE(error.find("corrupt PNG"), std::string::npos) << error;
}

std::string png_claiming(std::uint32_t width, std::uint32_t height) {
  std::string png = noisy_png();
  for (int i = 0; i < 4; ++i) {
    png[16 + i] = static_cast<char>(width >> (24 - 8 * i));
    png[20 + i] = static_cast<char>(height >> (24 - 8 * i));
  }
  const auto crc = static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(png.data() + 12), 17));
  for (int i = 0; i < 4; ++i) png[29 + i] = static_cast<char>(crc >> (24 - 8 * i));
  return png;
}

TEST(DataImage, AbsurdDimensions) {
  const std::string huge = decode_error(png_claiming(0x7fffffff, 0x7fffffff));
  EXPECT_NE(huge.find("2147483647x2147483647 pixels; expected"), std::string::npos) << huge;
  // Below the limit of 2^28 pixels, but no few hundred bytes hold that many.
  const std::string lie = decode_error(png_claiming(16000, 16000));
  EXPECT_NE(lie.find("cannot hold 16000x16000"), std::string::npos) << lie;
  EXPECT_NE(decode_error(png_claiming(0, 4)).find("corrupt PNG"), std::string::npos)
      << decode_error(png_claiming(0, 4));

  std::string jpeg = make_jpeg(16, 16, 3);
  const std::size_t sof = jpeg.find("\xff\xc0");
  ASSERT_NE(sof, std::string::npos);
  const auto claim = [&](int side) {
    for (int i = 0; i < 2; ++i) {
      jpeg[sof + 5 + 2 * i] = static_cast<char>(side >> 8);
      jpeg[sof + 6 + 2 * i] = static_cast<char>(side & 255);
    }
  };
  claim(65000);
  EXPECT_NE(decode_error(jpeg).find("65000x65000 pixels; expected"), std::string::npos) << decode_error(jpeg);
  claim(16000);
  EXPECT_NE(decode_error(jpeg).find("truncated JPEG"), std::string::npos) << decode_error(jpeg);
}

TEST(DataImage, JpegTruncatedAnywhereIsAnError) {
  for (const std::string& jpeg : {make_jpeg(24, 24, 3), make_jpeg(24, 24, 1), make_jpeg(24, 24, 3, true)}) {
    for (std::size_t n = 1; n < jpeg.size(); ++n) {
      const std::string error = decode_error(jpeg.substr(0, n));
      EXPECT_NE(error, "no error") << n << " of " << jpeg.size();
      EXPECT_NE(error.find("x.png"), std::string::npos) << error;
    }
  }
}

TEST(DataImage, JpegDamagedAnywhereNeverCrashes) {
  for (const std::string& jpeg : {make_jpeg(24, 24, 3), make_jpeg(24, 24, 1, true)}) {
    int refused = 0;
    for (std::size_t i = 0; i < jpeg.size(); ++i) {
      std::string bad = jpeg;
      bad[i] = static_cast<char>(bad[i] ^ 0xff);
      refused += decode_error(bad) != "no error";
    }
    EXPECT_GT(refused, 50);  // JPEG has no checksums: many a flip only changes pixels
  }
}

TEST(DataImage, BadHuffmanCodeIsAnErrorNotGrey) {
  std::string jpeg = make_jpeg(64, 64, 1);
  // All ones is no code of the standard tables; 0xff needs a stuffed zero.
  for (std::size_t i = jpeg.size() - 60; i + 1 < jpeg.size() - 20; i += 2) {
    jpeg[i] = '\xff';
    jpeg[i + 1] = '\0';
  }
  const std::string error = decode_error(jpeg);
  EXPECT_NE(error.find("JPEG"), std::string::npos) << error;
}

TEST(DataImage, WritePngRoundTrip) {
  TempDir dir;
  for (const int channels : {1, 3}) {
    Image image{5, 7, channels, {}};
    for (std::size_t i = 0; i < image.size(); ++i) image.pixels.push_back(static_cast<float>(i * 2) / 255.0f);
    write_png(dir / "x.png", image);
    expect_pixels(read_image(dir / "x.png"), 5, 7, channels, image.pixels);
  }
  write_png(dir / "clamped.png", {1, 4, 1, {-1.0f, 2.0f, NAN, 0.5f}});
  expect_pixels(read_image(dir / "clamped.png"), 1, 4, 1, {0, 1, 0, 128 / 255.f});
  EXPECT_THROW(write_png(dir / "x.png", {1, 1, 2, {0, 0}}), Error);
  EXPECT_THROW(write_png(dir / "x.png", {2, 1, 1, {0}}), Error);
  const std::string error = error_of([&] { write_png(dir / "no/such/x.png", {1, 1, 1, {0}}); });
  EXPECT_NE(error.find("no/such/x.png': No such file"), std::string::npos) << error;
}

}  // namespace
}  // namespace pgad::test
