// pgad_data split: who trains, who is known, who tests.

#include "preparation/divide.h"

#include <gtest/gtest.h>

#include "engine/rng.h"
#include "images/dataset.h"
#include "tests/programs.h"

namespace pgad::test {
namespace {

// A picture that is told from others by its one grey value.
void write(const std::string& path, int value) {
  fs::create_directories(fs::path(path).parent_path());
  write_png(path, {8, 8, 1, std::vector<float>(64, static_cast<float>(value) / 255)});
}
int value_of(const std::string& path) { return static_cast<int>(std::lround(255 * read_image(path).pixels[0])); }

// Everything below a folder: path -> value.
std::map<std::string, int> content(const std::string& root) {
  std::map<std::string, int> all;
  for (const auto& entry : fs::recursive_directory_iterator(root))
    if (entry.is_regular_file() && entry.path().extension() == ".png")
      all[entry.path().lexically_relative(root).string()] = value_of(entry.path().string());
  return all;
}

std::set<int> values(const std::map<std::string, int>& all, const std::string& folder) {
  std::set<int> found;
  for (const auto& [path, value] : all)
    if (path.starts_with(folder + "/")) {
      EXPECT_TRUE(found.insert(value).second) << path;
    }
  return found;
}

Divided divide(const DivideOptions& options) {
  return divide_data(
      options, [](long, long) {}, [] { return false; });
}

// 20 good (values 0 on), 10 cracks (100 on), 5 pits (150 on); masks have the values of their images.
class Divide : public testing::Test {
 protected:
  Divide() {
    for (int i = 0; i < 12; ++i) write(dir_ / str("in/train/good/", i, ".png"), i);
    for (int i = 0; i < 8; ++i) write(dir_ / str("in/test/good/", i, ".png"), 12 + i);  // names that are taken
    for (int i = 0; i < 8; ++i) defect("crack", str(i), 100 + i);
    for (int i = 0; i < 5; ++i) defect("pit", str(i), 150 + i);
    for (int i = 0; i < 2; ++i) {
      write(dir_ / str("in/train/abnormal/crack_", i, ".png"), 108 + i);
      write(dir_ / str("in/ground_truth/abnormal/crack_", i, "_mask.png"), 108 + i);
    }
    options_.data.path = dir_ / "in";
    options_.out = dir_ / "out";
  }
  void defect(const std::string& kind, const std::string& name, int value) {
    write(dir_ / ("in/test/" + kind + "/" + name + ".png"), value);
    write(dir_ / ("in/ground_truth/" + kind + "/" + name + "_mask.png"), value);
  }

