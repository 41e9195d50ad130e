// Pictures as users have them, through both programs: turned, deep, in colour, in other formats, with masks of all
// kinds.

#include "tests/image_files.h"
#include "tests/programs.h"

namespace pgad::test {
namespace {

// A 12 wide, 8 high pattern of numbers from 0 to 1 that differs in each corner.
double pattern(std::uint64_t seed, int y, int x) {
  Rng rng(seed, static_cast<std::uint64_t>(y * 12 + x));
  return (x < 4 ? 0.1 : 0.4) + (y < 3 ? 0.3 : 0.0) + 0.2 * rng.uniform();
}

// colored: red and blue apart; else equal channels of an RGB file.
Image picture_of(std::uint64_t seed, bool colored, int channels = 3) {
  Image image{8, 12, channels, {}};
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 12; ++x)
      for (int c = 0; c < channels; ++c)
        image.pixels.push_back(static_cast<float>(pattern(seed, y, x) + (colored ? 0.05 * c : 0.0)));
  return image;
}

Bytes bytes_of(const Image& image) {
  Bytes bytes;
  for (const float v : image.pixels) bytes.push_back(static_cast<unsigned char>(std::lround(v * 255)));
  return bytes;
}

// A grey PNG of 16 bits whose values are the pattern's of `bits` bits.
std::string deep_png(std::uint64_t seed, int bits, int sbit) {
  std::vector<Bytes> rows;
  for (int y = 0; y < 8; ++y) {
    std::vector<int> row;
    for (int x = 0; x < 12; ++x) row.push_back(static_cast<int>(pattern(seed, y, x) * ((1 << bits) - 1)) | 1);
    rows.push_back(row16(row));
  }
  return make_png({12, 8, 16, PNG_COLOR_TYPE_GRAY, false, {}, false, sbit}, rows);
}

using MakeFile = std::function<std::string(int)>;

void fill(const std::string& folder, int count, const MakeFile& file, const std::string& ending = ".png") {
  fs::create_directories(folder);
  for (int i = 0; i < count; ++i) put(folder + "/" + std::to_string(100 + i) + ending, file(i));
}

void fill(const std::string& folder, int count, const std::function<Image(int)>& image) {
  fs::create_directories(folder);
  for (int i = 0; i < count; ++i) write_png(folder + "/" + std::to_string(100 + i) + ".png", image(i));
}

ProcessResult train_on(const std::string& data, const std::string& out, const Words& more = {}) {
  return train(with(kTiny, {"--total-kimg", "0.06", "--fade-kimg", "0.02", "--stable-kimg", "0.02"}) +
               Words{"--data", data, "--out", out} + more);
}

ProcessResult score(const std::string& model, const std::string& input, const std::string& out,
                    const Words& more = {}) {
  return infer(
      Words{"score", "--model", model + "/model.safetensors", "--input", input, "--out", out, "--threads", "1"} + more);
}

std::string preprocessing_of(const std::string& run) {
  return read_safetensors(run + "/model.safetensors").metadata.at("preprocessing");
}

// A model of upright RGB pictures in colour.
struct Colored {
  TempDir dir;
  std::string run = dir / "run";
  ProcessResult trained;
  Colored() {
    fill(dir / "data", 12, [](int i) { return picture_of(static_cast<std::uint64_t>(i), true); });
    trained = train_on(dir / "data", run);
    if (trained.exit_code != 0) throw Error("training failed: " + trained.err);
  }
};
const Colored& colored() {
  static const Colored c;
  return c;
}

// ---- channels ----

TEST(Pictures, ChannelsFollowThePixelsNotTheFileType) {
  EXPECT_TRUE(ended(colored().trained, 0, {"--channels auto: 3 (RGB)"}));
  EXPECT_TRUE(preprocessing_of(colored().run).starts_with("8x8x3 ")) << preprocessing_of(colored().run);
  const TempDir dir;
  fill(dir / "grey", 12, [](int i) { return picture_of(static_cast<std::uint64_t>(i), false); });  // RGB files
  EXPECT_TRUE(ended(train_on(dir / "grey", dir / "run"), 0, {"--channels auto: 1 (grey)"}));
  EXPECT_TRUE(preprocessing_of(dir / "run").starts_with("8x8x1 "));
  const auto config = nlohmann::json::parse(read_file(dir / "run/config.json"));
  EXPECT_EQ(config.at("channels"), 1);  // what was found, for good
  EXPECT_TRUE(ended(train({"--out", dir / "run", "--resume", "--threads", "1"}), 0));
  // With a file of options of which channels is none, a resumed run keeps its own.
  nlohmann::json file = config;
  file["channels"] = "auto";
  put(dir / "options.json", file.dump());
  EXPECT_TRUE(ended(train({"--config", dir / "options.json", "--resume"}), 0));
}

TEST(Pictures, ColourThatIsNotSeenAndMixedFoldersAreSaid) {
  const TempDir dir;
  EXPECT_TRUE(ended(train_on(colored().dir / "data", dir / "run", {"--channels", "1"}), 0,
                    {"note: the training images have colour, which the model does not see with --channels 1"}));
  fill(dir / "mixed", 12, [](int i) { return picture_of(static_cast<std::uint64_t>(i), i % 3 == 0, i % 2 ? 3 : 3); });
  EXPECT_TRUE(ended(train_on(dir / "mixed", dir / "mixed-run"), 0,
                    {"training images looked at", "have colour and", "are grey", "--channels auto: 3 (RGB)"}));
}

// ---- formats ----

TEST(Pictures, EveryFormatOfAFolderIsScored) {
  const TempDir dir;
  const std::string in = dir / "in";
  fs::create_directories(in);
  const Image image = picture_of(50, true);
  const Bytes rgb = bytes_of(image);
  const auto at = [&](int s, int y, int x) {
    return static_cast<int>(rgb[static_cast<std::size_t>((y * 12 + x) * 3 + s)]);
  };
  write_png(in + "/a.png", image);
  std::vector<std::string> rows;
  for (int y = 7; y >= 0; --y) {
    rows.emplace_back();
    for (int x = 0; x < 12; ++x)
      for (const int s : {2, 1, 0}) rows.back() += static_cast<char>(at(s, y, x));
  }
  put(in + "/b.BMP", make_bmp(12, 8, 24, rows));
  TiffSpec spec{12, 8, 8, 3};
  spec.photometric = PHOTOMETRIC_RGB;
  put(in + "/c.tif", make_tiff(spec, at));
  put(in + "/d.webp", make_webp(12, 8, false, true, rgb));
  put(in + "/e.ppm", "P6 12 8 255\n" + std::string(rgb.begin(), rgb.end()));
  ASSERT_TRUE(ended(score(colored().run, in, dir / "out", {"--maps"}), 0, {"5 images scored"}));
  const auto scores = scores_by_name(dir / "out/scores.csv");
  ASSERT_EQ(scores.size(), 5u);
  for (const auto& [name, values] : scores) EXPECT_EQ(values, scores.at("a.png")) << name;
  // A format that is not read fails for itself alone, and says how to convert it.
  put(in + "/f.png", "GIF89a....");
  EXPECT_TRUE(refused(score(colored().run, in, dir / "gif"), 1,
                      {"5 images scored", "f.png' is a GIF image, which is not read", "convert '"}));
  EXPECT_TRUE(ended(score(colored().run, in + "/a.png", dir / "few", {"--max-pixels", "95"}), 1,
                    {"12x8 pixels; expected at least 1x1 and at most 95 in all (--max-pixels)"}));
  EXPECT_TRUE(ended(score(colored().run, in + "/a.png", dir / "few", {"--max-pixels", "96"}), 0));
}

// ---- orientation ----

// picture_of(seed) as a PNG, upright or lying on its side with an orientation that says so.
std::string turned_png(std::uint64_t seed, bool turned) {
  const Image image = picture_of(seed, true);
  const Bytes rgb = bytes_of(image);
  std::vector<Bytes> rows;
  const int height = turned ? 12 : 8, width = turned ? 8 : 12;
  for (int y = 0; y < height; ++y) {
    rows.emplace_back();
    for (int x = 0; x < width; ++x) {
      // 8: the 0th row is at the visual left, the 0th column at the visual bottom.
      const std::size_t from = static_cast<std::size_t>(turned ? (7 - x) * 12 + y : y * 12 + x) * 3;
      rows.back().insert(rows.back().end(), rgb.begin() + static_cast<long>(from),
                         rgb.begin() + static_cast<long>(from) + 3);
    }
  }
  return make_png({width, height, 8, PNG_COLOR_TYPE_RGB, false, {}, false, 0, turned ? exif_block(8) : ""}, rows);
}

TEST(Pictures, TurnedPicturesAreScoredUpright) {
  const TempDir dir;
  fs::create_directories(dir / "in");
  put(dir / "in/turned.png", turned_png(50, true));
  put(dir / "in/upright.png", turned_png(50, false));
  EXPECT_EQ(preprocessing_of(colored().run), "8x8x3 resize upright");
  ASSERT_TRUE(ended(score(colored().run, dir / "in", dir / "out", {"--maps"}), 0));
  auto scores = scores_by_name(dir / "out/scores.csv");
  EXPECT_EQ(scores.at("turned.png"), scores.at("upright.png"));
  EXPECT_EQ(read_image(dir / "out/maps/turned.png.heatmap.png").width, 12);
  // A model that was trained on pictures as they are stored scores them so.
  ASSERT_TRUE(ended(train_on(colored().dir / "data", dir / "run", {"--no-exif-orientation"}), 0));
  EXPECT_EQ(preprocessing_of(dir / "run"), "8x8x3 resize");
  ASSERT_TRUE(ended(score(dir / "run", dir / "in", dir / "stored"), 0));
  scores = scores_by_name(dir / "stored/scores.csv");
  EXPECT_NE(scores.at("turned.png"), scores.at("upright.png"));
}

// Models from before orientation and depth were looked at score as they did.
TEST(Pictures, OlderModelsTreatPicturesAsTheyDid) {
  const TempDir dir;
  SafeTensorsFile file = read_safetensors(colored().run + "/model.safetensors");
  file.metadata["preprocessing"] = "8x8x3 resize";
  auto config = nlohmann::json::parse(file.metadata.at("config"));
  for (const char* key : {"exif-orientation", "bits", "max-pixels"}) ASSERT_EQ(config.erase(key), 1u) << key;
  file.metadata["config"] = config.dump();
  std::vector<SafeTensorView> views;
  for (const auto& [name, t] : file.tensors) views.push_back({name, t.dtype, t.shape, t.bytes});
  fs::create_directories(dir / "run");
  write_safetensors(dir / "run/model.safetensors", views, file.metadata);
  fs::create_directories(dir / "in");
  put(dir / "in/deep.png", deep_png(50, 12, 12));
  put(dir / "in/full.png", deep_png(50, 12, 0));
  put(dir / "in/turned.png", turned_png(50, true));
  put(dir / "in/upright.png", turned_png(50, false));
  ASSERT_TRUE(ended(score(dir / "run", dir / "in", dir / "out"), 0));
  const auto scores = scores_by_name(dir / "out/scores.csv");
  EXPECT_EQ(scores.at("deep.png"), scores.at("full.png"));
  EXPECT_NE(scores.at("turned.png"), scores.at("upright.png"));
}

// ---- depth ----

TEST(Pictures, DepthOfTheTrainingHoldsForScoring) {
  const TempDir dir;
  fill(dir / "data", 12, [](int i) { return deep_png(static_cast<std::uint64_t>(i), 12, 12); });
  ASSERT_TRUE(ended(train_on(dir / "data", dir / "run"), 0));
  EXPECT_EQ(preprocessing_of(dir / "run"), "8x8x1 resize upright 12-bit");
  fs::create_directories(dir / "in");
  put(dir / "in/said.png", deep_png(50, 12, 12));
  put(dir / "in/not-said.png", deep_png(50, 12, 0));
  EXPECT_TRUE(refused(score(dir / "run", dir / "in", dir / "out"), 1,
                      {"1 images scored", "not-said.png'", "full brightness is 65535 (16 bits)",
                       "trained on images of 12 bits", "--bits 12"}));
  ASSERT_TRUE(ended(score(dir / "run", dir / "in", dir / "told", {"--bits", "12"}), 0, {"2 images scored"}));
  const auto scores = scores_by_name(dir / "told/scores.csv");
  EXPECT_EQ(scores.at("said.png"), scores.at("not-said.png"));
}

TEST(Pictures, DarkTrainingImagesAreNotedAndBitsReadThem) {
  const TempDir dir;
  fill(dir / "data", 12, [](int i) { return deep_png(static_cast<std::uint64_t>(i), 12, 0); });
  const Words note = {"note: all values of the 16 bit training images looked at", "below 4096 of 65535", "--bits 12"};
  EXPECT_TRUE(ended(train_on(dir / "data", dir / "dark"), 0, note));
  EXPECT_EQ(preprocessing_of(dir / "dark"), "8x8x1 resize upright 16-bit");
  EXPECT_TRUE(ended(score(dir / "dark", dir / "data/100.png", dir / "out"), 0, {"all values are below 4096 of 65535"}));
  const auto told = train_on(dir / "data", dir / "told", {"--bits", "12"});
  EXPECT_TRUE(ended(told, 0));
  EXPECT_EQ(told.err.find("below 4096"), std::string::npos) << told.err;
  EXPECT_EQ(preprocessing_of(dir / "told"), "8x8x1 resize upright 12-bit");
  EXPECT_TRUE(ended(score(dir / "told", dir / "data", dir / "scored"), 0, {"12 images scored"}));  // the model's --bits
}

TEST(Pictures, TrainingOnTwoDepthsIsRefused) {
  const TempDir dir;
  fill(dir / "data", 12,
       [](int i) { return deep_png(static_cast<std::uint64_t>(i), i % 2 ? 12 : 16, i % 2 ? 12 : 0); });
  EXPECT_TRUE(refused(train_on(dir / "data", dir / "run"), 2, {"training images of", "12 bits", "16 bits", "--bits"}));
}

// ---- masks ----

struct MaskCase {
  TempDir dir;
  std::string data = dir / "data", masks = data + "/ground_truth/spot/";
  int runs = 0;

