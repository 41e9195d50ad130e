// Layouts, splits, and the data sets that must be refused.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "engine/check.h"
#include "engine/rng.h"
#include "images/atomic_file.h"
#include "images/dataset.h"
#include "tests/temp_dir.h"

namespace pgad::test {
namespace {

namespace fs = std::filesystem;

void touch(const std::string& path) {
  ensure_directory(fs::path(path).parent_path().string());
  put(path, "x");
}

std::string header(std::uint32_t magic, const std::vector<std::uint32_t>& dims) {
  std::string out;
  const auto put = [&](std::uint32_t v) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(v >> shift);
  };
  put(magic);
  for (const std::uint32_t d : dims) put(d);
  return out;
}

// `labels` 2x2 images; image i holds the byte i everywhere.
void write_idx(const std::string& dir, const std::string& name, const std::vector<int>& labels,
               std::uint32_t side = 2) {
  std::string images = header(0x803, {static_cast<std::uint32_t>(labels.size()), side, side});
  std::string bytes = header(0x801, {static_cast<std::uint32_t>(labels.size())});
  for (std::size_t i = 0; i < labels.size(); ++i) {
    images += std::string(side * side, static_cast<char>(i));
    bytes += static_cast<char>(labels[i]);
  }
  put(dir + "/" + name + "-images-idx3-ubyte", images);
  put(dir + "/" + name + "-labels-idx1-ubyte", bytes);
}

DataConfig config_for(const std::string& path, const std::string& normal_class = "") {
  DataConfig config;
  config.path = path;
  config.normal_class = normal_class;
  return config;
}

std::string open_error(const DataConfig& config, Purpose purpose = Purpose::kTrain) {
  return error_of([&] { Dataset::open(config, purpose); });
}

void expect_open_error(const DataConfig& config, const std::string& message, Purpose purpose = Purpose::kTrain) {
  const std::string error = open_error(config, purpose);
  EXPECT_NE(error.find(message), std::string::npos) << "expected '" << message << "' in: " << error;
}

std::vector<std::string> names(const std::vector<Sample>& samples) {
  std::vector<std::string> out;
  for (const Sample& s : samples) out.push_back(s.name);
  return out;
}

std::vector<std::string> all_names(const Dataset& data) {
  std::vector<std::string> out;
  for (const auto* list :
       {&data.train_normal, &data.train_abnormal, &data.calibration_normal, &data.calibration_abnormal, &data.test}) {
    for (const Sample& s : *list) out.push_back(s.name);
  }
  return out;
}

TEST(DataShuffle, KnownNumbers) {
  SplitMix64 random(0);
  EXPECT_EQ(random.next(), 0xe220a8397b1dcdafu);
  EXPECT_EQ(random.next(), 0x6e789e6aa1b965f4u);
  EXPECT_EQ(random.next(), 0x06c45d188009454fu);
  // Frozen: splits of earlier runs must come out the same for ever.
  std::vector<int> items = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  SplitMix64 one(1);
  shuffle(items, one);
  EXPECT_EQ(items, (std::vector<int>{4, 2, 8, 1, 9, 3, 0, 6, 7, 5}));
}

TEST(DataShuffle, BelowIsUniform) {
  SplitMix64 random(3);
  std::vector<int> count(7);
  for (int i = 0; i < 70000; ++i) ++count[random.below(7)];
  for (const int c : count) EXPECT_NEAR(c, 10000, 400);
  EXPECT_EQ(random.below(1), 0u);
}

// 20 of each of the digits 0..9 in train, 10 of each in t10k.
class DataIdxSet : public ::testing::Test {
 protected:
  DataIdxSet() {
    std::vector<int> labels;
    for (int i = 0; i < 200; ++i) labels.push_back((i * 7) % 10);
    write_idx(dir_.path(), "train", labels);
    labels.resize(100);
    write_idx(dir_.path(), "t10k", labels);
  }
  TempDir dir_;
};

TEST_F(DataIdxSet, PooledSplitByFractions) {
  DataConfig config = config_for(dir_.path(), "8");
  const Dataset data = Dataset::open(config);
  EXPECT_EQ(data.layout, Layout::kIdx);
  // 30 of each digit: 21 normals train, of which 2 calibrate; 3 of each other digit, 27, of which 3
  // calibrate.
  EXPECT_EQ(data.train_normal.size(), 19u);
  EXPECT_EQ(data.calibration_normal.size(), 2u);
  EXPECT_EQ(data.train_abnormal.size(), 24u);
  EXPECT_EQ(data.calibration_abnormal.size(), 3u);
  EXPECT_EQ(data.test.size(), 9u + 9 * 27u);
  const std::vector<std::string> all = all_names(data);
  EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 300u);  // disjoint, complete, unique
  for (const Sample& s : data.train_normal) EXPECT_TRUE(s.group == "8" && !s.anomalous);
  for (const Sample& s : data.calibration_normal) EXPECT_TRUE(s.group == "8" && !s.anomalous);
  for (const Sample& s : data.train_abnormal) EXPECT_TRUE(s.group != "8" && s.anomalous);
  std::map<std::string, int> tested;
  for (const Sample& s : data.test) {
    EXPECT_EQ(s.anomalous, s.group != "8");
    ++tested[s.group];
  }
  for (const auto& [group, count] : tested) EXPECT_EQ(count, group == "8" ? 9 : 27) << group;
  EXPECT_TRUE(data.preprocessing(32, 1, DataConfig()).pad_small);
  EXPECT_EQ(std::string(layout_name(data.layout)), "idx");
}

