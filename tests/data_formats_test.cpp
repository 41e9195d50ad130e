// BMP, TIFF, WebP, PGM and PPM, orientations, depths, limits, and formats that are refused by name.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <numeric>

#include "engine/check.h"
#include "images/atomic_file.h"
#include "images/image.h"
#include "images/listing.h"
#include "tests/image_files.h"
#include "tests/temp_dir.h"

namespace pgad::test {
namespace {

std::string decode_error(const std::string& bytes, const DecodeOptions& options = {},
                         const std::string& name = "x.dat") {
  return error_of([&] { decode_image(bytes, name, nullptr, options); });
}

testing::AssertionResult says(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "\"" << part << "\" is not in: " << text;
}

// A value for each place, spread over `bits` bits.
int value_at(int sample, int y, int x, int bits) { return (1000 * sample + 77 * y + 1931 * x) % (1 << bits); }

// The image that value_at describes.
Image expected_image(int height, int width, int channels, int bits) {
  Image image{height, width, channels, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < channels; ++c)
        image.pixels.push_back(static_cast<float>(value_at(c, y, x, bits)) / static_cast<float>((1 << bits) - 1));
  return image;
}

void expect_same(const Image& got, const Image& expected, const std::string& what) {
  EXPECT_EQ(got.height, expected.height) << what;
  EXPECT_EQ(got.width, expected.width) << what;
  EXPECT_EQ(got.channels, expected.channels) << what;
  EXPECT_EQ(got.pixels, expected.pixels) << what;
}

// Nothing may reach standard error, where it would stand between the program's own lines.
class Silence {
 public:
  Silence() { testing::internal::CaptureStderr(); }
  ~Silence() { EXPECT_EQ(testing::internal::GetCapturedStderr(), ""); }
};

// Every beginning of the file is an error that names it; no damaged byte ends the process.
void expect_strict(const std::string& file, const std::string& what, std::size_t unread_tail = 0) {
  const Silence silence;
  for (std::size_t n = 1; n + unread_tail < file.size(); ++n) {
    const std::string error = decode_error(file.substr(0, n));
    EXPECT_TRUE(says(error, "'x.dat'")) << what << ", the first " << n << " of " << file.size() << " bytes";
  }
  for (std::size_t i = 0; i < file.size(); ++i)
    for (const int flip : {0xff, 0x01, 0x80}) {
      std::string bad = file;
      bad[i] = static_cast<char>(bad[i] ^ flip);
      decode_error(bad);
    }
}

// ---- TIFF ----

std::string tiff_of(TiffSpec spec) {
  const int bits = spec.bits;
  return make_tiff(spec, [bits](int s, int y, int x) { return value_at(s, y, x, bits); });
}

TEST(DataFormats, TiffOfEveryDepthLayoutAndCompression) {
  for (const int bits : {1, 2, 4, 8, 10, 12, 16})
    for (const int channels : {1, 3})
      for (const int compression : {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS})
        for (const int layout : {0, 1, 2, 3, 4}) {
          if (bits < 8 && channels == 3) continue;
          TiffSpec spec{21, 19, bits, channels};
          spec.photometric = channels == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
          spec.compression = compression;
          spec.tiled = layout % 2 == 1;
          spec.separate = layout >= 2 && channels == 3;
          spec.big_endian = layout == 4;
          std::vector<std::string> notes;
          const Image image = decode_image(tiff_of(spec), "x", &notes);
          const std::string what = str(bits, " bits, ", channels, " channels, compression ", compression, ", ", layout);
          expect_same(image, expected_image(19, 21, channels, bits), what);
          EXPECT_EQ(image.bits, std::max(8, bits)) << what;
          EXPECT_TRUE(notes.empty()) << what << ": " << notes[0];
        }
}

TEST(DataFormats, TiffWhiteIsZeroAndPalettes) {
  TiffSpec spec{3, 1};
  spec.photometric = PHOTOMETRIC_MINISWHITE;
  EXPECT_EQ(decode_image(make_tiff(spec, [](int, int, int x) { return 100 * x; }), "x").pixels,
            (std::vector<float>{1, 155 / 255.f, 55 / 255.f}));
  for (const int scale : {257, 1}) {  // as it should be, and as some write it
    TiffSpec palette{3, 1, 2};
    palette.photometric = PHOTOMETRIC_PALETTE;
    for (const int v : {0, 10, 20, 30, 40, 50, 60, 70, 255, 90, 100, 110})
      palette.palette.push_back(static_cast<std::uint16_t>(v * scale));
    const Image image = decode_image(make_tiff(palette, [](int, int, int x) { return x; }), "x");
    EXPECT_EQ(image.channels, 3);
    EXPECT_EQ(image.pixels, (std::vector<float>{0, 40 / 255.f, 1, 10 / 255.f, 50 / 255.f, 90 / 255.f, 20 / 255.f,
                                                60 / 255.f, 100 / 255.f}));
  }
}

TEST(DataFormats, TiffInJpegIsReadInItsColours) {
  TiffSpec spec{32, 6, 8, 3};
  spec.photometric = PHOTOMETRIC_RGB;
  spec.compression = COMPRESSION_JPEG;
  const Image image = decode_image(make_tiff(spec, [](int s, int, int) { return 60 + 60 * s; }), "x");
  EXPECT_TRUE(image.lossy);
  for (int c = 0; c < 3; ++c) EXPECT_NEAR(image.pixels[30 + static_cast<std::size_t>(c)], (60 + 60 * c) / 255.0, 0.02);
}

TEST(DataFormats, TiffSaysWhatIsDropped) {
  TiffSpec spec{4, 3, 8, 4};
  spec.photometric = PHOTOMETRIC_RGB;
  spec.extra = EXTRASAMPLE_UNASSALPHA;
  spec.pages = 3;
  std::vector<std::string> notes;
  expect_same(decode_image(tiff_of(spec), "x", &notes), expected_image(3, 4, 3, 8), "alpha");
  EXPECT_EQ(notes, (std::vector<std::string>{"alpha channel dropped", "only the first of several pages is read"}));
  DecodeOptions keep;
  keep.keep_alpha = true;
  for (const bool separate : {false, true}) {
    spec.separate = separate;
    const Image image = decode_image(tiff_of(spec), "x", nullptr, keep);
    ASSERT_EQ(image.alpha.size(), 12u);
    for (std::size_t i = 0; i < 12; ++i)
      EXPECT_EQ(image.alpha[i],
                static_cast<float>(value_at(3, static_cast<int>(i) / 4, static_cast<int>(i) % 4, 8)) / 255.0f);
  }
}

TEST(DataFormats, TiffThatIsNotReadIsRefusedByItsKind) {
  TiffSpec cmyk{4, 4, 8, 4};
  cmyk.photometric = PHOTOMETRIC_SEPARATED;
  EXPECT_TRUE(says(decode_error(tiff_of(cmyk), {}, "a/b.tif"),
                   "'a/b.tif' is a TIFF of CMYK colours, which is not read; convert it, for instance with ImageMagick: "
                   "convert 'a/b.tif' 'a/b.png'"));
  TiffSpec preview{4, 4};
  preview.subfile = FILETYPE_REDUCEDIMAGE;
  EXPECT_TRUE(says(decode_error(tiff_of(preview)), "preview only"));
  TiffSpec real{4, 4, 16};
  real.format = SAMPLEFORMAT_INT;
  EXPECT_TRUE(says(decode_error(tiff_of(real)), "signed or complex values"));
}

TEST(DataFormats, TiffTruncatedOrDamaged) {
  for (const int compression : {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS})
    for (const bool tiled : {false, true}) {
      TiffSpec spec{19, 7, 8, 3};
      spec.photometric = PHOTOMETRIC_RGB;
      spec.compression = compression;
      spec.tiled = tiled;
      expect_strict(tiff_of(spec), str("TIFF, compression ", compression, tiled ? ", tiled" : ""), 4);
    }
}

// ---- WebP ----

Bytes webp_pixels(int width, int height, int channels) {
  Bytes pixels;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < channels; ++c)
        pixels.push_back(static_cast<unsigned char>(c == 3 ? 255 - 40 * (x % 3) : value_at(c, y, x, 8)));
  return pixels;
}

TEST(DataFormats, WebpLosslessIsExactAndLossyIsNear) {
  const Image exact = decode_image(make_webp(13, 9, false, true, webp_pixels(13, 9, 3)), "x");
  expect_same(exact, expected_image(9, 13, 3, 8), "lossless");
  EXPECT_FALSE(exact.lossy);
  const Image near = decode_image(make_webp(32, 32, false, false, Bytes(32 * 32 * 3, 100)), "x");
  EXPECT_TRUE(near.lossy);
  EXPECT_NEAR(near.pixels[500], 100 / 255.0, 0.02);
  std::vector<std::string> notes;
  const std::string with_alpha = make_webp(5, 4, true, true, webp_pixels(5, 4, 4));
  EXPECT_EQ(decode_image(with_alpha, "x", &notes).channels, 3);
  EXPECT_EQ(notes, std::vector<std::string>{"alpha channel dropped"});
  DecodeOptions keep;
  keep.keep_alpha = true;
  EXPECT_EQ(decode_image(with_alpha, "x", nullptr, keep).alpha[1], 215 / 255.0f);
}

TEST(DataFormats, WebpTruncatedOrDamaged) {
  expect_strict(make_webp(13, 9, false, true, webp_pixels(13, 9, 3)), "lossless WebP");
  expect_strict(make_webp(13, 9, false, false, webp_pixels(13, 9, 3)), "lossy WebP");
}

// A WebP that is called .jpg, and damaged.
TEST(DataFormats, ErrorsNameTheFormatOfTheContent) {
  std::string webp = make_webp(13, 9, false, true, webp_pixels(13, 9, 3));
  for (std::size_t i = 24; i < webp.size(); ++i) webp[i] = '\x55';
  EXPECT_TRUE(says(decode_error(webp, {}, "x.jpg"), "WebP"));
}

// ---- BMP ----

TEST(DataFormats, BmpOfEveryDepth) {
  // Blue, green, red; the bottom row first.
  const std::vector<std::string> rows = {"\x01\x02\x03\x04\x05\x06", "\x07\x08\x09\x0a\x0b\x0c"};
  const auto shares = [](std::vector<int> values) {
    std::vector<float> out;
    for (const int v : values) out.push_back(static_cast<float>(v) / 255.0f);
    return out;
  };
  const Image up = decode_image(make_bmp(2, 2, 24, rows), "x"), down = decode_image(make_bmp(2, -2, 24, rows), "x");
  EXPECT_EQ(up.pixels, shares({9, 8, 7, 12, 11, 10, 3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(down.pixels, shares({3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10}));
  EXPECT_EQ(decode_image(make_bmp(1, 1, 32, {std::string("\x01\x02\x03\x00", 4)}), "x").pixels, shares({3, 2, 1}));
  std::string palette;
  for (int i = 0; i < 256; ++i) palette += std::string(3, static_cast<char>(i)) + std::string(1, '\0');
  EXPECT_EQ(decode_image(make_bmp(3, 1, 8, {std::string("\x00\x80\xff", 3)}, palette), "x").pixels,
            shares({0, 0, 0, 128, 128, 128, 255, 255, 255}));
  EXPECT_EQ(decode_image(make_bmp(3, 1, 4, {"\x5f\x10"}, palette.substr(0, 64)), "x").pixels,
            shares({5, 5, 5, 15, 15, 15, 1, 1, 1}));
  EXPECT_EQ(decode_image(make_bmp(3, 1, 1, {"\x40"}, std::string("\0\0\0\0\xff\xff\xff\0", 8)), "x").pixels,
            shares({0, 0, 0, 255, 255, 255, 0, 0, 0}));
  // Widths whose rows of 1 bit have to be padded to 4 bytes.
  for (const int width : {9, 17, 31, 33, 41}) {
    std::vector<std::string> lines;
    for (int y = 0; y < 3; ++y) {
      lines.emplace_back(static_cast<std::size_t>((width + 7) / 8), '\0');
      lines.back()[static_cast<std::size_t>(y)] = '\x80';
    }
    const Image bits = decode_image(make_bmp(width, -3, 1, lines, std::string("\0\0\0\0\xff\xff\xff\0", 8)), "x");
    for (int y = 0; y < 3 && 8 * y < width; ++y)
      EXPECT_EQ(bits.pixels[static_cast<std::size_t>((y * width + 8 * y) * 3)], 1.0f) << width << ", row " << y;
    EXPECT_EQ(std::accumulate(bits.pixels.begin(), bits.pixels.end(), 0.0f), width <= 16 ? 6.0f : 9.0f) << width;
  }
  // 16 bits: full brightness is 255, not 248; bit fields; 32 bits with alpha in a field.
  EXPECT_EQ(decode_image(make_bmp(2, 1, 16, {std::string("\xff\x7f\x00\x7c", 4)}), "x").pixels,
            shares({255, 255, 255, 255, 0, 0}));
  const std::string fields565 = little_endian(0xf800, 4) + little_endian(0x7e0, 4) + little_endian(0x1f, 4);
  EXPECT_EQ(decode_image(make_bmp(2, 1, 16, {std::string("\xff\xff\xe0\x07", 4)}, fields565, 3), "x").pixels,
            shares({255, 255, 255, 0, 255, 0}));
  const std::string rgba =
      little_endian(0xff, 4) + little_endian(0xff00, 4) + little_endian(0xff0000, 4) + little_endian(0xff000000, 4);
  std::vector<std::string> notes;
  DecodeOptions keep;
  keep.keep_alpha = true;
  const std::string with_alpha = make_bmp(1, 1, 32, {"\x01\x02\x03\x33"}, rgba, 6);
  EXPECT_EQ(decode_image(with_alpha, "x", &notes).pixels, shares({1, 2, 3}));
  EXPECT_EQ(notes, std::vector<std::string>{"alpha channel dropped"});
  EXPECT_EQ(decode_image(with_alpha, "x", nullptr, keep).alpha, std::vector<float>{0.2f});
  // Run lengths: four times index 7, end of line, end of the picture.
  EXPECT_EQ(decode_image(make_bmp(4, 1, 8, {std::string("\x04\x07\x00\x00\x00\x01", 6)}, palette, 1), "x").pixels,
            std::vector<float>(12, 7 / 255.0f));
}

TEST(DataFormats, BmpTruncatedOrDamaged) {
  std::vector<std::string> rows(5, std::string(21, '\x33'));
  expect_strict(make_bmp(7, 5, 24, rows), "BMP of 24 bits");
  std::string palette;
  for (int i = 0; i < 256; ++i) palette += std::string(3, static_cast<char>(i)) + std::string(1, '\0');
  expect_strict(make_bmp(7, 5, 8, std::vector<std::string>(5, std::string(7, '\x33')), palette), "BMP of 8 bits");
  expect_strict(make_bmp(4, 2, 8, {std::string("\x04\x07\0\0\0\x03\1\2\3\0\1\4\0\1", 14)}, palette, 1), "BMP of runs");
  EXPECT_TRUE(says(decode_error(make_bmp(1, 1, 24, {"abc"}, {}, 4)), "a BMP with compression 4"));
  EXPECT_TRUE(
      says(decode_error(make_bmp(1, 1, 8, {std::string("\x02\x07", 2)}, palette, 1)), "a run beyond the picture"));
  EXPECT_TRUE(says(decode_error(make_bmp(1, 1, 8, {"\x05"}, palette.substr(0, 16))), "colour 5 of a palette of 4"));
}

// ---- PGM, PPM ----

TEST(DataFormats, PgmAndPpm) {
  const auto pixels = [](const std::string& text) { return decode_image(text, "x").pixels; };
  EXPECT_EQ(pixels("P2\n# a comment\n3 1 255\n0 128 255\n"), (std::vector<float>{0, 128 / 255.f, 1}));
  EXPECT_EQ(pixels("P2 3 1 4095 0 2048 4095"), (std::vector<float>{0, 2048 / 4095.f, 1}));
  EXPECT_EQ(pixels("P3 1 1 15 # c\n 0 5 15"), (std::vector<float>{0, 5 / 15.f, 1}));
  EXPECT_EQ(pixels(std::string("P5 2 1 255\n\x80\xff", 13)), (std::vector<float>{128 / 255.f, 1}));
  EXPECT_EQ(pixels(std::string("P6 1 1 255\n\x00\x80\xff", 14)), (std::vector<float>{0, 128 / 255.f, 1}));
  const Image deep = decode_image(std::string("P5\n2 1\n1023\n\x03\xff\x00\x01", 16), "x");
  EXPECT_EQ(deep.pixels, (std::vector<float>{1, 1 / 1023.f}));
  EXPECT_EQ(deep.bits, 10);
  std::vector<std::string> notes;
  decode_image("P5 1 1 255\naP5 1 1 255\nb", "x", &notes);
  EXPECT_EQ(notes, std::vector<std::string>{"only the first of several images in the file is read"});
}

TEST(DataFormats, PgmThatIsWrong) {
  EXPECT_TRUE(says(decode_error("P5 2 2 255\nabc"), "truncated PGM or PPM"));
  EXPECT_TRUE(says(decode_error("P5 2 2 255"), "truncated"));
  EXPECT_TRUE(says(decode_error("P2 2 2 255\n1 2 3"), "truncated"));
  EXPECT_TRUE(says(decode_error("P5 2 2 0\nabcd"), "largest value is 0"));
  EXPECT_TRUE(says(decode_error("P5 2 2 4294967551\nabcd"), "largest value is 4294967551"));
  EXPECT_TRUE(says(decode_error("P2 1 1 9 10"), "a value of 10, but the largest should be 9"));
  EXPECT_TRUE(says(decode_error("P2 1 1 9 4294967297"), "a value of 4294967297"));
  EXPECT_TRUE(says(decode_error("P2 1 1 9 1x"), "'x' within its value"));
  EXPECT_TRUE(says(decode_error("P2 -1 1 9 1"), "expected its width"));
  EXPECT_TRUE(says(decode_error("P2 0 1 9 1"), "0x1 pixels"));
  EXPECT_TRUE(says(decode_error("P5 99999 9999 255\nabc"), "expected at least 1x1 and at most"));
}

// ---- names ----

TEST(DataFormats, EndingsThatFoldersAreSearchedFor) {
  for (const char* name :
       {"a.png", "a.PNG", "b/c.Jpeg", "a.jpg", "a.bmp", "a.tif", "a.TIFF", "a.webp", "a.pgm", "a.ppm", "a.pnm"})
    EXPECT_TRUE(has_image_extension(name)) << name;
  for (const char* name : {"a.gif", "a", "png", "a.png.txt", "a.", "a.p", "a.png,"})
    EXPECT_FALSE(has_image_extension(name)) << name;
}

TEST(DataFormats, KnownFormatsAreRefusedByNameWithTheCommandThatConverts) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"GIF89a..........", "a GIF image"},
      {std::string("\0\0\0\x18"
                   "ftypheic....",
                   16),
       "a HEIC image"},
      {std::string("\0\0\0\x18"
                   "ftypavif....",
                   16),
       "an AVIF image"},
      {std::string("\0\0\0\x0cjP  \r\n\x87\n", 12), "a JPEG 2000 image"},
      {"\xff\x0a"
       "..........",
       "a JPEG XL image"},
      {"8BPS............", "a Photoshop image"},
      {std::string("II*\0\x10\0\0\0CR\2\0", 12), "a CR2 camera raw file"},
      {"%PDF-1.4........", "a PDF document"},
      {"<svg xmlns=......", "an SVG drawing"},
      {"P4 8 1 \xff", "a PBM image"},
      {std::string(128, 'x') + "DICM", "a DICOM image"},
  };
  for (const auto& [bytes, what] : cases) {
    const std::string error = decode_error(bytes, {}, "it's.png");
    EXPECT_TRUE(says(error, "'it's.png' is " + what + ", which is not read; convert it"));
    EXPECT_TRUE(says(error, "convert 'it'\\''s.png"));
    EXPECT_TRUE(says(error, "'it'\\''s-converted.png'"));
  }
  EXPECT_TRUE(says(decode_error(make_jpeg(8, 8, 4), {}, "a.jpg"), "convert 'a.jpg' -colorspace sRGB 'a.png'"));
  EXPECT_TRUE(says(decode_error("Prolog"), "not an image of a known format (it starts with 50 72"));
  EXPECT_TRUE(says(decode_error("RIFF"), "truncated image: only 4 bytes"));
}

// ---- orientation ----

// Upright, 3 wide and 2 high, and how it is stored for each orientation: "1: the 0th row is at the visual top, the 0th
// column at the visual left" and so on, in the words of the EXIF standard.
const Image kUpright = {2, 3, 1, {0, 51 / 255.f, 102 / 255.f, 153 / 255.f, 204 / 255.f, 1}};

Image stored_for(int orientation) {
  const bool swapped = orientation >= 5;
  Image stored{swapped ? 3 : 2, swapped ? 2 : 3, 1, {}};
  for (int row = 0; row < stored.height; ++row)
    for (int column = 0; column < stored.width; ++column) {
      const bool from_right = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
      const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
      const int along_x = swapped ? row : column, along_y = swapped ? column : row;
      const int x = from_right ? 2 - along_x : along_x, y = from_bottom ? 1 - along_y : along_y;
      stored.pixels.push_back(kUpright.pixels[static_cast<std::size_t>(3 * y + x)]);
    }
  return stored;
}

int byte_at(const Image& image, int y, int x) {
  return static_cast<int>(std::lround(image.pixels[static_cast<std::size_t>(y * image.width + x)] * 255.0f));
}

void expect_orientations(const char* format, const std::function<std::string(const Image&, int)>& file_of,
                         double tolerance = 0) {
  DecodeOptions as_stored;
  as_stored.exif_orientation = false;
  for (int o = 0; o <= 9; ++o) {  // 0 and 9 make no sense: nothing is turned
    const int meant = o >= 1 && o <= 8 ? o : 1;
    const std::string what = str(format, ", orientation ", o), file = file_of(stored_for(meant), o);
    const Image upright = decode_image(file, "x"), left = decode_image(file, "x", nullptr, as_stored);
    const int scale = upright.channels == 3 ? 3 : 1, block = upright.height / 2;
    ASSERT_EQ(upright.width, upright.height * 3 / 2) << what;
    EXPECT_EQ(left.height > left.width, meant >= 5) << what;
    for (int y = 0; y < 2; ++y)
      for (int x = 0; x < 3; ++x) {
        const int at = ((y * block + block / 2) * upright.width + x * block + block / 2) * scale;
        EXPECT_NEAR(upright.pixels[static_cast<std::size_t>(at)], kUpright.pixels[static_cast<std::size_t>(3 * y + x)],
                    tolerance)
            << what << ", row " << y << ", column " << x;
      }
    EXPECT_NEAR(left.pixels[0], stored_for(meant).pixels[0], tolerance) << what;
  }
}

TEST(DataFormats, OrientationIsAppliedToEveryFormatThatHasOne) {
  const auto rows_of = [](const Image& stored) {
    std::vector<Bytes> rows;
    for (int y = 0; y < stored.height; ++y) {
      rows.emplace_back();
      for (int x = 0; x < stored.width; ++x) rows.back().push_back(static_cast<unsigned char>(byte_at(stored, y, x)));
    }
    return rows;
  };
  expect_orientations("PNG", [&](const Image& s, int o) {
    return make_png({s.width, s.height, 8, PNG_COLOR_TYPE_GRAY, false, {}, false, 0, exif_block(o)}, rows_of(s));
  });
  expect_orientations("TIFF", [](const Image& s, int o) {
    TiffSpec spec{s.width, s.height};
    spec.orientation = o >= 1 && o <= 8 ? o : 0;
    return make_tiff(spec, [&](int, int y, int x) { return byte_at(s, y, x); });
  });
  expect_orientations("WebP", [](const Image& s, int o) {
    Bytes rgb;
    for (int y = 0; y < s.height; ++y)
      for (int x = 0; x < s.width; ++x) rgb.insert(rgb.end(), 3, static_cast<unsigned char>(byte_at(s, y, x)));
    return webp_with_exif(make_webp(s.width, s.height, false, true, rgb), s.width, s.height, exif_block(o));
  });
  for (const bool progressive : {false, true})
    expect_orientations(
        "JPEG",
        [&](const Image& s, int o) {
          return make_jpeg(s.width * 16, s.height * 16, 1, progressive, exif_block(o),
                           [&](int y, int x, int) { return byte_at(s, y / 16, x / 16); });
        },
        0.02);
}

TEST(DataFormats, DamagedExifLeavesThePictureAsItIs) {
  const Silence silence;
  const std::string exif = exif_block(6);
  const std::vector<Bytes> rows = {{1, 2, 3}, {4, 5, 6}};
  for (std::size_t n = 4; n < exif.size(); ++n)  // libpng drops blocks of less than 4 bytes
    EXPECT_NO_THROW(
        decode_image(make_png({3, 2, 8, PNG_COLOR_TYPE_GRAY, false, {}, false, 0, exif.substr(0, n)}, rows), "x"));
  for (std::size_t i = 0; i < exif.size(); ++i) {
    std::string bad = exif;
    bad[i] = static_cast<char>(bad[i] ^ 0xff);
    EXPECT_EQ(decode_image(make_jpeg(24, 16, 1, false, bad), "x").size(), 24u * 16u);
  }
}

// ---- depth ----

std::string grey16(const std::vector<int>& values, int sbit = 0) {
  return make_png({static_cast<int>(values.size()), 1, 16, PNG_COLOR_TYPE_GRAY, false, {}, false, sbit},
                  {row16(values)});
}

TEST(DataFormats, SbitOfCamerasIsHonoured) {
  // As cameras write it: in the low bits.
  const Image low = decode_image(grey16({0, 1, 2048, 4095}, 12), "x");
  EXPECT_EQ(low.pixels, (std::vector<float>{0, 1 / 4095.f, 2048 / 4095.f, 1}));
  EXPECT_EQ(low.bits, 12);
  EXPECT_EQ(decode_image(grey16({3, 1023}, 10), "x").pixels, (std::vector<float>{3 / 1023.f, 1}));
  // As the standard wants it: moved up to fill 16 bits. Bright or dark, nothing has to be done.
  for (const int brightest : {4095, 200, 16}) {
    const auto full = [](int v) { return v << 4 | v >> 8; };
    const Image high = decode_image(grey16({0, full(7), full(brightest)}, 12), "x");
    EXPECT_EQ(high.pixels, (std::vector<float>{0, static_cast<float>(full(7)) / 65535.0f,
                                               static_cast<float>(full(brightest)) / 65535.0f}));
    EXPECT_EQ(high.bits, 16);
  }
  // All low bits happen to be 0: what the model was trained on decides.
  DecodeOptions twelve;
  twelve.expected_bits = 12;
  EXPECT_EQ(decode_image(grey16({0, 256, 4080}, 12), "x", nullptr, twelve).pixels[2], 4080 / 4095.f);
  EXPECT_EQ(decode_image(grey16({0, 256, 4080}, 12), "x").pixels[2], 4080 / 65535.f);
}

TEST(DataFormats, BitsAsGiven) {
  DecodeOptions twelve;
  twelve.bits = 12;
  for (const int sbit : {0, 10}) {
    const Image image = decode_image(grey16({0, 5, 4095}, sbit), "x", nullptr, twelve);
    EXPECT_EQ(image.pixels, (std::vector<float>{0, 5 / 4095.f, 1}));
    EXPECT_EQ(image.bits, 12);
  }
  EXPECT_TRUE(
      says(decode_error(grey16({4096}), twelve), "a value of 4096, but in 12 bits (--bits) the largest is 4095"));
  TiffSpec spec{3, 1, 16};
  EXPECT_EQ(decode_image(make_tiff(spec, [](int, int, int x) { return x * 1000; }), "x", nullptr, twelve).pixels[2],
            2000 / 4095.f);
  // Files of 8 bits have no other scale.
  EXPECT_EQ(decode_image(make_png({1, 1, 8, PNG_COLOR_TYPE_GRAY}, {{255}}), "x", nullptr, twelve).pixels[0], 1.0f);
  DecodeOptions sixteen;
  sixteen.bits = 16;
  EXPECT_EQ(decode_image(grey16({1, 4095}, 12), "x", nullptr, sixteen).pixels[1], 4095 / 65535.f);
}

TEST(DataFormats, LargestValueOfTiffIsHonoured) {
  TiffSpec spec{3, 1, 16};
  spec.most = 4095;
  const auto value = [](int, int, int x) { return x * 2000; };
  const Image image = decode_image(make_tiff(spec, value), "x");
  EXPECT_EQ(image.pixels[2], 4000 / 4095.f);
  EXPECT_EQ(image.bits, 12);
  spec.most = 1023;  // which is not true
  EXPECT_EQ(decode_image(make_tiff(spec, value), "x").pixels[2], 4000 / 65535.f);
}

TEST(DataFormats, DarkDataOf16BitsAreNoted) {
  const auto notes_of = [](const std::string& file, const DecodeOptions& o = {}) {
    std::vector<std::string> notes;
    decode_image(file, "x", &notes, o);
    return notes;
  };
  const auto dark = notes_of(grey16({0, 3000}));
  ASSERT_EQ(dark.size(), 1u);
  EXPECT_TRUE(says(dark[0], "all values are below 4096 of 65535"));
  EXPECT_TRUE(says(dark[0], "--bits 12"));
  EXPECT_TRUE(says(notes_of(grey16({1, 1000})).at(0), "--bits 10"));
  EXPECT_TRUE(notes_of(grey16({0, 4096})).empty());
  EXPECT_TRUE(notes_of(grey16({0, 0})).empty());  // a black image is black in every depth
  EXPECT_TRUE(notes_of(grey16({1, 3000}, 12)).empty());
  DecodeOptions sixteen;
  sixteen.bits = 16;
  EXPECT_TRUE(notes_of(grey16({0, 3000}), sixteen).empty());
}

TEST(DataFormats, AnotherDepthThanTheModelsIsRefused) {
  DecodeOptions twelve;
  twelve.expected_bits = 12;
  EXPECT_TRUE(says(decode_error(grey16({0, 3000}), twelve),
                   "full brightness is 65535 (16 bits), but the model was "
                   "trained on images of 12 bits; --bits 12"));
  EXPECT_EQ(decode_error(grey16({1, 3000}, 12), twelve), "no error");
  EXPECT_EQ(decode_error("P2 2 1 4095 0 7", twelve), "no error");
  EXPECT_EQ(decode_error(grey16({0, 0}), twelve), "no error");  // black
  EXPECT_EQ(decode_error(make_png({1, 1, 8, PNG_COLOR_TYPE_GRAY}, {{255}}), twelve), "no error");
  DecodeOptions told = twelve;
  told.bits = 12;
  EXPECT_EQ(decode_error(grey16({0, 3000}), told), "no error");
  DecodeOptions sixteen;
  sixteen.expected_bits = 16;
  EXPECT_TRUE(says(decode_error(grey16({1, 3000}, 12), sixteen),
                   "4095 (12 bits), but the model was trained on images "
                   "of 16 bits"));
}

// ---- limits ----

TEST(DataFormats, LimitOfPixelsHoldsForEveryFormat) {
  TiffSpec tiff{6, 5};
  const std::vector<std::pair<std::string, std::string>> files = {
      {"PNG", make_png({6, 5, 8, PNG_COLOR_TYPE_GRAY}, std::vector<Bytes>(5, Bytes(6)))},
      {"JPEG", make_jpeg(6, 5, 3)},
      {"TIFF", make_tiff(tiff, [](int, int, int) { return 1; })},
      {"WebP", make_webp(6, 5, false, true, Bytes(90))},
      {"BMP", make_bmp(6, 5, 24, std::vector<std::string>(5, std::string(18, 'x')))},
      {"PGM", "P5 6 5 255\n" + std::string(30, 'x')},
  };
  DecodeOptions enough, less;
  enough.max_pixels = 30;
  less.max_pixels = 29;
  for (const auto& [format, file] : files) {
    EXPECT_EQ(decode_error(file, enough), "no error") << format;
    EXPECT_TRUE(
        says(decode_error(file, less), "6x5 pixels; expected at least 1x1 and at most 29 in all (--max-pixels)"))
        << format;
  }
}

// A few hundred bytes that claim most of what the limit allows fail before memory for it is taken.
TEST(DataFormats, ClaimsWithoutDataTakeNoMemory) {
  const auto resident = [] {
    long pages = 0, ignored = 0;
    std::FILE* file = std::fopen("/proc/self/statm", "r");
    if (file == nullptr || std::fscanf(file, "%ld %ld", &ignored, &pages) != 2) pages = 0;
    if (file != nullptr) std::fclose(file);
    return pages * ::sysconf(_SC_PAGESIZE) >> 20;
  };
  TiffSpec small{16, 16};
  std::string tiff = make_tiff(small, [](int, int, int x) { return x; });
  for (std::size_t i = 0; i + 12 < tiff.size(); ++i) {
    const std::string_view tag = std::string_view(tiff).substr(i, 4);
    for (const std::string_view side : {std::string_view("\x00\x01\x03\0", 4), std::string_view("\x01\x01\x03\0", 4)})
      if (tag == side) tiff.replace(i + 8, 2, little_endian(16000, 2));
  }
  std::string bmp = make_bmp(1, 1, 24, {"abc"});
  bmp.replace(18, 8, little_endian(16000, 4) + little_endian(16000, 4));
  const std::vector<std::pair<std::string, std::string>> files = {
      {"TIFF", tiff}, {"BMP", bmp}, {"PGM", "P5 16000 16000 255\nabc"}, {"PPM as text", "P3 16000 16000 255\n1 2 3"}};
  std::string exif =
      make_png({3, 2, 8, PNG_COLOR_TYPE_GRAY, false, {}, false, 0, exif_block(6)}, {{1, 2, 3}, {4, 5, 6}});
  exif[exif.find("eXIf") - 4] = '\x40';
  EXPECT_TRUE(says(decode_error(exif), "truncated or corrupt PNG: a chunk of 1073741850 bytes at byte 33"));
  const long before = resident();
  for (const auto& [format, file] : files) {
    const std::string error = decode_error(file);
    EXPECT_TRUE(says(error, "runcated")) << format;
    EXPECT_LT(resident(), before + 64) << format;
  }
}

}  // namespace
}  // namespace pgad::test
