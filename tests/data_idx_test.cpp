// IDX files, plain and gzipped, good and bad.

#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "engine/check.h"
#include "images/atomic_file.h"
#include "images/idx.h"
#include "tests/temp_dir.h"

namespace pgad::test {
namespace {

std::string header(std::uint32_t magic, const std::vector<std::uint32_t>& dims) {
  std::string out;
  const auto put = [&](std::uint32_t v) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(v >> shift);
  };
  put(magic);
  for (const std::uint32_t d : dims) put(d);
  return out;
}

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
  std::string in = bytes;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string images_of(std::uint32_t count, std::uint32_t rows, std::uint32_t cols) {
  std::string out = header(0x803, {count, rows, cols});
  for (std::uint32_t i = 0; i < count * rows * cols; ++i) out += static_cast<char>(i * 7 + i / 251);
  return out;
}

std::string images_error(const std::string& bytes) {
  TempDir dir;
  put(dir / "x", bytes);
  return error_of([&] { read_idx_images(dir / "x"); });
}

void expect_error(const std::string& bytes, const std::string& message) {
  const std::string error = images_error(bytes);
  EXPECT_NE(error.find(message), std::string::npos) << "expected '" << message << "' in: " << error;
  EXPECT_NE(error.find("/x'"), std::string::npos) << error;
}

TEST(DataIdx, PlainAndGzippedAreTheSame) {
  TempDir dir;
  const std::string bytes = images_of(5, 4, 3);
  put(dir / "plain", bytes);
  put(dir / "packed", gzip(bytes));
  // Two gzip members after one another are one file.
  put(dir / "members", gzip(bytes.substr(0, 20)) + gzip(bytes.substr(20)));
  for (const char* name : {"plain", "packed", "members"}) {
    const IdxImages images = read_idx_images(dir / name);
    EXPECT_EQ(images.count, 5);
    EXPECT_EQ(images.rows, 4);
    EXPECT_EQ(images.cols, 3);
    EXPECT_EQ(std::string(images.pixels.begin(), images.pixels.end()), bytes.substr(16));
    const Image image = images.image(4);
    EXPECT_EQ(image.height, 4);
    EXPECT_EQ(image.width, 3);
    EXPECT_EQ(image.channels, 1);
    EXPECT_EQ(image.pixels[2], static_cast<float>(images.pixels[4 * 12 + 2]) / 255.0f);
    EXPECT_THROW(images.image(5), Error);
    EXPECT_THROW(images.image(-1), Error);
    EXPECT_TRUE(is_idx_images(dir / name));
  }
}

TEST(DataIdx, LargerThanTheInflateBuffer) {
  TempDir dir;
  const std::string bytes = images_of(3000, 28, 28);
  put(dir / "x.gz", gzip(bytes));
  const IdxImages images = read_idx_images(dir / "x.gz");
  EXPECT_TRUE(std::equal(images.pixels.begin(), images.pixels.end(), bytes.begin() + 16, bytes.end(),
                         [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); }));
}

TEST(DataIdx, Labels) {
  TempDir dir;
  put(dir / "l", header(0x801, {3}) + std::string("\1\2\3"));
  EXPECT_EQ(read_idx_labels(dir / "l"), (std::vector<std::uint8_t>{1, 2, 3}));
  EXPECT_FALSE(is_idx_images(dir / "l"));
  EXPECT_FALSE(is_idx_images(dir / "missing"));
  put(dir / "i", images_of(2, 2, 2));
  EXPECT_NE(error_of([&] { read_idx_labels(dir / "i"); }).find("magic 0x00000803, expected labels"), std::string::npos);
}