TEST_F(DataIdxSet, LoadsTheRightImage) {
  const Dataset data = Dataset::open(config_for(dir_.path(), "8"));
  for (const Sample& s : data.test) {
    EXPECT_EQ(s.name.substr(s.name.find(':') + 1), std::to_string(s.index));
    EXPECT_EQ(s.name.substr(0, s.name.find('-')), s.path.find("t10k") == std::string::npos ? "train" : "t10k");
    ASSERT_EQ(data.load(s).pixels[3], static_cast<float>(s.index) / 255.0f);
    ASSERT_EQ(std::to_string(s.index * 7 % 10), s.group);
  }
}

TEST_F(DataIdxSet, SeedDecidesTheSplit) {
  DataConfig config = config_for(dir_.path(), "3");
  const Dataset a = Dataset::open(config), b = Dataset::open(config);
  EXPECT_EQ(all_names(a), all_names(b));
  config.split_seed = 2;
  const Dataset c = Dataset::open(config);
  EXPECT_NE(names(a.train_normal), names(c.train_normal));
  EXPECT_NE(names(a.train_abnormal), names(c.train_abnormal));
  // What other classes give does not depend on which class is normal.
  config.split_seed = 1;
  config.normal_class = "4";
  config.calibration_fraction = 0;
  const Dataset d = Dataset::open(config);
  config.normal_class = "3";
  const Dataset e = Dataset::open(config);
  const auto of_class = [](const Dataset& data, const std::string& group) {
    std::vector<std::string> out;
    for (const Sample& s : data.train_abnormal) {
      if (s.group == group) out.push_back(s.name);
    }
    return out;
  };
  EXPECT_EQ(of_class(d, "9"), of_class(e, "9"));
  EXPECT_EQ(of_class(d, "9").size(), 3u);
}

TEST_F(DataIdxSet, CalibrationSizes) {
  DataConfig config = config_for(dir_.path(), "8");
  config.calibration_fraction = 0;
  EXPECT_TRUE(Dataset::open(config).calibration_normal.empty());
  EXPECT_EQ(Dataset::open(config).train_normal.size(), 21u);
  config.calibration_fraction = 1e-9;  // at least one, and two of six known ones or more
  EXPECT_EQ(Dataset::open(config).calibration_normal.size(), 1u);
  EXPECT_EQ(Dataset::open(config).calibration_abnormal.size(), 2u);
  config.known_class = "1,2";
  EXPECT_EQ(Dataset::open(config).train_abnormal.size(), 4u);
  EXPECT_EQ(Dataset::open(config).calibration_abnormal.size(), 2u);
  config.known_class = "1";
  EXPECT_EQ(Dataset::open(config).train_abnormal.size(), 2u);
  EXPECT_EQ(Dataset::open(config).calibration_abnormal.size(), 1u);
  config.known_class.clear();
  config.calibration_fraction = 0.999;  // at least one left to train on
  EXPECT_EQ(Dataset::open(config).train_normal.size(), 1u);
  config.calibration_images = 5;
  EXPECT_EQ(Dataset::open(config).calibration_normal.size(), 5u);
  EXPECT_EQ(Dataset::open(config).train_normal.size(), 16u);
  config.abnormal_fraction = 0;
  EXPECT_TRUE(Dataset::open(config).train_abnormal.empty());
  EXPECT_TRUE(Dataset::open(config).calibration_abnormal.empty());
  config.calibration_images = 0;
  EXPECT_TRUE(Dataset::open(config).calibration_normal.empty());
}

