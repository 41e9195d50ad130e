#pragma once
// What the tests of `pgad_data convert` share: small pictures and masks, and a source with its output.

#include <gtest/gtest.h>

#include "images/dataset.h"
#include "preparation/convert.h"
#include "tests/image_files.h"
#include "tests/programs.h"

namespace pgad::test {

// Pictures are told apart by their one grey value; masks are drawn in lines of '.' and '#'.
inline void write(const std::string& path, int value, int height = 4, int width = 6) {
  fs::create_directories(fs::path(path).parent_path());
  write_png(path, {height, width, 1,
                   std::vector<float>(static_cast<std::size_t>(height * width), static_cast<float>(value) / 255)});
}
inline int value_of(const std::string& path) { return static_cast<int>(std::lround(255 * read_image(path).pixels[0])); }

inline void write_mask(const std::string& path, const std::vector<std::string>& lines, float mark = 1) {
  fs::create_directories(fs::path(path).parent_path());
  Image mask{static_cast<int>(lines.size()), static_cast<int>(lines[0].size()), 1, {}};
  for (const std::string& line : lines)
    for (const char c : line) mask.pixels.push_back(c == '#' ? mark : 0.0f);
  write_png(path, mask);
}
inline const std::vector<std::string> kBlack(4, "......"), kSpot = {"......", "..##..", "......", "......"};

inline std::vector<std::string> mask_lines(const std::string& path) {
  const Image mask = read_image(path);
  std::vector<std::string> lines(static_cast<std::size_t>(mask.height));
  for (std::size_t i = 0; i < mask.pixels.size(); ++i) {
    EXPECT_TRUE(mask.pixels[i] == 0 || mask.pixels[i] == 1) << mask.pixels[i];
    lines[i / static_cast<std::size_t>(mask.width)] += mask.pixels[i] > 0 ? '#' : '.';
  }
  return lines;
}

inline void write_text(const std::string& path, const std::string& text) {
  fs::create_directories(fs::path(path).parent_path());
  put(path, text);
}

// Every file below a folder with its bytes.
inline std::map<std::string, std::string> content(const std::string& root) {
  std::map<std::string, std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(root))
    if (entry.is_regular_file()) all[entry.path().lexically_relative(root).string()] = read_file(entry.path().string());
  return all;
}

using Counts = std::map<std::string, long>;

class Convert : public testing::Test {
 protected:
  Convert() {
    options_.source = in_ / "set";
    options_.out = dir_ / "out";
  }

  Converted convert() {
    const auto before = content(options_.source);
    Converted converted = convert_data(
        options_, [](long, long) {}, [] { return false; });
    EXPECT_EQ(content(options_.source), before) << "the source";
    return converted;
  }
  std::string failure() {
    return error_of([&] {
      convert_data(
          options_, [](long, long) {}, [] { return false; });
    });
  }
  std::string in(const std::string& name) const { return options_.source + "/" + name; }
  std::string out(const std::string& name) const { return options_.out + "/" + name; }

  // test image -> mask's path, as evaluation sees it.
  std::map<std::string, std::string> opened() const {
    DataConfig config;
    config.path = options_.out;
    std::map<std::string, std::string> masks;
    for (const Sample& s : Dataset::open(config, Purpose::kEvaluate).test) masks[s.name] = s.mask_path;
    return masks;
  }
  static bool noted(const Converted& converted, const std::string& text) {
    return std::ranges::any_of(converted.notes,
                               [&](const std::string& n) { return n.find(text) != std::string::npos; });
  }

  const TempDir in_, dir_;
  ConvertOptions options_;
};

inline void expect_in(const std::string& text, const Words& words) {
  for (const std::string& word : words) EXPECT_NE(text.find(word), std::string::npos) << word << " in: " << text;
}

}  // namespace pgad::test