TEST(DataIdx, BadFiles) {
  const std::string good = images_of(5, 4, 3);
  EXPECT_EQ(images_error(good), "no error");
  EXPECT_EQ(images_error(header(0x803, {0, 28, 28})), "no error");
  expect_error("", "0 bytes");
  expect_error(std::string("\0\0", 2), "truncated IDX file");
  expect_error(good.substr(0, 11), "truncated IDX header");
  expect_error(good.substr(0, 16), "0 bytes of data, expected 60");
  expect_error(good.substr(0, good.size() - 1), "59 bytes of data, expected 60");
  expect_error(good + "x", "trailing bytes");
  expect_error("\x89PNG\r\n\x1a\n........", "bad IDX magic 0x89504e47, expected images (magic 0x00000803)");
  expect_error(header(0x801, {3}) + "abc", "bad IDX magic 0x00000801");
  expect_error(header(0xd03, {1, 1, 1}) + "abcd", "bad IDX magic 0x00000d03");  // float values
  expect_error(header(0x803, {1, 0, 28}), "side of 0");
  expect_error(header(0x803, {1, 70000, 28}), "side of 70000");
  expect_error(header(0x803, {0xffffffffu, 65535, 65535}), "truncated IDX file: 0 bytes");
}

TEST(DataIdx, BadGzip) {
  const std::string good = images_of(50, 4, 3);
  const std::string packed = gzip(good);
  for (const std::size_t n :
       {std::size_t{2}, std::size_t{9}, std::size_t{15}, packed.size() / 2, packed.size() - 9, packed.size() - 1}) {
    expect_error(packed.substr(0, n), "truncated gzip data");
  }
  std::string bad = packed;
  bad[packed.size() - 6] ^= 1;  // the checksum
  expect_error(bad, "corrupt gzip data: incorrect data check");
  bad = packed;
  bad[10] = '\x07';  // a block type that does not exist
  expect_error(bad, "corrupt gzip data");
  expect_error(packed + "junk", "4 trailing bytes after the gzip data");
  expect_error(gzip(good + "x"), "trailing bytes in the IDX file");
  expect_error(gzip(good.substr(0, good.size() - 7)), "593 bytes of data, expected 600");
  expect_error(gzip("hello"), "bad IDX magic");
  // A small file that unpacks to far more than its header promises is not unpacked.
  expect_error(gzip(good + std::string(8 << 20, '\0')), "trailing bytes");
  for (std::size_t i = 0; i < packed.size(); ++i) {
    bad = packed;
    bad[i] = static_cast<char>(bad[i] ^ 0x55);
    const std::string error = images_error(bad);
    // Bytes 4 to 9 hold time and system: without meaning here.
    if (i < 3 || i > 9) {
      EXPECT_NE(error, "no error") << i;
    }
  }
}

TEST(DataIdx, FindsPairs) {
  TempDir dir;
  const auto touch = [&](const std::string& name) { put(dir / name, "x"); };
  EXPECT_TRUE(find_idx_pairs(dir / "").empty());
  for (const char* name : {"emnist", "t10k", "train", "a"}) {
    touch(str(name, "-images-idx3-ubyte.gz"));
    touch(str(name, "-labels-idx1-ubyte"));
  }
  touch("train-images-idx3-ubyte");
  touch("readme.txt");
  const std::vector<IdxPair> pairs = find_idx_pairs(dir / "");
  ASSERT_EQ(pairs.size(), 4u);
  EXPECT_EQ(pairs[0].name, "train");
  EXPECT_EQ(pairs[0].images, dir / "train-images-idx3-ubyte");  // plain before packed
  EXPECT_EQ(pairs[0].labels, dir / "train-labels-idx1-ubyte");
  EXPECT_EQ(pairs[1].name, "t10k");
  EXPECT_EQ(pairs[1].images, dir / "t10k-images-idx3-ubyte.gz");
  EXPECT_EQ(pairs[2].name, "a");
  EXPECT_EQ(pairs[3].name, "emnist");
  std::filesystem::remove(dir / "t10k-labels-idx1-ubyte");
  const std::string error = error_of([&] { find_idx_pairs(dir / ""); });
  EXPECT_NE(error.find("t10k-images-idx3-ubyte.gz' has no labels: expected"), std::string::npos) << error;
  EXPECT_EQ(find_idx_images(dir / "").size(), 4u);
}

}  // namespace
}  // namespace pgad::test
