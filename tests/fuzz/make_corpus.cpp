// Writes the first files of the fuzzers' corpora: make_corpus tests/fuzz/corpus. What fuzzers found lies there too,
// under names that begin with "found-".

#include <filesystem>
#include <fstream>
#include <iostream>

#include "images/npy.h"
#include "images/safetensors.h"
#include "model/config_io.h"
#include "tests/image_files.h"

namespace {

namespace fs = std::filesystem;
using namespace pgad::test;

fs::path root;

void put(const std::string& entry, const std::string& name, const std::string& bytes) {
  fs::create_directories(root / entry);
  std::ofstream(root / entry / name, std::ios::binary) << bytes;
}

int value(int s, int y, int x) { return (37 * s + 11 * y + 5 * x) % 256; }

Bytes rgb_of(int width, int height, int channels) {
  Bytes bytes;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < channels; ++c) bytes.push_back(static_cast<unsigned char>(value(c, y, x)));
  return bytes;
}

std::vector<Bytes> rows_of(int height, std::size_t bytes) {
  std::vector<Bytes> rows(static_cast<std::size_t>(height), Bytes(bytes));
  for (std::size_t y = 0; y < rows.size(); ++y)
    for (std::size_t x = 0; x < bytes; ++x) rows[y][x] = static_cast<unsigned char>(7 * y + 3 * x);
  return rows;
}

void images() {
  const std::vector<png_color> palette = {{10, 20, 30}, {255, 0, 5}};
  const std::string png = make_png({9, 7, 8, PNG_COLOR_TYPE_RGB, false, {}, false, 0, exif_block(6)}, rows_of(7, 27));
  put("png", "rgb-exif", png);
  put("png", "truncated", png.substr(0, png.size() - 20));
  put("png", "grey16-sbit", make_png({5, 4, 16, PNG_COLOR_TYPE_GRAY, false, {}, false, 12}, rows_of(4, 10)));
  put("png", "rgba16", make_png({3, 4, 16, PNG_COLOR_TYPE_RGB_ALPHA}, rows_of(4, 24)));
  put("png", "palette", make_png({9, 2, 1, PNG_COLOR_TYPE_PALETTE, false, palette, true}, rows_of(2, 2)));
  put("png", "interlaced", make_png({11, 9, 4, PNG_COLOR_TYPE_GRAY, true, {}, true}, rows_of(9, 6)));

  const std::string jpeg = make_jpeg(17, 12, 3, false, exif_block(8));
  put("jpeg", "rgb-exif", jpeg);
  put("jpeg", "truncated", jpeg.substr(0, jpeg.size() - 30));
  put("jpeg", "grey", make_jpeg(8, 8, 1));
  put("jpeg", "progressive", make_jpeg(20, 9, 3, true));
  put("jpeg", "cmyk", make_jpeg(8, 8, 4));

  const auto tiff = [](const std::string& name, const TiffSpec& spec) {
    put("tiff", name, make_tiff(spec, [&](int s, int y, int x) { return value(s, y, x) & ((1 << spec.bits) - 1); }));
  };
  TiffSpec spec{19, 7};
  tiff("grey", spec);
  spec.bits = 12;
  tiff("twelve-bits", spec);
  spec.bits = 16;
  spec.most = 4095;
  spec.orientation = 6;
  spec.compression = COMPRESSION_LZW;
  tiff("grey16-lzw", spec);
  TiffSpec color{18, 5, 8, 3};
  color.photometric = PHOTOMETRIC_RGB;
  color.separate = true;
  color.compression = COMPRESSION_ADOBE_DEFLATE;
  tiff("planes-deflate", color);
  color.tiled = true;
  color.separate = false;
  color.compression = COMPRESSION_PACKBITS;
  color.big_endian = true;
  tiff("tiles-packbits", color);
  color.tiled = false;
  color.compression = COMPRESSION_JPEG;
  tiff("jpeg", color);
  color.compression = COMPRESSION_NONE;
  color.samples = 4;
  color.extra = EXTRASAMPLE_UNASSALPHA;
  color.pages = 2;
  tiff("rgba-pages", color);
  TiffSpec bilevel{33, 6, 1};
  bilevel.photometric = PHOTOMETRIC_MINISWHITE;
  for (const int compression : {COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4}) {
    bilevel.compression = compression;
    tiff("fax" + std::to_string(compression), bilevel);
  }
  TiffSpec indexed{9, 4, 4};
  indexed.photometric = PHOTOMETRIC_PALETTE;
  for (int i = 0; i < 48; ++i) indexed.palette.push_back(static_cast<std::uint16_t>(i * 1300));
  tiff("palette", indexed);
  TiffSpec cmyk{4, 4, 8, 4};
  cmyk.photometric = PHOTOMETRIC_SEPARATED;
  tiff("cmyk", cmyk);

  const std::string webp = make_webp(12, 9, false, true, rgb_of(12, 9, 3));
  put("webp", "lossless", webp);
  put("webp", "lossy", make_webp(12, 9, false, false, rgb_of(12, 9, 3)));
  put("webp", "alpha", make_webp(6, 5, true, true, rgb_of(6, 5, 4)));
  put("webp", "exif", webp_with_exif(webp, 12, 9, exif_block(3)));
  put("webp", "truncated", webp.substr(0, webp.size() / 2));

  std::string colors;
  for (int i = 0; i < 256; ++i) colors += std::string(3, static_cast<char>(i)) + std::string(1, '\0');
  const std::string bmp = make_bmp(5, -3, 24, std::vector<std::string>(3, "abcdefghijklmno"));
  put("bmp", "rgb", bmp);
  put("bmp", "truncated", bmp.substr(0, bmp.size() - 9));
  put("bmp", "bits16", make_bmp(4, 2, 16, std::vector<std::string>(2, "abcdefgh")));
  put("bmp", "bits32", make_bmp(2, 2, 32, std::vector<std::string>(2, "abcdefgh")));
  put("bmp", "grey", make_bmp(5, 2, 8, {"abcde", "12345"}, colors));
  put("bmp", "bits4", make_bmp(5, 1, 4, {"abc"}, colors.substr(0, 64)));
  put("bmp", "bits1", make_bmp(9, 1, 1, {"ab"}, colors.substr(0, 8)));
  put("bmp", "rle8", make_bmp(4, 2, 8, {std::string("\x04\x07\0\0\0\x03\1\2\3\0\1\4\0\1", 14)}, colors, 1));
  put("bmp", "rle4", make_bmp(4, 1, 4, {std::string("\x04\x57\0\x01", 4)}, colors.substr(0, 64), 2));

  put("pnm", "p2", "P2\n# c\n3 2 255\n0 1 2\n3 4 255\n");
  put("pnm", "p3", "P3 1 2 4095 1 2 3 4 5 4095");
  put("pnm", "p5", "P5 3 2 255\nabcdef");
  put("pnm", "p6-16", "P6 1 2 65535\nabcdefghijkl");
  put("pnm", "truncated", "P5 30 20 255\nabc");
  put("pnm", "several", "P5 1 1 255\naP5 1 1 255\nb");

  put("exif", "little", exif_block(6));
  put("exif", "big", std::string("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0", 26));
  put("exif", "short", exif_block(6).substr(0, 12));

  put("mask", "labels", "P2 3 2 255 0 1 0 1 1 0");
  put("mask", "several", "P2 3 2 255 0 1 2 3 4 5");
  put("mask", "fading", "P2 4 3 255 0 20 40 60 80 100 120 140 160 180 200 255");
  put("mask", "alpha", make_png({3, 4, 8, PNG_COLOR_TYPE_RGB_ALPHA}, rows_of(4, 12)));
  put("mask", "jpeg", make_jpeg(16, 16, 1, false, {}, [](int y, int, int) { return y < 8 ? 0 : 255; }));
}