TEST_F(DataIdxSet, SeveralNormalClasses) {
  const Dataset data = Dataset::open(config_for(dir_.path(), "8, 1"));
  EXPECT_EQ(data.train_normal.size() + data.calibration_normal.size(), 42u);
}

TEST_F(DataIdxSet, KnownClassesAloneGiveKnownAbnormals) {
  DataConfig config = config_for(dir_.path(), "8");
  config.calibration_fraction = 0;
  const Dataset all = Dataset::open(config);
  config.known_class = "0, 3";
  const Dataset some = Dataset::open(config);
  const auto of = [](const std::vector<Sample>& samples, const std::string& group) {
    std::vector<std::string> names;
    for (const Sample& s : samples)
      if (s.group == group) names.push_back(s.name);
    return names;
  };
  EXPECT_EQ(some.train_normal.size(), all.train_normal.size());
  for (int digit = 0; digit < 10; ++digit) {
    const std::string group = std::to_string(digit);
    if (group == "8") continue;
    const bool known = group == "0" || group == "3";
    EXPECT_EQ(of(some.train_abnormal, group), known ? of(all.train_abnormal, group) : std::vector<std::string>())
        << digit;
    EXPECT_EQ(of(some.test, group).size(),
              of(all.test, group).size() + (known ? 0 : of(all.train_abnormal, group).size()))
        << digit;
  }
  config.known_class = "10";
  expect_open_error(config, "usage: known_class '10' is not in");
  config.known_class = "8";
  expect_open_error(config, "usage: known_class '8' is a normal class");
}

TEST_F(DataIdxSet, BadOptions) {
  expect_open_error(config_for(dir_.path()), "usage: '");
  expect_open_error(config_for(dir_.path()), "normal_class must say which is normal");
  expect_open_error(config_for(dir_.path(), "10"), "usage: normal_class '10' is not in");
  expect_open_error(config_for(dir_.path(), "10"), "classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9");
  expect_open_error(config_for(dir_.path(), "eight"), "normal_class 'eight' is not in");
  expect_open_error(config_for(dir_.path(), "8,"), "has an empty name");
  expect_open_error(config_for(dir_.path(), "8,8"), "names '8' twice");
  const auto with = [&](double normal, double abnormal, double calibration, int images) {
    DataConfig config = config_for(dir_.path(), "8");
    config.normal_fraction = normal;
    config.abnormal_fraction = abnormal;
    config.calibration_fraction = calibration;
    config.calibration_images = images;
    return config;
  };
  expect_open_error(with(-0.1, 0.1, 0.1, 1), "usage: normal_fraction -0.1 is not in (0, 1]");
  expect_open_error(with(0, 0.1, 0.1, 1), "usage: normal_fraction 0 ");
  expect_open_error(with(1.5, 0.1, 0.1, 1), "usage: normal_fraction 1.5 ");
  expect_open_error(with(NAN, 0.1, 0.1, 1), "usage: normal_fraction nan ");
  expect_open_error(with(0.7, -1, 0.1, 1), "usage: abnormal_fraction -1 is not in [0, 1]");
  expect_open_error(with(0.7, 1.01, 0.1, 1), "usage: abnormal_fraction 1.01 ");
  expect_open_error(with(0.7, 0.1, -0.1, 1), "usage: calibration_fraction -0.1 is not in [0, 1)");
  expect_open_error(with(0.7, 0.1, 1, 1), "usage: calibration_fraction 1 ");
  expect_open_error(with(0.7, 0.1, 0.1, -1), "usage: calibration_images -1 ");
  expect_open_error(with(0.01, 0.1, 0.1, 1), "no normal images to train on: normal_fraction 0.01");
  // Nothing left to test on, of one kind or the other.
  expect_open_error(with(1, 0.1, 0.1, 1), "has no normal images", Purpose::kEvaluate);
  expect_open_error(with(0.7, 1, 0.1, 1), "has no anomalous images", Purpose::kEvaluate);
  expect_open_error(with(1, 1, 0.1, 1), "has no images", Purpose::kEvaluate);
  EXPECT_EQ(open_error(with(1, 1, 0.1, 1)), "no error");
}