  const TempDir dir_;
  DivideOptions options_;
};

TEST_F(Divide, IntoTrainingKnownAndTest) {
  const auto before = content(dir_ / "in");
  options_.known_share = 0.2;
  const Divided divided = divide(options_);
  EXPECT_EQ(content(dir_ / "in"), before) << "the source";
  EXPECT_EQ(divided.images,
            (std::map<std::string, long>{
                {"train/good", 16}, {"train/abnormal", 3}, {"test/good", 4}, {"test/crack", 8}, {"test/pit", 4}}));
  EXPECT_EQ(divided.masks, 15);
  const auto all = content(dir_ / "out");
  std::set<int> good = values(all, "train/good"), known = values(all, "train/abnormal");
  EXPECT_EQ(good.size(), 16u);
  good.merge(values(all, "test/good"));
  EXPECT_EQ(good.size(), 20u) << "each is used once";
  known.merge(values(all, "test/crack"));
  known.merge(values(all, "test/pit"));
  EXPECT_EQ(known.size(), 15u);
  EXPECT_EQ(*known.begin(), 100);
  // Each with its own mask, and nothing but links.
  DataConfig config;
  config.path = dir_ / "out";
  config.calibration_fraction = 0;
  const Dataset data = Dataset::open(config);
  EXPECT_EQ(data.test.size(), 16u);
  for (const auto* list : {&data.test, &data.train_abnormal})
    for (const Sample& s : *list) {
      EXPECT_TRUE(fs::is_symlink(s.path));
      if (s.anomalous) {
        ASSERT_FALSE(s.mask_path.empty()) << s.path;
        EXPECT_EQ(value_of(s.mask_path), value_of(s.path));
      }
    }
  for (const Sample& s : data.train_abnormal)
    EXPECT_TRUE(fs::path(s.name).filename().string().starts_with(value_of(s.path) < 150 ? "crack_" : "pit_")) << s.name;
}

TEST_F(Divide, BySeedAlone) {
  divide(options_);
  const auto first = content(options_.out);
  options_.out = dir_ / "same";
  options_.copy = true;
  divide(options_);
  EXPECT_EQ(content(options_.out), first);
  EXPECT_FALSE(fs::is_symlink(fs::path(options_.out) / "train/good" / fs::path(first.rbegin()->first).filename()));
  options_.out = dir_ / "other";
  options_.seed = 2;
  divide(options_);
  EXPECT_NE(values(content(options_.out), "train/good"), values(first, "train/good"));
}

TEST_F(Divide, WhatIsTestedDoesNotDependOnWhatIsKnown) {
  options_.known_each = 2;
  divide(options_);
  const auto all = content(options_.out);
  options_.known = {"pit"};
  options_.out = dir_ / "pits";
  const Divided divided = divide(options_);
  const auto pits = content(options_.out);
  for (const char* folder : {"test/good", "test/crack", "test/pit", "train/good"})
    EXPECT_EQ(values(pits, folder), values(all, folder)) << folder;
  EXPECT_EQ(values(pits, "train/abnormal").size(), 2u);
  EXPECT_GE(*values(pits, "train/abnormal").begin(), 150);
  options_.known = {"none"};
  options_.out = dir_ / "none";
  divide(options_);
  EXPECT_EQ(values(content(options_.out), "test/crack"), values(all, "test/crack"));
  EXPECT_FALSE(fs::exists(dir_ / "none/train/abnormal"));
  ASSERT_EQ(divided.notes.size(), 1u);
  EXPECT_NE(divided.notes[0].find("2 images of 'crack'"), std::string::npos) << divided.notes[0];
}

TEST_F(Divide, WithAValidationSetTheTrainingIsTheSame) {
  options_.validation_share = 0.25;
  const Divided divided = divide(options_);
  const auto val = content(dir_ / "out/val"), test = content(dir_ / "out/test");
  EXPECT_EQ(values(val, "train/good"), values(test, "train/good"));
  EXPECT_EQ(values(val, "train/abnormal"), values(test, "train/abnormal"));
  for (const char* folder : {"test/good", "test/crack", "test/pit"}) {
    std::set<int> both = values(val, folder);
    const std::size_t count = both.size();
    EXPECT_GE(count, 1u);
    const std::set<int> tested = values(test, folder);
    both.insert(tested.begin(), tested.end());
    EXPECT_EQ(both.size(), count + tested.size()) << folder;
  }
  EXPECT_EQ(divided.images.at("val/test/crack"), 2);
  EXPECT_EQ(divided.images.at("test/test/crack"), 7);
}

TEST_F(Divide, ClassFolders) {
  for (int i = 0; i < 6; ++i) write(dir_ / str("classes/cat/", i, ".png"), i);
  for (int i = 0; i < 5; ++i) write(dir_ / str("classes/dog/", i, ".png"), 50 + i);
  for (int i = 0; i < 4; ++i) write(dir_ / str("classes/cow/sub/", i, ".png"), 100 + i);
  options_.data = {};
  options_.data.path = dir_ / "classes";
  options_.data.normal_class = "cat,dog";
  options_.train_share = 0.5;
  const Divided divided = divide(options_);
  EXPECT_EQ(divided.images.at("train/good"), 6);  // of 11
  EXPECT_EQ(divided.images.at("test/good"), 5);
  EXPECT_EQ(divided.images.at("test/cow"), 4);
  EXPECT_EQ(values(content(options_.out), "test/cow"), (std::set<int>{100, 101, 102, 103}));
}

TEST_F(Divide, DefectsAmongTheNormalOnes) {
  options_.known_each = 2;
  divide(options_);
  const auto clean = content(options_.out);
  options_.contaminated = 0.25;  // of 16
  options_.out = dir_ / "contaminated";
  const Divided divided = divide(options_);
  const auto all = content(options_.out);
  EXPECT_EQ(divided.images.at("train/good"), 20);
  std::set<int> mistaken;
  for (const int value : values(all, "train/good"))
    if (value >= 100) mistaken.insert(value);
  EXPECT_EQ(mistaken.size(), 4u);
  EXPECT_EQ(std::ranges::count_if(mistaken, [](int value) { return value < 150; }), 2) << "of each kind in turn";
  for (const char* folder : {"train/abnormal", "test/good"})
    EXPECT_EQ(values(all, folder), values(clean, folder)) << folder;
  for (const char* folder : {"test/crack", "test/pit"})
    for (const int value : values(all, folder)) EXPECT_FALSE(mistaken.contains(value)) << "tested as well";
  EXPECT_EQ(divided.images.at("test/crack") + divided.images.at("test/pit"), 8 + 3 - 4);
  EXPECT_FALSE(fs::exists(dir_ / "contaminated/ground_truth/good")) << "nobody knows of them";
  const auto json = nlohmann::json::parse(read_file(dir_ / "contaminated/description.json"));
  std::set<int> named;
  for (const auto& image : json.at("contaminated_images")) {
    const int value = value_of(join_path(dir_ / "contaminated", image.at("path").get<std::string>()));
    named.insert(value);
    EXPECT_EQ(image.at("kind"), value < 150 ? "crack" : "pit");
  }
  EXPECT_EQ(named, mistaken);
}

// Six parts, each seen one to four times, brighter or darker and with noise of the camera's.
TEST_F(Divide, PicturesOfOnePartStayTogether) {
  const auto picture = [](int part, int exposure) {
    SplitMix64 surface(static_cast<std::uint64_t>(part)), camera(static_cast<std::uint64_t>(100 * part + exposure));
    Image image{100, 120, 1, {}};
    const auto uniform = [](SplitMix64& random) { return static_cast<float>(random.next() >> 40) / (1 << 24); };
    for (int i = 0; i < 100 * 120; ++i)
      image.pixels.push_back((0.3f + 0.1f * static_cast<float>(exposure)) * uniform(surface) + 0.1f * uniform(camera));
    return image;
  };
  const int times[] = {4, 1, 3, 2, 4, 2};
  fs::create_directories(dir_ / "parts/test/good");
  fs::create_directories(dir_ / "parts/test/crack");
  for (int part = 0; part < 6; ++part)
    for (int exposure = 0; exposure < times[part]; ++exposure)
      for (const char* kind : {"good", "crack"})
        write_png(dir_ / str("parts/test/", kind, "/", exposure, "_", part, ".png"),
                  picture(part + (*kind == 'g' ? 0 : 6), exposure));
  options_.data.path = dir_ / "parts";
  options_.train_share = options_.known_share = 0.5;
  options_.validation_share = 0.5;
  const auto where = [&](const std::string& out) {
    std::map<std::string, std::set<std::string>> folders;  // of each part
    for (const char* set : {"val", "test"})
      for (const auto& entry : fs::recursive_directory_iterator(out + "/" + set)) {
        const std::string name = entry.path().filename().string();
        const std::string folder = entry.path().lexically_relative(out).parent_path().string();
        if (!entry.is_regular_file() || entry.path().extension() != ".png") continue;
        const std::string kind = folder.ends_with("good") ? "good" : "crack";
        // Training images are the same in both sets.
        const bool trains = folder.find("/train/") != std::string::npos,
                   calibrates = folder.find("/calibration/") != std::string::npos;
        folders[kind + name.substr(name.rfind('_'))].insert(trains ? "train" : calibrates ? "calibration" : folder);
      }
    return folders;
  };
  const auto parted = [](const auto& folders) {
    return std::ranges::count_if(folders, [](const auto& f) { return f.second.size() > 1; });
  };
  divide(options_);
  EXPECT_GT(parted(where(options_.out)), 0) << "this test cannot fail";
  options_.together = 0.5;
  for (int seed = 1; seed <= 5; ++seed) {
    options_.seed = static_cast<std::uint64_t>(seed);
    options_.out = dir_ / str("together", seed);
    const Divided divided = divide(options_);
    EXPECT_EQ(parted(where(options_.out)), 0);
    EXPECT_EQ(where(options_.out).size(), 12u);
    EXPECT_LE(divided.images.at("test/train/good"), 8);  // of 16
    EXPECT_GE(divided.images.at("test/train/good"), 5) << "as many as fit";
    // What sets the threshold shows parts of its own too.
    EXPECT_GE(divided.images.at("test/calibration/good"), 1);
    EXPECT_EQ(divided.images.at("val/calibration/good"), divided.images.at("test/calibration/good"));
    const Dataset data = Dataset::open([&] {
      DataConfig config;
      config.path = options_.out + "/test";
      return config;
    }());
    EXPECT_EQ(std::ssize(data.calibration_normal), divided.images.at("test/calibration/good"));
    EXPECT_EQ(std::ssize(data.train_normal), divided.images.at("test/train/good"));
    ASSERT_GE(divided.notes.size(), 1u);
    EXPECT_NE(divided.notes[0].find("30 images show a part that another of their kind shows too"), std::string::npos)
        << divided.notes[0];
  }
  // Where no part fits the smallest is taken, and what it makes is said: parts of two pictures or more.
  for (const char* kind : {"good", "crack"}) fs::remove(dir_ / str("parts/test/", kind, "/0_1.png"));
  options_.train_share = 0.05;
  options_.known_each = 1;
  options_.validation_share = 0.05;
  options_.contaminated = 0.5;  // of two
  options_.out = dir_ / "few";
  const Divided few = divide(options_);
  EXPECT_EQ(parted(where(options_.out)), 0);
  for (const char* folder : {"test/train/good", "test/train/abnormal", "val/test/good", "val/test/crack"})
    EXPECT_GE(few.images.at(folder), 2) << folder;
  EXPECT_LE(few.images.at("test/train/good"), 3);
  const std::string notes = std::accumulate(few.notes.begin(), few.notes.end(), std::string());
  EXPECT_NE(notes.find("2 images of 'good' instead of 1: parts are not divided"), std::string::npos) << notes;
  EXPECT_NE(notes.find("0 defects are taken for normal images, 1 were asked for"), std::string::npos) << notes;
  options_.out = dir_ / "one";
  options_.contaminated = 0;
  options_.together = 0.001;
  options_.data.path = dir_ / "same";
  for (const int i : {0, 1, 2}) {
    fs::create_directories(dir_ / "same/test/good");
    write_png(dir_ / str("same/test/good/", i, ".png"), picture(0, i));
  }
  fs::create_directories(dir_ / "same/test/crack");
  write_png(dir_ / "same/test/crack/0.png", picture(1, 0));
  EXPECT_NE(error_of([&] { divide(options_); }).find("a higher value parts more"), std::string::npos);
  EXPECT_FALSE(fs::exists(options_.out));
  options_.together = 0;
  options_.calibration_share = 1;
  EXPECT_NE(error_of([&] { divide(options_); }).find("--calibration-share: 1, expected"), std::string::npos);
  options_.together = 1;
  EXPECT_NE(error_of([&] { divide(options_); }).find("--together: 1, expected"), std::string::npos);
}

TEST_F(Divide, RefusesWhatMakesNoSense) {
  const auto refusal = [&](const std::function<void(DivideOptions&)>& change) {
    DivideOptions options = options_;
    change(options);
    return error_of([&] { divide(options); });
  };
  EXPECT_NE(refusal([](auto& o) { o.train_share = 1; }).find("usage: --train-share: 1, expected"), std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.known_share = -0.1; }).find("--known-share"), std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.contaminated = 1; }).find("--contaminated"), std::string::npos);
  // 12 of 15 are not known, one of each kind is tested.
  EXPECT_NE(refusal([](auto& o) { o.known_each = 1, o.contaminated = 0.8; }).find("only 11 can be spared"),
            std::string::npos);
  EXPECT_NE(refusal([](auto& o) { o.known = {"hole"}; }).find("'hole' is no kind of defect of"), std::string::npos);
  EXPECT_NE(refusal([&](auto& o) { o.out = o.data.path; }).find("usage: "), std::string::npos);
  EXPECT_NE(refusal([&](auto& o) { o.out = o.data.path + "/test/new"; }).find("lies in the source"), std::string::npos);
  for (const char* name : {"worn", "good"})
    for (int i = 0; i < 3; ++i) write(dir_ / str("classes/", name, "/", i, ".png"), i);
  EXPECT_NE(refusal([&](auto& o) {
              o.data.path = dir_ / "classes";
              o.data.normal_class = "worn";
            }).find("'good' is a kind of defect"),
            std::string::npos);
  EXPECT_NE(refusal([&](auto& o) { o.data.path = dir_ / "in/test/pit"; }).find("of images of one kind"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(dir_ / "out"));
  EXPECT_NE(error_of([&] {
              divide_data(
                  options_, [](long, long) {}, [] { return true; });
            }).find("interrupted after 0 of"),
            std::string::npos);
}

TEST_F(Divide, AsAProgram) {
  const auto data = [](const Words& words) {
    return run_process(Words{std::string(PGAD_BINARY_DIR) + "/apps/pgad_data", "split"} + words);
  };
  EXPECT_TRUE(ended(data({dir_ / "in", "--out", dir_ / "a", "--known-each", "1", "--known", "pit,crack"}), 0));
  EXPECT_EQ(content(dir_ / "a").size(), 35u + 15u);
  const auto json = nlohmann::json::parse(read_file(dir_ / "a/description.json"));
  EXPECT_EQ(json.at("known_each"), 1);
  EXPECT_EQ(json.at("images").at("train/abnormal"), 2);
  EXPECT_TRUE(refused(data({dir_ / "in", "--out", dir_ / "a"}), 2, {"expected a new or an empty folder"}));
  EXPECT_TRUE(refused(data({dir_ / "in", "--out", dir_ / "b", "--known-each", "1", "--known-share", ".5"}), 2,
                      {"--known-share"}));
}

}  // namespace
}  // namespace pgad::test
