// Both programs together, from training to scores: profiles, the encoder, an inspection folder with masks, devices.

#include "tests/programs.h"

#include "engine/device.h"
#include "tests/event_reader.h"

namespace pgad::test {
namespace {

TEST(Programs, Profiles) {
  const TempDir dir;
  EXPECT_TRUE(ended(train(kTiny + Words{"--profile"}), 0, {"GFLOP/s", "conv2d_wgrad", "adam", "bound"}));
  EXPECT_TRUE(ended(infer({"score", "--model", shared().model, "--input", shared().data, "--threads", "1", "--profile",
                           "--out", dir / "out"}),
                    0, {"conv2d_bias_act", "latent_step", "bound"}));
}

// ---- encoder -------------------------------------------------------------------------------------------------------

TEST(Programs, EncoderFromTrainingToScores) {
  const TempDir dir;
  const Words options = shared().train_words + kShort + Words{"--encoder", "--encoder-kimg", "0.2"};
  ASSERT_TRUE(ended(train(options + Words{"--out", dir / "run"}), 0, {"encoder trained"}));
  const std::string model = dir / "run/model.safetensors";
  EXPECT_TRUE(read_safetensors(model).tensors.count("e.4x4.dense1.weight") == 1);
  EXPECT_TRUE(ended(infer({"info", "--model", model}), 0, {"encoder"}));
  const auto score = [&](const char* out, const Words& more) {
    EXPECT_TRUE(ended(
        infer(Words{"score", "--model", model, "--input", shared().data, "--threads", "1", "--out", dir / out} + more),
        0));
    return read_file((dir / out) + "/scores.csv");
  };
  const std::string encoded = score("encoded", {});
  EXPECT_EQ(encoded, score("again", {}));
  EXPECT_NE(encoded, score("random", {"--start", "random"}));
  // Bit-exact after an interruption, as everything else: the run is repeated from its last checkpoint.
  fs::remove(model);
  ASSERT_TRUE(ended(train({"--out", dir / "run", "--resume", "--threads", "1"}), 0, {"encoder trained"}));
  EXPECT_EQ(encoded, score("resumed", {}));
}

// ---- an inspection folder ------------------------------------------------------------------------------------------

// Woven RGB texture, wider than high; with `scratch` a bright diagonal, and `mask` says where.
Image texture(std::uint64_t seed, bool scratch, Image* mask = nullptr) {
  Image image{16, 24, 3, std::vector<float>(16 * 24 * 3)};
  Image drawn{16, 24, 1, std::vector<float>(16 * 24)};
  Rng rng(seed, 0);
  const double phase = rng.uniform() * 6.28;
  const int start = static_cast<int>(rng.below(8));
  for (int y = 0; y < 16; ++y)
    for (int x = 0; x < 24; ++x) {
      const auto at = static_cast<std::size_t>(y * 24 + x);
      const bool hit = scratch && std::abs(x - start - y) <= 1;
      drawn.pixels[at] = hit ? 1.f : 0.f;
      for (int c = 0; c < 3; ++c)
        image.pixels[at * 3 + static_cast<std::size_t>(c)] =
            hit ? 1.f
                : static_cast<float>(0.3 + 0.1 * std::sin(x * 0.8 + phase) + 0.1 * std::cos(y * 0.9 + c) +
                                     0.05 * rng.uniform());
    }
  if (mask != nullptr) *mask = drawn;
  return image;
}

TEST(Programs, InspectionFolderFromTrainingToPixelMetrics) {
  const TempDir dir;
  std::uint64_t seed = 1;
  const auto fill = [&](const std::string& folder, int count, bool scratch) {
    fs::create_directories(dir / folder);
    for (int i = 0; i < count; ++i) {
      Image mask;
      const std::string name = std::to_string(100 + i);
      write_png((dir / folder) + "/" + name + ".png", texture(seed++, scratch, &mask));
      if (folder != "data/test/scratch") continue;
      fs::create_directories(dir / "data/ground_truth/scratch");
      write_png(dir / ("data/ground_truth/scratch/" + name + "_mask.png"), mask);
    }
  };
  fill("data/train/good", 24, false);
  fill("data/train/abnormal", 8, true);
  fill("data/test/good", 5, false);
  fill("data/test/scratch", 5, true);
  const std::string model = dir / "run/model.safetensors";
  ASSERT_TRUE(ended(train(kTiny + kShort +
                          Words{"--data", dir / "data", "--channels", "3", "--fit", "letterbox", "--out", dir / "run"}),
                    0, {"inspection data", "known abnormal"}));
  EXPECT_TRUE(ended(infer({"info", "--model", model}), 0, {"8x8x3 letterbox"}));
  const auto r =
      infer({"evaluate", "--model", model, "--data", dir / "data", "--threads", "1", "--maps", "--out", dir / "out"});
  ASSERT_TRUE(ended(r, 0, {"10 images scored"}));
  const auto metrics = nlohmann::json::parse(read_file(dir / "out/metrics.json"));
  ASSERT_TRUE(metrics.contains("pixels")) << metrics.dump();
  EXPECT_EQ(metrics["pixels"]["images"], 10);
  for (const char* map : {"residual_map", "calibrated_map"})
    for (const char* key : {"auroc", "average_precision", "aupro_fpr_0.3"}) {
      const double v = metrics["pixels"].at(map).at(key).get<double>();
      EXPECT_TRUE(v >= 0 && v <= 1) << map << " " << key << " " << v;
    }
  EXPECT_EQ(metrics.at("images").at("anomalous"), 5);
  // Maps come back to the photographs' own shape, without the padding.
  for (const auto& row : read_csv(dir / "out/scores.csv")) {
    const Image heatmap = read_image(dir / ("out/maps/" + row.at("path") + ".heatmap.png"));
    EXPECT_EQ(heatmap.height, 16);
    EXPECT_EQ(heatmap.width, 24);
    EXPECT_EQ(row.at("label"), row.at("group") == "scratch" ? "anomalous" : "normal");
  }

  // One mask of another size and one that is no image: said, left out of the pixel metrics, and the rest goes on.
  const std::string masks = dir / "data/ground_truth/scratch/";
  write_png(masks + "100_mask.png", Image{16, 16, 1, std::vector<float>(256)});
  put(masks + "101_mask.png", "no image");
  const Words again = {"evaluate", "--model", model, "--data", dir / "data", "--threads", "1", "--out", dir / "again"};
  ASSERT_TRUE(ended(infer(again), 1, {"100_mask.png: the mask is 16x16, expected its image's 24x16", "101_mask.png"}));
  const auto fewer = nlohmann::json::parse(read_file(dir / "again/metrics.json"));
  EXPECT_EQ(fewer["pixels"]["images"], 8);
  EXPECT_EQ(fewer["mask_errors"].size(), 2u);
  EXPECT_EQ(fewer["images"]["anomalous"], 5);
  EXPECT_TRUE(ended(infer(again + Words{"--strict"}), 1, {"100_mask.png"}));
}

// Photographs larger than the networks: crops in training, tiles and a patch critic in scoring, all in the photographs'
// own coordinates.
TEST(Programs, SurfacesInTiles) {
  const TempDir dir;
  std::uint64_t seed = 1;
  const auto fill = [&](const std::string& folder, const std::string& masks, int count) {
    fs::create_directories(dir / folder);
    if (!masks.empty()) fs::create_directories(dir / masks);
    for (int i = 0; i < count; ++i) {
      // Four textures side by side, the second one scratched.
      Image image{32, 48, 1, std::vector<float>(32 * 48)}, mask{32, 48, 1, std::vector<float>(32 * 48)};
      for (int part = 0; part < 4; ++part) {
        Image marked;
        const Image piece = texture(seed++, part == 1 && !masks.empty(), &marked);
        for (int y = 0; y < 16; ++y)
          for (int x = 0; x < 24; ++x) {
            const auto to = static_cast<std::size_t>((y + part / 2 * 16) * 48 + x + part % 2 * 24);
            image.pixels[to] = piece.pixels[static_cast<std::size_t>(3 * (y * 24 + x))];
            mask.pixels[to] = marked.pixels[static_cast<std::size_t>(y * 24 + x)];
          }
      }
      const std::string name = std::to_string(100 + i);
      write_png((dir / folder) + "/" + name + ".png", image);
      if (!masks.empty()) write_png((dir / masks) + "/" + name + "_mask.png", mask);
    }
  };
  fill("data/train/good", "", 12);
  fill("data/train/abnormal", "data/ground_truth/abnormal", 4);
  fill("data/test/good", "", 4);
  fill("data/test/scratch", "data/ground_truth/scratch", 3);
  fill("data/test/gash", "data/ground_truth/gash", 2);
  const std::string model = dir / "run/model.safetensors";
  const Words training = {"--data",
                          dir / "data",
                          "--preset",
                          "tile64",
                          "--resolution",
                          "16",
                          "--fmap-max",
                          "4",
                          "--latent-size",
                          "4",
                          "--start-resolution",
                          "8",
                          "--fade-kimg",
                          ".05",
                          "--stable-kimg",
                          ".05",
                          "--total-kimg",
                          ".2",
                          "--encoder-kimg",
                          ".1",
                          "--patch-critic-kimg",
                          "2",
                          "--patch-critic-members",
                          "2",
                          "--patch-critic-maps",
                          "4",
                          "--patch-critic-levels",
                          "3",
                          "--steps",
                          "2",
                          "--threads",
                          "1"};
  const Words there = {"--out", dir / "run"};
  ASSERT_TRUE(
      ended(train(training + there), 0, {"patch critics trained: 2", "AUROC on held-out images", "patch_critic"}));
  EXPECT_TRUE(
      ended(infer({"info", "--model", model}), 0,
            {"16x16x1 tiles scale 1 normalised upright", "cells of 4x4 pixels", "largest tiles'", "of them drawn"}));
  EXPECT_NE(read_safetensors(model).metadata.at("calibration").find("map_weights"), std::string::npos);
  // What is finished is taken over.
  ASSERT_TRUE(
      ended(train(training + there + Words{"--resume"}), 0, {"patch critics: taken from", "encoder: taken from"}));
  const auto r = infer({"evaluate", "--model", model, "--data", dir / "data", "--threads", "1", "--maps",
                        "--search-share", "0.5", "--out", dir / "out"});
  ASSERT_TRUE(ended(r, 0, {"9 images scored"}));
  EXPECT_NE(r.out.find("scratch"), std::string::npos) << r.out;
  const auto metrics = nlohmann::json::parse(read_file(dir / "out/metrics.json"));
  EXPECT_EQ(metrics.at("pixels").at("size"), "image");
  EXPECT_EQ(metrics.at("kinds").at("gash").at("images"), 2);
  EXPECT_TRUE(metrics.at("kinds").at("scratch").at("auroc").contains("patch_area"));
  EXPECT_TRUE(metrics.at("kinds").at("scratch").contains("pixel_auroc"));
  const auto scores = nlohmann::json::parse(read_file(dir / "out/scores.json"));
  for (const auto& row : scores.at("images")) {
    for (const char* name : {"peak", "feature_maps", "patch_critic", "patch_area"})
      EXPECT_TRUE(row.at(name).is_number()) << row;
    const std::string base = dir / ("out/maps/" + row.at("path").get<std::string>());
    for (const char* picture : {".heatmap.png", ".reconstruction.png"}) {
      const Image image = read_image(base + picture);
      EXPECT_EQ(std::pair(image.height, image.width), std::pair(32, 48)) << picture;
    }
    EXPECT_EQ(read_npy(base + ".calibrated.npy").shape, (std::vector<std::int64_t>{32, 48}));
  }
  // The networks of a finished model, new patch critics: for defects that became known later.
  const Words anew = {"--data", dir / "data", "--from", model, "--patch-critic-members", "1", "--threads", "1"};
  ASSERT_TRUE(ended(train(anew + Words{"--out", dir / "later", "--tensorboard"}), 0,
                    {"encoder: taken from " + model, "patch critics trained: 1", "saved"}));
  const SafeTensorsFile a = read_safetensors(model), b = read_safetensors(dir / "later/model.safetensors");
  for (const auto& [name, tensor] : a.tensors) {
    if (name.starts_with("g.") || name.starts_with("d.") || name.starts_with("e.")) {
      EXPECT_EQ(a.get(name, "F32", tensor.shape).elements<float>(), b.get(name, "F32", tensor.shape).elements<float>());
    }
  }
  EXPECT_TRUE(b.tensors.contains("p.head.weight") && !b.tensors.contains("p1.head.weight"));
  std::set<std::string> tags;
  for (const std::string& path : event_files(dir / "later/tensorboard"))
    for (const ReadEvent& e : parse_events(read_file(path))) tags.insert(e.tag);
  for (const char* tag : {"combined/normal", "combined/known_abnormal", "patch_critic/drawn_abnormal"})
    EXPECT_TRUE(tags.contains(tag)) << tag;
  EXPECT_TRUE(ended(infer({"evaluate", "--model", dir / "later/model.safetensors", "--data", dir / "data", "--threads",
                           "1", "--out", dir / "out2"}),
                    0, {"9 images scored"}));
  // Other normals, with tiles and patch critics; those of the training are noticed by their names.
  const Words calibrate = {"calibrate", "--model", model, "--threads", "1", "--data"};
  ASSERT_TRUE(ended(infer(calibrate + Words{dir / "data/test/good", "--out", dir / "recalibrated"}), 0,
                    {"4 normal and 0 abnormal images", "saved"}));
  EXPECT_TRUE(
      ended(infer({"evaluate", "--model", dir / "recalibrated", "--data", dir / "data", "--threads", "1", "--out",
                   dir / "out3"}),
            1, {"has no normal images beside 4 that trained or calibrated the model"}));  // none is left to test on
  EXPECT_TRUE(ended(
      infer(calibrate + Words{dir / "data/train/good", "--abnormal", dir / "data/test/gash", "--out", dir / "trained"}),
      0, {"have names of images that trained the model"}));
  // Of the normals that would be held out now those that trained the networks are not.
  EXPECT_TRUE(ended(train(anew + Words{"--out", dir / "other", "--calibration-fraction", ".5"}), 0,
                    {"images are not used: they would be held out for calibration, but trained " + model}));
  EXPECT_TRUE(
      ended(train(anew + Words{"--out", dir / "cascade", "--cascade-loss", "0.99", "--patch-critic-crop", "32"}), 0,
            {"cascade: 0 % of normal surface's tiles are searched", "saved"}));
  EXPECT_TRUE(ended(train(anew + Words{"--out", dir / "careful", "--cascade-loss", "0.001"}), 0, {", 0 are lost"}));
  EXPECT_NE(infer({"info", "--model", dir / "cascade/model.safetensors"}).out.find("\"search-share\": 0.0"),
            std::string::npos);
  EXPECT_TRUE(refused(train(anew + Words{"--out", dir / "x", "--patch-critic-crop", "31"}), 2,
                      {"--patch-critic-crop: value 31", "a multiple of 2^(patch-critic-levels - 1) = 4"}));
  EXPECT_TRUE(refused(train(anew + Words{"--out", dir / "run"}), 2, {"--out", "already holds a run"}));
  EXPECT_TRUE(
      ended(train(anew + Words{"--out", dir / "later", "--resume"}), 0, {"patch critics: taken from", "saved"}));
  // Without --from nothing there can be gone on with, and the model is not to be written over.
  EXPECT_TRUE(refused(train({"--data", dir / "data", "--out", dir / "later", "--resume"}), 2,
                      {"--out " + (dir / "later"), "holds a model", "give --from as before"}));
  EXPECT_TRUE(refused(train({"--data", dir / "data", "--out", dir / "later"}), 2,
                      {"--out " + (dir / "later"), "holds a model", "choose another directory"}));
  EXPECT_TRUE(refused(train(anew + Words{"--out", dir / "x", "--gamma", "0.5"}), 2,
                      {"--gamma is 0.5, but " + model + " was trained with 1.0", "cannot change with --from"}));
  EXPECT_TRUE(refused(train(anew + Words{"--out", dir / "x", "--scale", "2"}), 2, {"--scale", "--from"}));
  EXPECT_TRUE(refused(train(anew + Words{"--out", dir / "x", "--no-patch-critic"}), 2, {"--from", "--patch-critic"}));
  EXPECT_TRUE(refused(train({"--data", dir / "data", "--from", dir / "none", "--out", dir / "x"}), 1, {dir / "none"}));
  EXPECT_FALSE(std::filesystem::exists(dir / "x/model.safetensors"));
  // Whole images by name, and a patch critic that has nothing to do there.
  EXPECT_TRUE(ended(train(training + Words{"--tiles", "off", "--out", dir / "whole"}), 0,
                    {"--patch-critic has no effect on whole images", "--synthetic-abnormal has no effect"}));
}

// The GPU's path through both programs, in emulation.
TEST(Devices, TrainsAndScoresOnTheEmulatedGpu) {
  if (!kEmulation) GTEST_SKIP() << kNoEmulation;
  const Words toy = {"--data",       shared().data, "--normal-class",       "8",     "--resolution",  "8",
                     "--fmap-max",   "8",           "--latent-size",        "8",     "--batch",       "4",
                     "--total-kimg", "0.048",       "--fade-kimg",          "0.016", "--stable-kimg", "0.016",
                     "--steps",      "3",           "--calibration-images", "4",     "--device",      "cuda-emulated"};
  const TempDir dir;
  ASSERT_TRUE(ended(train(toy + Words{"--out", dir / "run"}), 0, {"on cuda-emulated", "saved"}));
  write_digits(dir / "images", 6);
  std::vector<std::vector<double>> columns;
  for (const char* device : {"cuda-emulated", "cpu"}) {
    const std::string out = dir / device;
    ASSERT_TRUE(ended(infer({"score", "--model", dir / "run/model.safetensors", "--input", dir / "images", "--device",
                             device, "--steps", "10", "--out", out}),
                      0, {"6 images scored"}));
    const auto scores = nlohmann::json::parse(read_file(out + "/scores.json"));
    std::vector<double> values;
    for (const auto& image : scores.at("images"))
      for (const auto& [name, value] : image.items())
        if (value.is_number()) values.push_back(value);
    columns.push_back(values);
  }
  ASSERT_GE(columns[0].size(), 30u);
  ASSERT_EQ(columns[0].size(), columns[1].size());
  for (std::size_t i = 0; i < columns[0].size(); ++i)
    EXPECT_NEAR(columns[0][i], columns[1][i], 1e-3 * std::max(1.0, std::fabs(columns[1][i]))) << "score " << i;
}

TEST(Devices, MissingOnesAreRefusedInWords) {
  const TempDir dir;
  const Words words = Words{"--data", shared().data, "--out", dir / "run"};
  EXPECT_TRUE(refused(train(words + Words{"--device", "cuda:99"}), 1, {"cuda:99", "--device cpu"}) ||
              refused(train(words + Words{"--device", "cuda:99"}), 1, {"cuda:99", "GPU(s)"}));
  EXPECT_TRUE(refused(train(words + Words{"--device", "cuda:x"}), 2, {"--device", "cuda:x", "expected"}));
  EXPECT_TRUE(refused(train(words + Words{"--device", "cpu", "--precision", "bf16"}), 2, {"precision", "fp32"}));
}

TEST(Devices, DryRunNeedsNeitherDeviceNorData) {
  for (const char* device : {"cpu", "cuda"}) {
    const ProcessResult r = train({"--dry-run", "--preset", "pggan", "--device", device});
    EXPECT_TRUE(ended(r, 0, {"side", "GFLOP/step", "1024"})) << device;
    EXPECT_TRUE(ended(train({"--dry-run", "--preset", "tile64", "--device", device}), 0,
                      {"patch critics, with tiles: 1 of ", "6250 steps of 32 crops"}))
        << device;
  }
}

}  // namespace
}  // namespace pgad::test