TEST(DataDataset, BadIdxFolders) {
  TempDir dir;
  write_idx(dir.path(), "train", {8, 8, 8});
  // One class alone can train, but not be evaluated.
  EXPECT_EQ(open_error(config_for(dir.path(), "8")), "no error");
  expect_open_error(config_for(dir.path(), "8"), "has no anomalous images", Purpose::kEvaluate);
  expect_open_error(config_for(dir.path(), "1"), "normal_class '1' is not in");
  put(dir / "train-labels-idx1-ubyte", header(0x801, {2}) + "ab");
  expect_open_error(config_for(dir.path(), "8"), "holds 3 images, but '");
  fs::remove(dir / "train-labels-idx1-ubyte");
  expect_open_error(config_for(dir.path(), "8"), "has no labels");
  write_idx(dir.path(), "train", {8, 8, 8});
  write_idx(dir.path(), "t10k", {8, 1}, 3);
  expect_open_error(config_for(dir.path(), "8"), "images of 3x3, but '");
  fs::remove(dir / "t10k-images-idx3-ubyte");
  write_idx(dir.path(), "train", {});
  expect_open_error(config_for(dir.path(), "8"), "hold no image");
}

TEST(DataDataset, Inspection) {
  TempDir dir;
  for (const char* name : {"b.png", "a.PNG", "c.jpeg", "d.JPG", "notes.txt", ".hidden.png", "sub/e.png"}) {
    touch(dir / (str("train/good/", name)));
  }
  for (const char* name : {"train/abnormal/x.png", "train/abnormal/y.png", "train/odd/z.png", "test/good/1.png",
                           "test/scratch/1.png", "test/scratch/2.png", "test/dent/1.jpg",
                           "ground_truth/scratch/1_mask.png", "ground_truth/dent/1.png", "license.txt"}) {
    touch(dir / name);
  }
  const Dataset data = Dataset::open(config_for(dir.path()), Purpose::kEvaluate);
  EXPECT_EQ(data.layout, Layout::kInspection);
  EXPECT_FALSE(data.preprocessing(32, 1, DataConfig()).pad_small);
  std::vector<std::string> good = names(data.train_normal);
  EXPECT_EQ(good.size(), 4u);
  EXPECT_TRUE(std::is_sorted(good.begin(), good.end()));
  ASSERT_EQ(data.calibration_normal.size(), 1u);
  good.push_back(data.calibration_normal[0].name);
  std::sort(good.begin(), good.end());
  EXPECT_EQ(good, (std::vector<std::string>{"train/good/a.PNG", "train/good/b.png", "train/good/c.jpeg",
                                            "train/good/d.JPG", "train/good/sub/e.png"}));
  EXPECT_EQ(data.train_abnormal.size(), 1u);
  EXPECT_EQ(data.calibration_abnormal.size(), 1u);
  EXPECT_EQ(names(data.test), (std::vector<std::string>{"test/dent/1.jpg", "test/good/1.png", "test/scratch/1.png",
                                                        "test/scratch/2.png"}));
  EXPECT_EQ(data.test[0].mask_path, dir / "ground_truth/dent/1.png");
  EXPECT_EQ(data.test[0].group, "dent");
  EXPECT_TRUE(data.test[0].anomalous);
  EXPECT_FALSE(data.test[1].anomalous);
  EXPECT_EQ(data.test[1].mask_path, "");
  EXPECT_EQ(data.test[2].mask_path, dir / "ground_truth/scratch/1_mask.png");
  EXPECT_EQ(data.test[3].mask_path, "");
  ASSERT_EQ(data.notes.size(), 3u);
  EXPECT_EQ(data.notes[0], "1 of 2 images in 'test/scratch' have no mask in ground_truth/scratch");
  EXPECT_NE(data.notes[1].find("train/odd"), std::string::npos);
  EXPECT_NE(data.notes[2].find("not read"), std::string::npos);
  EXPECT_EQ(data.left_out.files_text(), "1 .txt");
  expect_open_error(config_for(dir.path(), "8"), "usage: normal_class '8' has no meaning");
}