  MaskCase() {
    fill(data + "/train/good", 1, [](int i) { return picture_of(static_cast<std::uint64_t>(i), true); });
    fill(data + "/test/good", 2, [](int i) { return picture_of(static_cast<std::uint64_t>(60 + i), true); });
    fill(data + "/test/spot", 2, [](int i) { return picture_of(static_cast<std::uint64_t>(70 + i), true); });
    fs::create_directories(masks);
  }
  ProcessResult evaluate(nlohmann::json& metrics, const Words& more = {}) {
    const std::string out = dir / ("out" + std::to_string(runs++));
    const ProcessResult r = infer(Words{"evaluate", "--model", colored().run + "/model.safetensors", "--data", data,
                                        "--out", out, "--threads", "1"} +
                                  more);
    if (fs::exists(out + "/metrics.json")) metrics = nlohmann::json::parse(read_file(out + "/metrics.json"));
    return r;
  }
};

// A mask whose pixels are `mark` in a square and `background` elsewhere.
std::string mask_png(const Bytes& background, const Bytes& mark, int width = 12, int height = 8) {
  std::vector<Bytes> rows;
  for (int y = 0; y < height; ++y) {
    rows.emplace_back();
    for (int x = 0; x < width; ++x) {
      const Bytes& pixel = x >= width / 3 && x < 2 * width / 3 && y < height / 2 ? mark : background;
      rows.back().insert(rows.back().end(), pixel.begin(), pixel.end());
    }
  }
  const int colors[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                        PNG_COLOR_TYPE_RGB_ALPHA};
  return make_png({width, height, 8, colors[mark.size()]}, rows);
}

// All these mean the same.
TEST(Pictures, MasksOfAllKindsGiveTheSameFigures) {
  MaskCase c;
  nlohmann::json reference, metrics;
  const auto put_masks = [&](const std::string& ending, const std::string& file) {
    fs::remove_all(c.masks);
    fs::create_directories(c.masks);
    for (const char* name : {"100", "101"}) put(c.masks + name + ending, file);
  };
  put_masks("_mask.png", mask_png({0}, {255}));
  ASSERT_TRUE(ended(c.evaluate(reference), 0, {"masks: 2 of 2 anomalous images"}));
  ASSERT_TRUE(reference.contains("pixels")) << reference.dump();
  EXPECT_EQ(reference.at("masks").at("used"), 2);
  const std::vector<std::tuple<std::string, std::string, std::string>> kinds = {
      {"labels", "_mask.png", mask_png({0}, {1})},
      {"red", "_mask.png", mask_png({0, 0, 0}, {255, 0, 0})},
      {"red on nothing", "_mask.png", mask_png({255, 255, 255, 0}, {255, 0, 0, 255})},
      {"capitals", "_mask.PNG", mask_png({0}, {255})},
      {"the image's name", ".PNG", mask_png({0}, {255})},
      {"PGM", "_mask.pgm",
       "P5 12 8 1\n" +
           [] {
             std::string pixels;
             for (int y = 0; y < 8; ++y)
               for (int x = 0; x < 12; ++x) pixels += static_cast<char>(x >= 4 && x < 8 && y < 4);
             return pixels;
           }()},
      {"JPEG", "_mask.jpg",
       make_jpeg(12, 8, 3, false, {},
                 [](int y, int x, int k) { return k == 0 && x >= 4 && x < 8 && y < 4 ? 255 : 0; })},
  };
  for (const auto& [what, ending, file] : kinds) {
    put_masks(ending, file);
    EXPECT_TRUE(ended(c.evaluate(metrics), 0, {"masks: 2 of 2 anomalous images"})) << what;
    EXPECT_EQ(metrics["pixels"], reference["pixels"]) << what;
  }
  put_masks("_mask.png", mask_png({0}, {255}, 24, 16));
  EXPECT_TRUE(ended(c.evaluate(metrics), 1,
                    {"the mask is 24x16, expected its image's 12x8; --resize-masks",
                     "masks: 0 of 2 anomalous images, 2 could not be used; no figures on pixels"}));
  EXPECT_FALSE(metrics.contains("pixels"));
  EXPECT_TRUE(ended(c.evaluate(metrics, {"--resize-masks"}), 0, {"masks: 2 of 2"}));
  EXPECT_EQ(metrics["pixels"], reference["pixels"]);
}

TEST(Pictures, FiguresOnPixelsAreNeverMissingSilently) {
  MaskCase c;
  nlohmann::json metrics;
  fs::remove_all(c.data + "/ground_truth");
  EXPECT_TRUE(ended(c.evaluate(metrics), 0,
                    {"masks: 0 of 2 anomalous images, 2 have none; no figures on pixels, because "
                     "no mask is used"}));
  EXPECT_EQ(metrics.at("masks").at("missing"), 2);
  fs::create_directories(c.masks);
  put(c.masks + "100_mask.png", mask_png({0}, {0}));
  EXPECT_TRUE(ended(c.evaluate(metrics), 0,
                    {"masks: 1 of 2 anomalous images, 1 have none; no figures on pixels, because "
                     "no mask has an anomalous pixel"}));
  put(c.masks + "100_mask.png", mask_png({255}, {255}));
  put(c.masks + "101_mask.png", mask_png({9, 9, 9, 0}, {90, 9, 9, 0}));
  EXPECT_TRUE(
      ended(c.evaluate(metrics), 0,
            {"100_mask.png': all of it is anomalous", "101_mask.png': all of it is transparent", "masks: 2 of 2"}));
  EXPECT_EQ(metrics.at("masks").at("notes").size(), 2u);
  std::string labels = "P2 12 8 255\n";
  for (int i = 0; i < 96; ++i) labels += std::to_string(i % 3) + " ";
  put(c.masks + "100_mask.png", labels);
  EXPECT_TRUE(ended(c.evaluate(metrics), 1,
                    {"100_mask.png': it has 3 different values (0, 1, 2 of 255)", "--mask-threshold 0",
                     "masks: 1 of 2 anomalous images, 1 could not be used"}));
  EXPECT_EQ(metrics.at("masks").at("not_usable"), 1);
  EXPECT_TRUE(ended(c.evaluate(metrics, {"--mask-threshold", "0"}), 0, {"masks: 2 of 2"}));
  EXPECT_TRUE(metrics.contains("pixels"));
  EXPECT_TRUE(ended(c.evaluate(metrics, {"--mask-threshold", "2"}), 2, {"--mask-threshold"}));
}

}  // namespace
}  // namespace pgad::test
