// What `pgad_data check` finds: one fault of each kind, and nothing in data that have none.

#include <gtest/gtest.h>

#include "images/dataset.h"
#include "inspection/metrics.h"
#include "preparation/check.h"
#include "synthesis/industrial.h"
#include "tests/image_files.h"
#include "tests/programs.h"

namespace pgad::test {
namespace {

constexpr int kSide = 96;

SurfaceImage surface(std::uint64_t number, std::optional<Flaw> flaw = {}) {
  SurfaceOptions options;
  options.surface = Surface::kLeather;
  options.height = options.width = kSide;
  return draw_surface(options, number, flaw);
}

Image mask_of(const SurfaceImage& s) { return {kSide, kSide, 1, {s.mask.begin(), s.mask.end()}}; }

// An inspection folder with nothing wrong in it: 8 normal and 2 known images train, 3 and 2 test.
class Check : public testing::Test {
 protected:
  Check() {
    for (const char* folder :
         {"train/good", "train/abnormal", "test/good", "test/pit", "ground_truth/pit", "ground_truth/abnormal"})
      fs::create_directories(dir_ / folder);
    for (int i = 0; i < 8; ++i) write(str("train/good/", i, ".png"), surface(number()).image);
    for (int i = 0; i < 3; ++i) write(str("test/good/", i, ".png"), surface(number()).image);
    for (const char* place : {"abnormal", "pit"})
      for (int i = 0; i < 2; ++i) {
        const SurfaceImage pit = surface(number(), Flaw::kPit);
        write(str(place == std::string("pit") ? "test/" : "train/", place, "/", i, ".png"), pit.image);
        write(str("ground_truth/", place, "/", i, "_mask.png"), mask_of(pit));
      }
  }

  std::uint64_t number() { return next_++; }
  void write(const std::string& name, const Image& image) { write_png(dir_ / name, image); }

  CheckReport check(int held_out_needed = 0) {
    CheckOptions options;
    options.data.path = dir_.path();
    options.threads = 2;
    options.held_out_needed = held_out_needed;
    long last = 0;
    CheckReport report = check_data(
        options, [&](long done, long) { last = std::max(last, done); }, [] { return false; });
    long images = 0;
    for (const auto& [list, count] : report.images) images += count;
    EXPECT_EQ(last, images) << "progress";
    return report;
  }

  // The finding of this code; fails and returns an empty one unless there is exactly one.
  static Finding the(const CheckReport& report, const std::string& code) {
    std::vector<Finding> found;
    for (const Finding& f : report.findings)
      if (f.code == code) found.push_back(f);
    EXPECT_EQ(found.size(), 1u) << code << " in\n" << check_report_text(report);
    return found.size() == 1 ? found[0] : Finding{};
  }
  static void expect_file(const Finding& finding, const std::string& part) {
    EXPECT_TRUE(
        std::ranges::any_of(finding.files, [&](const std::string& f) { return f.find(part) != std::string::npos; }))
        << finding.code << ": " << part;
  }