TEST(DataDataset, WhatLiesInCalibrationIsAllThatCalibrates) {
  TempDir dir;
  for (const char* name :
       {"train/good/a.png", "train/good/b.png", "train/good/c.png", "calibration/good/d.png", "calibration/good/e.png",
        "train/abnormal/x.png", "train/abnormal/y.png", "test/good/1.png", "test/dent/1.png"})
    touch(dir / name);
  const Dataset drawn = Dataset::open(config_for(dir.path()));
  EXPECT_EQ(names(drawn.train_normal).size(), 3u);
  EXPECT_EQ(names(drawn.calibration_normal),
            (std::vector<std::string>{"calibration/good/d.png", "calibration/good/e.png"}));
  EXPECT_EQ(drawn.calibration_abnormal.size(), 1u);  // of train/abnormal, since there are none of its own
  for (const char* name : {"calibration/abnormal/z.png", "ground_truth/abnormal/z_mask.png",
                           "ground_truth/abnormal/x.png", "ground_truth/abnormal/y.png"})
    touch(dir / name);
  const Dataset given = Dataset::open(config_for(dir.path()));
  EXPECT_EQ(names(given.train_abnormal).size(), 2u);
  EXPECT_EQ(names(given.calibration_abnormal), std::vector<std::string>{"calibration/abnormal/z.png"});
  EXPECT_EQ(given.calibration_abnormal[0].mask_path, dir / "ground_truth/abnormal/z_mask.png");
  // A run that is gone on with finds all of them again.
  const Dataset again = Dataset::open(config_for(dir.path()), Purpose::kTrain, &given.split);
  EXPECT_EQ(names(again.calibration_normal), names(given.calibration_normal));
  EXPECT_EQ(names(again.calibration_abnormal), names(given.calibration_abnormal));
  EXPECT_EQ(names(again.train_normal), names(given.train_normal));
  EXPECT_TRUE(again.notes.empty()) << again.notes[0];
}

TEST(DataDataset, MasksInAnyFormatAndCase) {
  TempDir dir;
  for (const char* name : {"train/good/a.png",
                           "test/good/a.png",
                           "test/s/1.jpg",
                           "test/s/2.png",
                           "test/s/3.png",
                           "test/s/4.bmp",
                           "test/s/5.png",
                           "test/s/6.png",
                           "test/s/sub/7.png",
                           "test/s/8.png",
                           "ground_truth/s/1_mask.PNG",
                           "ground_truth/s/2.JPG",
                           "ground_truth/s/3_mask.tif",
                           "ground_truth/s/4.bmp",
                           "ground_truth/s/5_mask.png",
                           "ground_truth/s/5_mask.jpg",
                           "ground_truth/s/5_mask.bmp",
                           "ground_truth/s/5.png",
                           "ground_truth/s/6_MASK.png",
                           "ground_truth/s/sub/7_mask.png",
                           "ground_truth/s/8_mask.txt"}) {
    touch(dir / name);
  }
  const Dataset data = Dataset::open(config_for(dir.path()), Purpose::kEvaluate);
  std::vector<std::string> masks;
  for (const Sample& s : data.test) {
    if (s.anomalous) masks.push_back(s.mask_path.empty() ? "" : fs::relative(s.mask_path, dir / "ground_truth/s"));
  }
  EXPECT_EQ(masks, (std::vector<std::string>{"1_mask.PNG", "2.JPG", "3_mask.tif", "4.bmp", "5_mask.png", "6_MASK.png",
                                             "", "sub/7_mask.png"}));
}

