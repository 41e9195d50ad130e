#include "images/image_stream.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "images/image.h"
#include "tests/image_files.h"
#include "tests/temp_dir.h"

namespace pgad::test {
namespace {

Image noise(int height, int width, int channels, unsigned seed) {
  Image image{height, width, channels, {}};
  std::minstd_rand random(seed);
  for (std::size_t i = 0; i < image.size(); ++i) image.pixels.push_back(static_cast<float>(random() % 256) / 255);
  return image;
}

std::string pnm(const Image& image, const std::string& comment) {
  std::string file = str(image.channels == 1 ? "P5" : "P6", "\n", comment, image.width, " ", image.height, "\n255\n");
  for (const float v : image.pixels) file += static_cast<char>(static_cast<int>(v * 255 + 0.5f));
  return file;
}

// Files of each format, with all that may look like an end within them.
std::vector<std::string> files() {
  std::vector<std::string> all;
  for (const int channels : {1, 3})
    for (const int side : {1, 7, 40}) {
      const Image image = noise(side, side + 3, channels, static_cast<unsigned>(side + channels));
      all.push_back(encode_png(image, "png"));
      all.push_back(encode_jpeg(image, 95, "jpeg"));
      all.push_back(pnm(image, "# 12 P5\n"));
    }
  // An end marker within a comment segment of a JPEG.
  std::string jpeg = encode_jpeg(noise(9, 9, 1, 3), 80, "jpeg");
  jpeg.insert(2, std::string("\xff\xfe\x00\x06\xff\xd9\xff\xd9", 8));
  all.push_back(jpeg);
  std::string bmp = "BM";
  const auto put = [&](std::uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) bmp += static_cast<char>(value >> (8 * i));
  };
  for (const auto& [value, bytes] : {std::pair{54u + 2 * 8, 4},
                                     {0u, 4},
                                     {54u, 4},
                                     {40u, 4},
                                     {2u, 4},
                                     {2u, 4},
                                     {1u, 2},
                                     {24u, 2},
                                     {0u, 4},
                                     {16u, 4},
                                     {0u, 4},
                                     {0u, 4},
                                     {0u, 4},
                                     {0u, 4}})
    put(value, bytes);
  for (int i = 0; i < 16; ++i) bmp += static_cast<char>(16 * i);
  all.push_back(bmp);
  return all;
}

std::optional<std::size_t> length_of(const std::string& bytes) {
  std::size_t scanned = 0;
  return image_file_length(bytes, scanned);
}

TEST(ImageStream, TellsWhereEachFileEnds) {
  for (const std::string& file : files()) {
    EXPECT_GT(decode_image(file, "file").height, 0);
    EXPECT_EQ(length_of(file), file.size());
    EXPECT_EQ(length_of(file + "P5 more"), file.size());
    std::size_t scanned = 0;  // in parts
    for (std::size_t part = 1; part < file.size(); part += 7)
      ASSERT_EQ(image_file_length(file.substr(0, part), scanned), std::nullopt) << part;
    EXPECT_EQ(image_file_length(file, scanned), file.size());
    for (std::size_t cut = 1; cut < file.size(); ++cut) ASSERT_EQ(length_of(file.substr(0, cut)), std::nullopt) << cut;
  }
  // A WebP file is as long as its RIFF says.
  EXPECT_EQ(length_of(std::string("RIFF\x05\x00\x00\x00WEBP.......", 19)), 14u);
  // A BMP file of no length would be found again for ever.
  EXPECT_THROW(length_of(std::string("BM\0\0\0\0BM", 8)), DataError);
  for (const std::string bad : {"hello", "P2 1 1 255 7", "P5 x", "II*", "\xff\xe0"})
    EXPECT_THROW(length_of(bad), DataError) << bad;
  EXPECT_EQ(length_of("P"), std::nullopt);
}

TEST(ImageStream, GivesThemAsTheyComeThroughAPipe) {
  const std::vector<std::string> all = files();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  std::thread writer([&] {
    std::minstd_rand random(1);
    std::string bytes;
    for (const std::string& file : all) bytes += file + (random() % 2 ? "\n" : "");
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t n = std::min<std::size_t>(1 + random() % 700, bytes.size() - at);
      EXPECT_EQ(::write(ends[1], bytes.data() + at, n), static_cast<ssize_t>(n));
      at += n;
    }
    ::close(ends[1]);
  });
  ImageStream stream(ends[0], "cam", "the pipe");
  std::vector<Sample> samples;
  while (!stream.ended()) {
    if (auto sample = stream.next())
      samples.push_back(std::move(*sample));
    else
      stream.wait(1);
  }
  writer.join();
  ::close(ends[0]);
  EXPECT_EQ(stream.error(), "");
  ASSERT_EQ(samples.size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(*samples[i].bytes, all[i]);
    EXPECT_EQ(ImageSource().load(samples[i]).pixels, decode_image(all[i], "file").pixels);
  }
  EXPECT_EQ(samples[0].name, "cam-000001.png");
  EXPECT_EQ(samples[1].name, "cam-000002.jpg");
  EXPECT_EQ(samples[2].name, "cam-000003.pgm");
}

TEST(ImageStream, SaysWhereItBreaks) {
  const std::string png = encode_png(noise(5, 5, 1, 1), "png");
  for (const auto& [bytes, count, error] :
       {std::tuple<std::string, int, std::string>{png + png.substr(0, 30), 1, "image 2: cut off after 30 bytes"},
        {png + png + "oops", 2, "image 3: not the beginning of an image"},
        {"", 0, ""}}) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    ASSERT_EQ(::write(ends[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    ::close(ends[1]);
    ImageStream stream(ends[0], "cam", "the pipe");
    int given = 0;
    while (!stream.ended()) given += stream.next().has_value();
    ::close(ends[0]);
    EXPECT_EQ(given, count);
    EXPECT_EQ(stream.error().substr(0, error.empty() ? 0 : error.size() + 10),
              error.empty() ? "" : "the pipe: " + error);
    EXPECT_EQ(stream.error().empty(), error.empty());
  }
}

}  // namespace
}  // namespace pgad::test
