// pgad_infer calibrate: a model is calibrated on other images, without training.

#include "images/listing.h"
#include "tests/programs.h"

namespace pgad::test {
namespace {

// The first `count` digits of a class, or of all others, as PNG files in `dir`.
void write_class(const std::string& dir, int digit, bool others, int count) {
  fs::create_directories(dir);
  const Shared& s = shared();
  for (long i = 0; i < s.digits.count && count > 0; ++i)
    if ((s.labels[static_cast<std::size_t>(i)] == digit) != others) {
      write_png(dir + "/" + std::to_string(1000 + i) + ".png", s.digits.image(i));
      --count;
    }
}

nlohmann::json calibration_of(const std::string& model) {
  return nlohmann::json::parse(read_safetensors(model).metadata.at("calibration"));
}

TEST(CalibrateProgram, MeasuresNormalsAnewAndKeepsTheWeights) {
  const TempDir dir;
  const std::string again = dir / "again.safetensors";
  write_class(dir / "normal", 1, false, 24);
  const Words call = {"calibrate", "--model", shared().model, "--data", dir / "normal", "--threads", "1", "--out"};
  ASSERT_TRUE(ended(infer(call + Words{again, "--false-reject-rate", "0.1"}), 0,
                    {"24 normal and 0 abnormal images", "keep the model's weights", "saved " + again,
                     "false-reject rate of 0.1", "24 held-out normals", "95 % interval"}));
  const SafeTensorsFile before = read_safetensors(shared().model), after = read_safetensors(again);
  for (const auto& [name, tensor] : before.tensors)
    if (name.starts_with("g.") || name.starts_with("d.") || name.starts_with("e.")) {
      const auto shape = tensor.shape;
      EXPECT_EQ(before.get(name, "F32", shape).elements<float>(), after.get(name, "F32", shape).elements<float>())
          << name;
    }
  const nlohmann::json old = calibration_of(shared().model), now = calibration_of(again);
  EXPECT_EQ(now.at("bias"), old.at("bias"));
  for (const auto& [score, term] : old.at("terms").items()) {
    EXPECT_EQ(now.at("terms").at(score).at("weight"), term.at("weight")) << score;
    EXPECT_NE(now.at("terms").at(score).at("mean"), term.at("mean")) << score;
  }
  // It is calibrated by the scores that these images have, and judges by the rate that was asked for.
  ASSERT_TRUE(ended(
      infer({"score", "--model", again, "--input", dir / "normal", "--threads", "1", "--out", dir / "scores"}), 0));
  const nlohmann::json images = nlohmann::json::parse(read_file(dir / "scores/scores.json")).at("images");
  const auto terms = after.tensors.at("calibration.normal_terms").elements<float>();
  ASSERT_EQ(images.size(), 24u);
  int anomalous = 0;
  for (std::size_t i = 0; i < images.size(); ++i) {
    EXPECT_FLOAT_EQ(images[i].at("residual").get<float>(), terms[i * terms.size() / images.size()]) << i;
    anomalous += images[i].at("decision") == "anomalous";
  }
  EXPECT_LE(anomalous, 5);
  // Nothing is written over.
  const std::string bytes = read_file(again);
  EXPECT_TRUE(refused(infer(call + Words{again}), 2, {"--out " + again, "exists"}));
  EXPECT_TRUE(refused(infer(call + Words{shared().model}), 2, {"exists"}));
  EXPECT_TRUE(read_file(again) == bytes);
}

// The scores of other images than those of the calibration are noticed, those of its own are not.
TEST(CalibrateProgram, ScoreWarnsOfImagesThatAreNotLikeTheCalibrations) {
  const TempDir dir;
  write_class(dir / "light", 8, false, 80);
  write_class(dir / "other", 1, false, 80);
  write_class(dir / "other", 7, false, 80);
  const std::string model = dir / "m.safetensors";
  const auto score = [&](const char* folder, const Words& more = {}) {
    return infer(Words{"score", "--model", model, "--input", dir / folder, "--threads", "1", "--out", dir / "out"} +
                 more);
  };
  ASSERT_TRUE(ended(
      infer({"calibrate", "--model", shared().model, "--data", dir / "light", "--threads", "1", "--out", model}), 0));
  const ProcessResult own = score("light");
  EXPECT_TRUE(ended(own, 0));
  EXPECT_EQ(own.err.find("not distributed as"), std::string::npos) << own.err;
  EXPECT_TRUE(ended(score("other", {"--threshold", "1e9", "--quiet"}), 0,
                    {"WARNING: the scores of the last ", "are not distributed as", "pgad_infer calibrate"}));
}

TEST(CalibrateProgram, FitsWeightsToKnownAbnormals) {
  const TempDir dir;
  const std::string again = dir / "again.safetensors";
  write_class(dir / "normal", 8, false, 20);
  write_class(dir / "abnormal", 8, true, 10);
  const Words call = {"calibrate", "--model", shared().model, "--data", dir / "normal", "--threads", "1"};
  ASSERT_TRUE(ended(infer(call + Words{"--abnormal", dir / "abnormal", "--out", again}), 0,
                    {"20 normal and 10 abnormal images", "AUROC on held-out images"}));
  EXPECT_EQ(read_safetensors(again).tensors.at("calibration.abnormal_terms").shape[0], 10);
  // Too few for the rate: said, with how many there should be.
  EXPECT_TRUE(ended(infer(call + Words{"--false-reject-rate", "0.01", "--out", dir / "few.safetensors"}), 0,
                    {"WARNING: only 20 normal images", "are needed to bound it"}));
  EXPECT_TRUE(refused(infer(call + Words{"--abnormal", dir / "normal", "--out", dir / "x"}), 2,
                      {"is given as normal and as abnormal", dir / "normal"}));
  EXPECT_FALSE(path_exists(dir / "x"));
}

TEST(CalibrateProgram, RefusesWhatIsNoFolderOfNormals) {
  const TempDir dir;
  const Words call = {"calibrate", "--model", shared().model, "--out", dir / "x", "--data"};
  EXPECT_TRUE(refused(infer(call + Words{dir / "none"}), 1, {dir / "none"}));
  write_class(dir / "set/train/good", 8, false, 4);
  EXPECT_TRUE(refused(infer(call + Words{dir / "set"}), 2, {"is a data set", dir / "set/train/good"}));
  fs::create_directory(dir / "empty");
  EXPECT_TRUE(refused(infer(call + Words{dir / "empty"}), 1, {dir / "empty"}));
  fs::create_directory(dir / "bad");
  write_file_atomically(dir / "bad/a.png", "text");
  EXPECT_TRUE(refused(infer(call + Words{dir / "bad"}), 1, {"none of the 1 images of --data can be read", "a.png"}));
  EXPECT_FALSE(path_exists(dir / "x"));
  write_class(dir / "bad", 8, false, 6);
  EXPECT_TRUE(ended(infer(call + Words{dir / "bad", "--threads", "1"}), 0, {"not used: a.png", "6 normal"}));
}

// Whatever happens where the mask is: all that is said of an image stays the same to the bit.
TEST(CalibrateProgram, WhatAnIgnoreMaskCoversNeverCounts) {
  const TempDir dir;
  write_class(dir / "normal", 8, false, 20);
  put(dir / "mask.json",
      R"({"width": 28, "height": 28, "polygons": [[0, 0, 10, 0, 10, 9, 0, 9], [20, 20, 28, 20, 24, 28]]})");
  Image white{28, 28, 1, std::vector<float>(28 * 28)};
  for (int y = 0; y < 9; ++y)
    for (int x = 0; x < 10; ++x) white.pixels[static_cast<std::size_t>(28 * y + x)] = 1;
  write_png(dir / "mask.png", white);
  const Words call = {"calibrate", "--model", shared().model, "--data", dir / "normal", "--threads", "1"};
  const std::string model = dir / "masked.safetensors";
  ASSERT_TRUE(ended(infer(call + Words{"--ignore-mask", dir / "mask.json", "--out", model}), 0, {"ignored: "}));
  EXPECT_TRUE(ended(infer({"info", "--model", model}), 0, {"ignored", "% of images of 28x28"}));

  // The same digits with something written over those places.
  fs::create_directories(dir / "written");
  long n = 0;
  for (const auto& file : fs::directory_iterator(dir / "normal")) {
    Image image = read_image(file.path());
    for (int y = 0; y < 9; ++y)
      for (int x = 0; x < 10; ++x)
        image.pixels[static_cast<std::size_t>(28 * y + x)] = static_cast<float>((x + y + n) % 2);
    image.pixels[28 * 22 + 24] = 1;
    write_png(dir / ("written/" + file.path().filename().string()), image);
    ++n;
  }
  const auto rows = [&](const std::string& of, const std::string& images) {
    const std::string out = dir / ("out-" + fs::path(of).stem().string() + "-" + images);
    EXPECT_TRUE(ended(infer({"score", "--model", of, "--input", dir / images, "--threads", "1", "--out", out}), 0));
    auto all = nlohmann::json::parse(read_file(out + "/scores.json"))["images"];
    return all;
  };
  EXPECT_EQ(rows(model, "normal"), rows(model, "written"));
  EXPECT_NE(rows(shared().model, "normal"), rows(shared().model, "written"));
  const auto masked = rows(model, "written");
  for (const auto& row : masked)
    for (const auto& region : row["regions"]) {
      const int left = region["box"][0], top = region["box"][1];
      EXPECT_FALSE(left + region["box"][2].get<int>() <= 10 && top + region["box"][3].get<int>() <= 9) << region;
    }
  // A model that is calibrated again keeps its mask, until it is told not to.
  const Words again = {"calibrate", "--model", model, "--data", dir / "normal", "--threads", "1"};
  ASSERT_TRUE(ended(infer(again + Words{"--out", dir / "kept.safetensors"}), 0, {"ignored: "}));
  ASSERT_TRUE(ended(infer(again + Words{"--ignore-mask", "none", "--out", dir / "bare.safetensors"}), 0));
  EXPECT_EQ(rows(dir / "kept.safetensors", "written"), rows(model, "written"));
  EXPECT_NE(rows(dir / "bare.safetensors", "normal"), rows(dir / "bare.safetensors", "written"));
  ASSERT_TRUE(ended(infer(call + Words{"--ignore-mask", dir / "mask.png", "--out", dir / "png.safetensors"}), 0));

  // An image of another size has no place for it.
  fs::create_directories(dir / "large");
  write_png(dir / "large/1.png", Image{30, 28, 1, std::vector<float>(30 * 28)});
  EXPECT_TRUE(
      refused(infer({"score", "--model", model, "--input", dir / "large", "--threads", "1", "--out", dir / "x"}), 1,
              {"1.png' is 28x30", "28x28"}));
  put(dir / "bad.json", R"({"width": 28, "height": 28, "polygons": [[1, 2, 3]]})");
  EXPECT_TRUE(
      refused(infer(call + Words{"--ignore-mask", dir / "bad.json", "--out", dir / "y"}), 1, {"bad.json", "[1,2,3]"}));
  EXPECT_TRUE(refused(infer(call + Words{"--ignore-mask", dir / "none.png", "--out", dir / "y"}), 1, {"none.png"}));
}

}  // namespace
}  // namespace pgad::test