TEST(DataDataset, InspectionWithSomethingMissing) {
  TempDir dir;
  touch(dir / "train/good/a.png");
  touch(dir / "train/good/b.png");
  EXPECT_EQ(open_error(config_for(dir.path())), "no error");  // no test folder: enough to train
  expect_open_error(config_for(dir.path()), "has no images; expected test/good", Purpose::kEvaluate);
  touch(dir / "test/good/a.png");
  expect_open_error(config_for(dir.path()), "has no anomalous images", Purpose::kEvaluate);
  touch(dir / "test/dent/a.png");
  EXPECT_EQ(open_error(config_for(dir.path()), Purpose::kEvaluate), "no error");
  fs::remove(dir / "test/good/a.png");
  expect_open_error(config_for(dir.path()), "has no normal images", Purpose::kEvaluate);
  touch(dir / "test/good/a.png");
  fs::remove_all(dir / "train/good");
  fs::create_directories(dir / "train/good");
  expect_open_error(config_for(dir.path()), "train/good' is empty");
  fs::remove_all(dir / "train");
  expect_open_error(config_for(dir.path()), "train/good' does not exist");
  EXPECT_EQ(open_error(config_for(dir.path()), Purpose::kEvaluate), "no error");
  fs::remove_all(dir / "test");
  touch(dir / "train/abnormal/a.png");
  expect_open_error(config_for(dir.path()), "train/good' does not exist");
}

// Folders that someone has made but not filled are not taken for something else.
TEST(DataDataset, EmptyFoldersAreNamed) {
  TempDir dir;
  touch(dir / "a/train/good/notes.txt");
  touch(dir / "a/test/scratch/1.png");
  expect_open_error(config_for(dir / "a"), "a/train/good' holds no image (.png, .jpg, .jpeg, ");
  fs::remove_all(dir / "a/train/good");
  put(dir / "a/train/good", "x");
  expect_open_error(config_for(dir / "a"), "a/train/good' is a file, expected a folder");
  fs::remove(dir / "a/train/good");  // train is empty, and only test holds images
  expect_open_error(config_for(dir / "a"), "a/train/good' does not exist");
  fs::remove(dir / "a/train");
  expect_open_error(config_for(dir / "a"), "a/train/good' does not exist");
  expect_open_error(config_for(dir / "a"), "has no normal images; expected test/good", Purpose::kEvaluate);
  touch(dir / "a/other/1.png");  // may be classes
  expect_open_error(config_for(dir / "a"), "classes: other, test");

  fs::create_directories(dir / "b/good");  // the folder within an inspection folder, say
  touch(dir / "b/abnormal/1.png");
  expect_open_error(config_for(dir / "b"), "classes: abnormal; folders without images: good");
  expect_open_error(config_for(dir / "b", "good"), "normal_class 'good' is not in");
  expect_open_error(config_for(dir / "b", "good"), "folders without images: good");

  touch(dir / "c/train/1.png");  // images in train itself: classes after all
  touch(dir / "c/test/1.png");
  expect_open_error(config_for(dir / "c"), "classes: test, train");
}

TEST(DataDataset, ClassFolders) {
  TempDir dir;
  for (const char* category : {"001.ak47", "002.american-flag", "257.clutter"}) {
    for (int i = 0; i < 20; ++i) touch(dir / str(category, "/", category, "_", 100 + i, ".jpg"));
  }
  fs::create_directories(dir / "empty");
  DataConfig config = config_for(dir.path(), "257.clutter,001.ak47");
  config.normal_fraction = 0.5;
  config.abnormal_fraction = 0.25;
  config.calibration_fraction = 0;
  const Dataset data = Dataset::open(config, Purpose::kEvaluate);
  EXPECT_EQ(data.layout, Layout::kClasses);
  EXPECT_EQ(data.train_normal.size(), 20u);
  EXPECT_EQ(data.train_abnormal.size(), 5u);
  EXPECT_EQ(data.test.size(), 35u);
  EXPECT_EQ(data.train_abnormal[0].group, "002.american-flag");
  EXPECT_TRUE(data.train_abnormal[0].name.starts_with("002.american-flag/002.american-flag_1"));
  expect_open_error(config_for(dir.path()), "usage: '");
  expect_open_error(config_for(dir.path()), "classes: 001.ak47, 002.american-flag, 257.clutter");
  expect_open_error(config_for(dir.path(), "003.backpack"), "normal_class '003.backpack' is not in");
  expect_open_error(config_for(dir.path(), "empty"), "normal_class 'empty' is not in");
}