  const TempDir dir_;
  std::uint64_t next_ = 0;
};

TEST_F(Check, FindsNothingWhereNothingIsWrong) {
  const CheckReport report = check();
  EXPECT_TRUE(report.findings.empty()) << check_report_text(report);
  EXPECT_FALSE(report.failed());
  EXPECT_EQ(report.layout, "inspection");
  EXPECT_EQ(report.images, (std::map<std::string, long>{{"train normal", 7},
                                                        {"calibration normal", 1},
                                                        {"train abnormal", 1},
                                                        {"calibration abnormal", 1},
                                                        {"test good", 3},
                                                        {"test pit", 2}}));
  EXPECT_EQ(report.sizes, (std::map<std::string, long>{{"96x96", 15}}));
  EXPECT_EQ(report.masks, 4);
  EXPECT_GT(report.median_defect, 0);
  EXPECT_LE(report.median_defect, kLargestFlaw);
}

TEST_F(Check, UnreadableAndTruncatedFiles) {
  const std::string whole = read_file(dir_ / "train/good/0.png");
  put(dir_ / "train/good/cut.png", whole.substr(0, whole.size() / 2));
  put(dir_ / "test/pit/0.png", "no picture");
  put(dir_ / "train/good/notes.txt", "x");
  const CheckReport report = check();
  EXPECT_TRUE(report.failed());
  const Finding f = the(report, "unreadable");
  EXPECT_EQ(f.severity, Severity::kError);
  EXPECT_EQ(f.files.size(), 2u);
  expect_file(f, "cut.png");
  expect_file(f, "pit/0.png");
  EXPECT_NE(the(report, "set-note").text.find(".txt"), std::string::npos);
}

TEST_F(Check, MasksThatDoNotFit) {
  write("ground_truth/pit/0_mask.png", {kSide, kSide - 1, 1, std::vector<float>(kSide * (kSide - 1), 1.f)});
  std::vector<float> three(kSide * kSide);
  three[0] = 0.3f;
  three[1] = 1.f;
  write("ground_truth/pit/1_mask.png", {kSide, kSide, 1, three});
  write("ground_truth/abnormal/0_mask.png", {kSide, kSide, 1, std::vector<float>(kSide * kSide)});
  write("ground_truth/abnormal/1_mask.png", {kSide, kSide, 1, std::vector<float>(kSide * kSide, 1.f)});
  write("ground_truth/pit/7_mask.png", mask_of(surface(1, Flaw::kPit)));
  write("test/pit/2.png", surface(number(), Flaw::kPit).image);
  const CheckReport report = check();
  const Finding bad = the(report, "mask");
  EXPECT_EQ(bad.severity, Severity::kError);
  EXPECT_EQ(bad.files.size(), 2u);
  expect_file(bad, "95x96 pixels, but its image");
  expect_file(bad, "1_mask.png': it has 3 different values");
  expect_file(the(report, "empty-mask"), "abnormal/0_mask.png");
  expect_file(the(report, "whole-mask"), "abnormal/1_mask.png");
  expect_file(the(report, "orphan-mask"), "pit/7_mask.png");
  expect_file(the(report, "no-mask"), "test/pit/2.png");
  EXPECT_EQ(report.masks, 1);
}

TEST_F(Check, DuplicatesAcrossASplitAreErrors) {
  fs::copy_file(dir_ / "train/good/1.png", dir_ / "test/good/again.png");
  fs::copy_file(dir_ / "train/good/2.png", dir_ / "train/good/twice.png");
  const CheckReport report = check();
  EXPECT_TRUE(report.failed());
  std::vector<Finding> found;
  for (const Finding& f : report.findings) found.push_back(f);
  ASSERT_EQ(found.size(), 2u) << check_report_text(report);
  EXPECT_EQ(found[0].code, "duplicate");
  EXPECT_EQ(found[0].severity, Severity::kError);
  EXPECT_EQ(found[0].text.substr(0, 8), "1 pairs ");
  expect_file(found[0], "again.png (test good)");
  EXPECT_EQ(found[1].code, "duplicate");
  EXPECT_EQ(found[1].severity, Severity::kWarning);
  expect_file(found[1], "twice.png");
}

TEST_F(Check, NearDuplicatesAreFoundAndOthersOfTheSameSurfaceAreNot) {
  Image bright = read_image(dir_ / "train/good/0.png"), smaller = read_image(dir_ / "train/good/1.png"),
        saved = read_image(dir_ / "test/good/0.png");
  for (float& v : bright.pixels) v = 0.8f * v + 0.15f;
  write("test/good/bright.png", bright);
  smaller.pixels = resize(smaller.pixels, kSide, kSide, 1, 80, 80);
  smaller.height = smaller.width = 80;
  write("test/good/smaller.png", smaller);
  put(dir_ / "test/good/saved.jpg", make_jpeg(kSide, kSide, 1, false, {}, [&](int y, int x, int) {
        return static_cast<int>(std::lround(255 * saved.pixels[static_cast<std::size_t>(y * kSide + x)]));
      }));
  const CheckReport report = check();
  EXPECT_FALSE(report.failed());
  std::vector<std::string> pairs;
  for (const Finding& f : report.findings)
    if (f.code == "near-duplicate") pairs.insert(pairs.end(), f.files.begin(), f.files.end());
  std::string text;
  for (const std::string& pair : pairs) text += pair + "\n";
  EXPECT_EQ(pairs.size(), 3u) << text;
  for (const char* name : {"bright.png", "smaller.png", "saved.jpg"})
    EXPECT_NE(text.find(name), std::string::npos) << text;
}

TEST_F(Check, ALookAlikeDoesNotHideANearDuplicate) {
  const int cells = kSide / 3;  // 32 a side: what changes whole cells is seen at 32x32, what changes within them is not
  SplitMix64 random(1);
  std::vector<float> noise(static_cast<std::size_t>(cells * cells));
  for (float& v : noise) v = 0.03f * static_cast<float>(random.next() % 100) / 100;
  Image again = read_image(dir_ / "train/good/0.png");
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; ++x) {
      float& v = again.pixels[static_cast<std::size_t>(y * kSide + x)];
      v = 0.9f * v + noise[static_cast<std::size_t>(y / 3 * cells + x / 3)];
    }
  Image look_alike = again;  // nearer to it than its own original is, at 32x32
  for (int y = 0; y < kSide; ++y)
    for (int x = 0; x < kSide; ++x) {
      float& v = look_alike.pixels[static_cast<std::size_t>(y * kSide + x)];
      const float stripe = static_cast<float>((x % 3 == 1) - (x % 3 == 2));
      v = std::clamp(v + stripe * ((y / 3 + x / 3) % 2 == 1 ? 0.1f : -0.1f), 0.0f, 1.0f);
    }
  write("train/good/look_alike.png", look_alike);
  write("test/good/again.png", again);
  const Finding found = the(check(), "near-duplicate");
  EXPECT_EQ(found.files.size(), 1u);
  expect_file(found, "train/good/0.png");
  expect_file(found, "test/good/again.png");
}

TEST_F(Check, NamesThatAreNotUtf8) {
  fs::rename(dir_ / "test/pit", dir_ / "test/p\xe9t");
  fs::rename(dir_ / "ground_truth/pit", dir_ / "ground_truth/p\xe9t");
  EXPECT_NE(check_report_json(check()).find("test p\\\\xE9t"), std::string::npos) << check_report_json(check());
}

TEST_F(Check, WhatTheFilesAre) {
  write("train/good/colour.png", {kSide, kSide, 3, [&] {
                                    const Image grey = surface(number()).image;
                                    std::vector<float> rgb;
                                    for (const float v : grey.pixels) rgb.insert(rgb.end(), {v, 0.9f * v, 0.8f * v});
                                    return rgb;
                                  }()});
  write("train/good/black.png", {kSide, kSide, 1, std::vector<float>(kSide * kSide)});
  write("train/good/tiny.png", {4, kSide, 1, [] {
                                  std::vector<float> v(4 * kSide);
                                  for (std::size_t i = 0; i < v.size(); ++i) v[i] = static_cast<float>(i % 7) / 7;
                                  return v;
                                }()});
  put(dir_ / "train/good/turned.jpg",
      make_jpeg(kSide, kSide, 1, false, exif_block(6), [](int y, int x, int) { return (x * y) % 200; }));
  const CheckReport report = check();
  EXPECT_FALSE(report.failed()) << check_report_text(report);
  EXPECT_EQ(report.grey, 18);
  EXPECT_EQ(report.colour, 1);
  expect_file(the(report, "channels"), "colour.png");
  expect_file(the(report, "constant"), "black.png");
  expect_file(the(report, "small"), "tiny.png");
  expect_file(the(report, "orientation"), "turned.jpg");
  expect_file(the(report, "sizes"), "tiny.png");
}

TEST_F(Check, DepthsThatDiffer) {
  const auto pgm = [&](const std::string& name, int white) {
    std::string text = str("P2 8 8 ", white, "\n");
    for (int i = 0; i < 64; ++i) text += str(i * i % white + (i == 63), " ");
    put(dir_ / name, text);
  };
  pgm("train/good/deep.pgm", 65535);
  EXPECT_EQ(the(check(), "bits").severity, Severity::kNote);
  pgm("test/good/camera.pgm", 4095);
  const CheckReport report = check();
  EXPECT_EQ(the(report, "bits").severity, Severity::kError);
  EXPECT_NE(the(report, "bits").text.find("1 12, 1 16 bit"), std::string::npos) << the(report, "bits").text;
}

TEST_F(Check, TooFewForTheThresholdAndForTheTest) {
  const CheckReport few = check(scores_needed(0.05));
  EXPECT_NE(the(few, "few-normal").text.find("of 8 normal training images 1 are held out"), std::string::npos);
  EXPECT_NE(the(few, "few-normal").text.find("720 normal images"), std::string::npos) << the(few, "few-normal").text;
  EXPECT_EQ(the(few, "few-normal").text.find("--calibration-images"), std::string::npos);
  EXPECT_NE(the(check(scores_needed(0.01)), "few-normal").text.find("--calibration-images, now 256, must allow"),
            std::string::npos);
  // Images that lie in calibration/ are all that are held out.
  fs::create_directories(dir_ / "calibration/good");
  const fs::path one = fs::directory_iterator(dir_ / "train/good")->path();
  fs::rename(one, dir_ / "calibration/good" / one.filename());
  EXPECT_NE(the(check(scores_needed(0.05)), "few-normal").text.find("to be bounded: more of them in calibration/good"),
            std::string::npos);
  fs::remove_all(dir_ / "test/pit");
  fs::remove_all(dir_ / "ground_truth/pit");
  EXPECT_NE(the(check(), "no-test").text.find("no abnormal image"), std::string::npos);
}

TEST_F(Check, ASetThatIsYetToBeDivided) {
  fs::remove_all(dir_ / "train");
  fs::remove_all(dir_ / "ground_truth/abnormal");
  const CheckReport report = check();
  EXPECT_NE(the(report, "no-train").text.find("train/good"), std::string::npos);
  EXPECT_EQ(report.images.at("test good"), 3);
}

TEST_F(Check, AsAProgram) {
  const auto data = [](const Words& words) {
    return run_process(Words{std::string(PGAD_BINARY_DIR) + "/apps/pgad_data", "check"} + words);
  };
  const std::string json = (dir_ / "..") + "/" + fs::path(dir_.path()).filename().string() + ".json";
  ASSERT_TRUE(ended(data({dir_.path(), "--json", json}), 0));
  EXPECT_TRUE(ended(data({dir_.path(), "--strict"}), 1)) << "few normal images: a warning";
  fs::copy_file(dir_ / "train/good/1.png", dir_ / "test/good/again.png");
  const ProcessResult r = data({dir_.path(), "--json", json, "--most-files", "0"});
  EXPECT_EQ(r.exit_code, 1) << r.err;
  EXPECT_NE(r.out.find("error [duplicate]: 1 pairs"), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("... and 1 more"), std::string::npos) << r.out;
  EXPECT_NE(r.out.find("1 errors, 1 warnings, 0 notes"), std::string::npos) << r.out;
  const auto report = nlohmann::json::parse(read_file(json));
  fs::remove(json);
  EXPECT_EQ(report.at("images").at("test good"), 4);
  EXPECT_EQ(report.at("findings").at(0).at("code"), "duplicate");
  EXPECT_EQ(report.at("findings").at(0).at("files").size(), 1u);
  EXPECT_TRUE(refused(data({dir_ / "nowhere"}), 1, {"nowhere' does not exist"}));
  EXPECT_TRUE(refused(data({dir_.path(), "--normal-class", "8"}), 2, {"normal_class '8' has no meaning"}));
  EXPECT_TRUE(refused(data({dir_.path(), "--false-reject-rate", "2"}), 2, {"--false-reject-rate"}));
}

}  // namespace
}  // namespace pgad::test