void others() {
  const auto be = [](std::uint32_t v) {
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(v >> shift);
    return text;
  };
  const std::string images = be(0x803) + be(2) + be(2) + be(3) + "abcdefghijkl";
  put("idx", "images", images);
  put("idx", "labels", be(0x801) + be(3) + "abc");
  put("idx", "truncated", images.substr(0, images.size() - 2));
  put("idx", "claims-much", be(0x803) + be(60000) + be(2800) + be(2800) + "abc");

  const std::string npy = (root / "npy/array").string(), tensors = (root / "safetensors/two").string();
  for (const char* entry : {"npy", "safetensors"}) fs::create_directories(root / entry);
  const std::int64_t shape[] = {2, 3};
  const std::vector<float> six = {1, 2, 3, 4, 5, 6};
  pgad::write_npy(npy, shape, six);
  put("npy", "no-array", "\x93NUMPY");
  const std::vector<pgad::SafeTensorView> views = {pgad::safe_tensor_view<float>("a", {2, 3}, six),
                                                   pgad::safe_tensor_view<float>("b", {1}, std::span(six).first(1))};
  pgad::write_safetensors(tensors, views, {{"key", "value"}});
  put("safetensors", "header-alone",
      little_endian(60, 8) + "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}    ");

  put("config", "all", pgad::config_to_json(pgad::preset("small")).dump());
  put("config", "few", R"({"preset": "pggan", "batch": {"4": 8, "64": 4}, "channels": "auto", "score-gamma": null})");
  put("config", "twice", R"({"steps": 1, "steps": 2})");
  put("config", "broken", R"({"steps": [1, {"a": "\ud800"}], )");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_corpus DIR\n";
    return 2;
  }
  root = argv[1];
  images();
  others();
}