TEST(DataDataset, Flat) {
  TempDir dir;
  for (const char* name : {"b.png", "a.jpg", "c.txt", "Z.png", ".x.png"}) touch(dir / name);
  DataConfig config = config_for(dir.path());
  config.calibration_fraction = 0;
  const Dataset data = Dataset::open(config);
  EXPECT_EQ(data.layout, Layout::kFlat);
  EXPECT_EQ(names(data.train_normal), (std::vector<std::string>{"Z.png", "a.jpg", "b.png"}));  // bytewise
  EXPECT_TRUE(data.test.empty());
  expect_open_error(config, "a flat folder has no labels", Purpose::kEvaluate);
  expect_open_error(config_for(dir.path(), "8"), "which is a flat folder");
  touch(dir / "more/d.png");
  const Dataset more = Dataset::open(config);
  EXPECT_EQ(more.notes.at(0), "subfolders not used: more");
  EXPECT_EQ(more.left_out.files_text(), "1 .txt");
}

TEST(DataDataset, BadPaths) {
  TempDir dir;
  expect_open_error(config_for(""), "usage: no data path");
  expect_open_error(config_for(dir / "none"), "none' does not exist");
  expect_open_error(config_for(dir.path()), "no images (.png, .jpg, .jpeg");
  touch(dir / "readme.txt");
  touch(dir / "sub/readme.txt");
  expect_open_error(config_for(dir.path()), "no images (.png, .jpg, .jpeg");
  expect_open_error(config_for(dir / "readme.txt"), "is a file, expected a folder");
}

TEST(DataDataset, LinkToAParentDoesNotRecurseForEver) {
  TempDir dir;
  touch(dir / "a/b/x.png");
  fs::create_directory_symlink("..", dir / "a/b/loop");
  EXPECT_EQ(list_inputs({dir.path()}).size(), 1u);
  fs::create_symlink("gone.png", dir / "a/dangling.png");
  EXPECT_EQ(names(list_inputs({dir.path()})), (std::vector<std::string>{"a/b/x.png", "a/dangling.png"}));
}

TEST(DataInputs, FilesFoldersAndIdx) {
  TempDir dir;
  touch(dir / "folder/b.png");
  touch(dir / "folder/sub/a.jpg");
  touch(dir / "folder/text.txt");
  touch(dir / "single");
  fs::create_directory(dir / "idx");
  write_idx(dir / "idx", "t10k", {1, 2, 3});
  EXPECT_EQ(names(list_inputs({dir / "folder"})), (std::vector<std::string>{"b.png", "sub/a.jpg"}));
  EXPECT_EQ(names(list_inputs({dir / "idx"})),
            (std::vector<std::string>{"t10k-images:0", "t10k-images:1", "t10k-images:2"}));
  const std::string idx = dir / "idx/t10k-images-idx3-ubyte";
  const std::vector<Sample> samples =
      list_inputs({dir / "folder", dir / "single", idx, dir / "folder/b.png", dir / "idx"});
  EXPECT_EQ(names(samples), (std::vector<std::string>{dir / "folder/b.png", dir / "folder/sub/a.jpg", dir / "single",
                                                      idx + ":0", idx + ":1", idx + ":2"}));
  EXPECT_EQ(ImageSource().load(samples.back()).pixels, std::vector<float>(4, 2 / 255.0f));
  EXPECT_THROW(ImageSource().load(samples.front()), Error);
}

TEST(DataInputs, BadInputs) {
  TempDir dir;
  EXPECT_NE(error_of([] { list_inputs({}); }).find("usage: no input"), std::string::npos);
  EXPECT_NE(error_of([&] { list_inputs({dir / "none.png"}); }).find("none.png' does not exist"), std::string::npos);
  EXPECT_NE(error_of([&] { list_inputs({dir.path()}); }).find("no images"), std::string::npos);
  write_idx(dir.path(), "train", {});
  EXPECT_NE(error_of([&] { list_inputs({dir.path()}); }).find("hold no image"), std::string::npos);
}

// The data set that comes with the repository.
TEST(DataDataset, BundledMnistSubset) {
  const Dataset data = Dataset::open(config_for(PGAD_SOURCE_DIR "/data/mnist-subset", "8"), Purpose::kEvaluate);
  EXPECT_EQ(data.train_normal.size() + data.calibration_normal.size(), 4778u);  // 70 % of 6825
  EXPECT_EQ(data.train_abnormal.size() + data.calibration_abnormal.size(), 900u);
  EXPECT_EQ(data.test.size(), 15825u - 4778 - 900);
  EXPECT_EQ(data.load(data.test[0]).height, 28);
}

}  // namespace
}  // namespace pgad::test
