// Puzzles of digits.

#include "synthesis/ir_mnist.h"

#include <gtest/gtest.h>

#include "images/dataset.h"
#include "tests/programs.h"

namespace pgad::test {
namespace {

constexpr int kRows = 4, kCols = 3;

// Two drawings of each digit d: 20 d + 5 and 20 d + 6 in their middle, 0 around.
struct Digits {
  IdxImages images{"digits", 20, kRows, kCols, std::vector<std::uint8_t>(20 * kRows * kCols)};
  std::vector<std::uint8_t> labels;
  Digits() {
    for (int i = 0; i < 20; ++i) {
      images.pixels[static_cast<std::size_t>(i * kRows * kCols + kCols + 1)] =
          static_cast<std::uint8_t>(20 * (i / 2) + 5 + i % 2);
      labels.push_back(static_cast<std::uint8_t>(i / 2));
    }
  }
};

// The digit of each cell, told by its middle.
std::vector<int> cells(const Puzzle& p) {
  std::vector<int> digits;
  for (int y = 1; y < p.image.height; y += kRows)
    for (int x = 1; x < p.image.width; x += kCols)
      digits.push_back(
          static_cast<int>(std::lround(255 * p.image.pixels[static_cast<std::size_t>(y * p.image.width + x)])) / 20);
  return digits;
}

TEST(IrMnist, NormalPuzzlesHoldEveryDigitButTheAnomaly) {
  const Digits digits;
  PuzzleOptions options;
  options.grid = 5;
  const PuzzleMaker maker(options, digits.images, digits.labels);
  std::map<int, int> counts;
  for (std::uint64_t i = 0; i < 40; ++i) {
    const Puzzle p = maker.draw(i, false);
    EXPECT_TRUE(p.mask.empty());
    ASSERT_EQ(p.image.height, 20);
    ASSERT_EQ(p.image.width, 15);
    for (const int digit : cells(p)) ++counts[digit];
  }
  EXPECT_EQ(counts.size(), 9u);
  EXPECT_FALSE(counts.contains(3));
  for (const auto& [digit, count] : counts) EXPECT_NEAR(count, 1000 / 9.0, 40) << digit;
}

TEST(IrMnist, AbnormalPuzzlesHoldAFewAndTheMaskMarksThem) {
  const Digits digits;
  std::map<long, int> how_many;
  for (const bool strokes : {false, true}) {
    PuzzleOptions options;
    options.grid = 3;
    options.anomaly = 7;
    options.most_anomalies = 4;
    options.mark_strokes = strokes;
    const PuzzleMaker maker(options, digits.images, digits.labels);
    for (std::uint64_t i = 0; i < 60; ++i) {
      const Puzzle p = maker.draw(i, true);
      const std::vector<int> found = cells(p);
      const long count = std::ranges::count(found, 7);
      ++how_many[count];
      EXPECT_EQ(std::ranges::count(p.mask, 1), count * (strokes ? 1 : kRows * kCols));
      for (std::size_t cell = 0; cell < found.size(); ++cell)
        EXPECT_EQ(p.mask[(cell / 3 * kRows + 1) * 3 * kCols + cell % 3 * kCols + 1], found[cell] == 7);
    }
  }
  EXPECT_EQ(how_many.size(), 4u);
  for (const auto& [count, times] : how_many) {
    EXPECT_GE(count, 1);
    EXPECT_LE(count, 4);
    EXPECT_NEAR(times, 30, 20) << count;
  }
}

TEST(IrMnist, APuzzleIsAFunctionOfItsNumber) {
  const Digits digits;
  PuzzleOptions options;
  const PuzzleMaker maker(options, digits.images, digits.labels);
  EXPECT_EQ(maker.draw(5, true).image.pixels, maker.draw(5, true).image.pixels);
  EXPECT_NE(maker.draw(5, true).image.pixels, maker.draw(6, true).image.pixels);
  EXPECT_NE(maker.draw(5, true).image.pixels, maker.draw(5, false).image.pixels);
  options.seed = 2;
  EXPECT_NE(PuzzleMaker(options, digits.images, digits.labels).draw(5, true).image.pixels,
            maker.draw(5, true).image.pixels);
}

TEST(IrMnist, RefusesDigitsThatAreNone) {
  Digits digits;
  const auto said = [&](PuzzleOptions options = {}) {
    return error_of([&] { PuzzleMaker(options, digits.images, digits.labels); });
  };
  digits.labels[4] = 10;
  EXPECT_EQ(said(), "'digits': label 10, expected a digit, 0 to 9");
  digits.labels.assign(20, 3);
  EXPECT_EQ(said(), "'digits' holds nothing but 3s");
  digits.labels.assign(20, 4);
  EXPECT_EQ(said(), "'digits' holds no 3");
  digits.labels.pop_back();
  EXPECT_EQ(said(), "'digits' holds 20 images, but there are 19 labels");
}

TEST(IrMnist, AsAProgram) {
  const TempDir dir;
  const auto data = [](const Words& words) {
    return run_process(Words{std::string(PGAD_BINARY_DIR) + "/apps/pgad_data", "make-ir-mnist"} + words);
  };
  // The same digits as those of training and of the test.
  const std::string subset = std::string(PGAD_SOURCE_DIR) + "/data/mnist-subset/", mnist = dir / "mnist";
  fs::create_directory(mnist);
  for (const char* part : {"train", "t10k"})
    for (const char* file : {"-images-idx3-ubyte.gz", "-labels-idx1-ubyte.gz"})
      fs::create_symlink(subset + "train" + file, mnist + "/" + part + file);
  const Words options = {"--mnist", mnist, "--grid",          "2", "--train",          "5", "--known", "2",
                         "--test",  "3",   "--test-abnormal", "4", "--most-anomalies", "2"};
  ASSERT_TRUE(ended(data(options + Words{"--out", dir / "a", "--threads", "2"}), 0, {"14 puzzles of 56x56"}));
  ASSERT_TRUE(ended(data(options + Words{"--out", dir / "b", "--threads", "1"}), 0));
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(dir / "a")) {
    if (!entry.is_regular_file()) continue;
    ++files;
    EXPECT_EQ(read_file(entry.path().string()),
              read_file((fs::path(dir / "b") / entry.path().lexically_relative(dir / "a")).string()));
  }
  EXPECT_EQ(files, 14 + 6 + 1);
  DataConfig config;
  config.path = dir / "a";
  config.calibration_fraction = 0;
  const Dataset set = Dataset::open(config);
  EXPECT_EQ(set.train_normal.size(), 5u);
  EXPECT_EQ(set.train_abnormal.size(), 2u);
  EXPECT_EQ(set.test.size(), 7u);
  for (const Sample& s : set.test) EXPECT_EQ(s.mask_path.empty(), !s.anomalous);
  // Where the anomalies are and what stands around them is not the same in training and test.
  for (const char* name : {"0", "1"}) {
    const auto file = [&](const std::string& of) {
      for (const auto& entry : fs::recursive_directory_iterator(dir / "a"))
        if (entry.path().string().find(of) != std::string::npos) return read_file(entry.path().string());
      return of + " is missing";
    };
    EXPECT_NE(file(str("train/abnormal/digit_3_0000", name)), file(str("test/digit_3/0000", name)));
  }
  EXPECT_TRUE(refused(data({"--mnist", subset, "--out", dir / "c"}), 1,
                      {"has no t10k-images-idx3-ubyte", "scripts/get_data.sh"}));
  EXPECT_TRUE(refused(data({"--mnist", mnist, "--grid", "2", "--most-anomalies", "5", "--out", dir / "c"}), 2,
                      {"--most-anomalies 5: a puzzle has 4 cells"}));
  EXPECT_TRUE(refused(data(options + Words{"--out", dir / "a"}), 2, {"expected a new or an empty folder"}));
}

}  // namespace
}  // namespace pgad::test
