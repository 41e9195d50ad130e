// pgad_data convert: other layouts made into inspection folders.

#include "preparation/convert.h"

#include <gtest/gtest.h>

#include "images/dataset.h"
#include "tests/image_files.h"
#include "tests/programs.h"

namespace pgad::test {
namespace {

// Pictures are told apart by their one grey value; masks are drawn in lines of '.' and '#'.
void write(const std::string& path, int value, int height = 4, int width = 6) {
  fs::create_directories(fs::path(path).parent_path());
  write_png(path, {height, width, 1,
                   std::vector<float>(static_cast<std::size_t>(height * width), static_cast<float>(value) / 255)});
}
int value_of(const std::string& path) { return static_cast<int>(std::lround(255 * read_image(path).pixels[0])); }

void write_mask(const std::string& path, const std::vector<std::string>& lines, float mark = 1) {
  fs::create_directories(fs::path(path).parent_path());
  Image mask{static_cast<int>(lines.size()), static_cast<int>(lines[0].size()), 1, {}};
  for (const std::string& line : lines)
    for (const char c : line) mask.pixels.push_back(c == '#' ? mark : 0.0f);
  write_png(path, mask);
}
const std::vector<std::string> kBlack(4, "......"), kSpot = {"......", "..##..", "......", "......"};

std::vector<std::string> lines_of(const std::string& path) {
  const Image mask = read_image(path);
  std::vector<std::string> lines(static_cast<std::size_t>(mask.height));
  for (std::size_t i = 0; i < mask.pixels.size(); ++i) {
    EXPECT_TRUE(mask.pixels[i] == 0 || mask.pixels[i] == 1) << mask.pixels[i];
    lines[i / static_cast<std::size_t>(mask.width)] += mask.pixels[i] > 0 ? '#' : '.';
  }
  return lines;
}

void write_text(const std::string& path, const std::string& text) {
  fs::create_directories(fs::path(path).parent_path());
  put(path, text);
}

// Every file below a folder with its bytes.
std::map<std::string, std::string> content(const std::string& root) {
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

void expect_in(const std::string& text, const Words& words) {
  for (const std::string& word : words) EXPECT_NE(text.find(word), std::string::npos) << word << " in: " << text;
}

// ---- pairs ----

class Pairs : public Convert {
 protected:
  void pair(const std::string& folder, const std::string& name, int value, const std::vector<std::string>& mask) {
    fs::create_directories(in(folder));
    put(in(folder + "/" + name + ".jpg"), make_jpeg(6, 4, 1, false, {}, [&](int, int, int) { return value; }));
    write_mask(in(folder + "/" + name + ".png"), mask);
  }
};

TEST_F(Pairs, MagneticTiles) {
  for (const int i : {1, 2, 3}) pair("MT_Free/Imgs", str(i), i, kBlack);
  for (const int i : {4, 5}) pair("MT_Crack/Imgs", str(i), i, kSpot);
  pair("MT_Uneven/Imgs", "6", 6, kSpot);
  pair("MT_Uneven/Imgs", "7", 7, kBlack);  // the folder says that it is uneven, the mask nothing
  write(in("dataset.png"), 9);
  write_text(in("MT_Crack/readme.md"), "x");
  EXPECT_EQ(recognise(options_.source), SourceLayout::kPairs);
  const Converted converted = convert();
  EXPECT_EQ(converted.layout, SourceLayout::kPairs);
  EXPECT_EQ(converted.images, (Counts{{"test/good", 3}, {"test/crack", 2}, {"test/uneven", 2}}));
  EXPECT_EQ(converted.masks, 3);
  for (const char* text :
       {"normal by their names: 'MT_Free'", "1 images of defects have black masks", "1 images directly in", "1 .md"})
    EXPECT_TRUE(noted(converted, text)) << text;
  const auto masks = opened();
  EXPECT_EQ(masks.size(), 7u);
  EXPECT_EQ(lines_of(masks.at("test/crack/4.jpg")), kSpot);
  EXPECT_EQ(masks.at("test/uneven/7.jpg"), "");
  EXPECT_TRUE(fs::is_symlink(out("test/good/1.jpg")));
  EXPECT_EQ(fs::read_symlink(out("ground_truth/crack/4_mask.png")), in("MT_Crack/Imgs/4.png"));
  const auto description = nlohmann::json::parse(read_file(out("description.json")));
  EXPECT_EQ(description.at("layout"), "pairs");
}

TEST_F(Pairs, PartsInFoldersAreNoKinds) {
  for (const int part : {1, 2, 3})
    for (const int i : {0, 1, 2}) {
      const std::string base = in(str("kos0", part, "/Part", i));
      write(base + ".jpg", 10 * part + i);  // told by content
      write_mask(base + "_label.bmp", i == part % 3 ? kSpot : kBlack);
    }
  const Converted converted = convert();
  EXPECT_EQ(converted.images, (Counts{{"test/good", 6}, {"test/defect", 3}}));
  EXPECT_TRUE(noted(converted, "not taken for kinds"));
  std::set<int> good;
  for (const auto& [name, mask] : opened()) {
    if (name.starts_with("test/good")) good.insert(value_of(out(name)));
    if (name.starts_with("test/defect")) {
      EXPECT_EQ(lines_of(mask), kSpot) << name;
    }
  }
  EXPECT_EQ(good, (std::set<int>{10, 12, 20, 21, 31, 32}));  // names that are equal keep their images
  EXPECT_TRUE(fs::exists(out("test/good/kos02_Part0.jpg")));
}

TEST_F(Pairs, TrainingAndTestStayApart) {
  for (const char* folder : {"train", "test"})
    for (const int i : {1, 2, 3}) {
      write(in(str(folder, "/", i, ".png")), i);
      write_mask(in(str(folder, "/", i, "_GT.png")), i == 3 ? kSpot : kBlack);
    }
  const Converted converted = convert();
  EXPECT_EQ(converted.images, (Counts{{"train/good", 2}, {"train/abnormal", 1}, {"test/good", 2}, {"test/defect", 1}}));
  EXPECT_EQ(lines_of(out("ground_truth/abnormal/defect_3_mask.png")), kSpot);
  EXPECT_EQ(lines_of(out("ground_truth/defect/3_mask.png")), kSpot);
}

TEST_F(Pairs, InOneFolder) {
  options_.copy = true;
  for (const int i : {1, 2, 3}) write(in(str(i, ".png")), i);
  write_mask(in("1_mask.png"), kSpot);
  write_mask(in("9_mask.png"), kSpot);
  const Converted converted = convert();
  EXPECT_EQ(converted.images, (Counts{{"test/good", 2}, {"test/defect", 1}}));
  EXPECT_TRUE(noted(converted, "2 images without a mask are taken for normal"));
  EXPECT_TRUE(noted(converted, "1 masks have no image and are left out: '9_mask.png'"));
  EXPECT_FALSE(fs::is_symlink(out("test/good/2.png")));
  EXPECT_EQ(read_file(out("test/good/2.png")), read_file(in("2.png")));
}

TEST_F(Pairs, NormalFoldersAreNamedOrGuessed) {
  pair("a", "1", 1, kSpot);
  pair("b", "2", 2, kSpot);
  options_.normal = "b";
  EXPECT_EQ(convert().images, (Counts{{"test/a", 1}, {"test/good", 1}}));
  options_.normal = "c";
  expect_in(failure(), {"usage: ", "--normal", "'c'", "'a', 'b'"});
  options_.normal = "";
  pair("not_ok", "3", 3, kSpot);
  pair("all-OK", "4", 4, kSpot);
  options_.out = dir_ / "guessed";
  const Converted converted = convert();
  EXPECT_EQ(converted.images, (Counts{{"test/a", 1}, {"test/b", 1}, {"test/not_ok", 1}, {"test/good", 1}}));
  EXPECT_TRUE(noted(converted, "1 images of folders called normal have masks that mark something"));
}

TEST_F(Pairs, MasksOfSeveralValuesAreWrittenAnew) {
  write(in("ok/0.jpg"), 9);
  pair("dent", "1", 1, kSpot);
  write_png(in("dent/1.png"),
            {4, 6, 1, {0, 0, 0, 0, 0, 0, 0, 0, 0.2f, 0, 0, 0, 0, 0, 0, 0, 0.5f, 0.5f, 0.5f, 1, 0, 0, 0, 0}});
  EXPECT_TRUE(noted(convert(), "1 masks of three to eight values are written anew: all above 0"));
  EXPECT_EQ(lines_of(opened().at("test/dent/1.jpg")),
            (std::vector<std::string>{"......", "..#...", "....##", "##...."}));
  EXPECT_FALSE(fs::is_symlink(out("ground_truth/dent/1_mask.png")));
}

TEST_F(Pairs, Errors) {
  pair("a", "1", 1, kSpot);
  write_mask(in("a/1_mask.png"), kSpot);
  expect_in(failure(), {"'" + in("a") + "'", "which of '1.jpg', '1.png' is the image"});
  fs::remove(in("a/1_mask.png"));
  put(in("a/1.png"), "no picture");
  expect_in(failure(), {in("a/1.png")});
  EXPECT_FALSE(fs::exists(options_.out)) << "looked through before anything is written";
  pair("a", "1", 1, kSpot);
  pair("good", "1", 1, kBlack);
  options_.normal = "a";
  expect_in(failure(), {"usage: ", "'good' is a kind of defect"});
}

// ---- mvtec, mvtec2 ----

TEST_F(Convert, Mvtec) {
  for (const char* object : {"bottle", "cable"}) {
    const std::string root = str(object, "/");
    write(in(root + "train/good/000.png"), 1);
    write(in(root + "test/good/000.png"), 2);
    write(in(root + "test/bent wire/000.png"), 3);
    write_mask(in(root + "ground_truth/bent wire/000_mask.png"), kSpot);
    write_text(in(root + "readme.txt"), "x");
  }
  EXPECT_EQ(recognise(options_.source), SourceLayout::kMvtec);
  expect_in(failure(), {"usage: ", "--object", "'bottle', 'cable'"});
  options_.object = "nut";
  expect_in(failure(), {"usage: ", "--object 'nut'", "'bottle', 'cable'"});
  options_.object = "cable";
  const Converted converted = convert();
  EXPECT_EQ(converted.images, (Counts{{"train/good", 1}, {"test/good", 1}, {"test/bent_wire", 1}}));
  EXPECT_TRUE(noted(converted, "the kind 'bent wire' is the folder 'bent_wire'"));
  EXPECT_TRUE(noted(converted, "1 .txt"));
  EXPECT_EQ(lines_of(opened().at("test/bent_wire/000.png")), kSpot);
  EXPECT_EQ(value_of(out("train/good/000.png")), 1);

  options_.source = in("bottle");
  options_.out = dir_ / "one";
  options_.object = "";
  EXPECT_EQ(convert().images.size(), 3u);
  options_.object = "bottle";
  expect_in(failure(), {"usage: ", "single data set"});
}

TEST_F(Convert, MvtecWithKnownDefects) {
  for (const char* folder : {"train/good", "train/abnormal", "test/good", "test/abnormal"})
    write(in(str(folder, "/0.png")), folder[1] == 'r' ? 1 : 2);
  write_mask(in("ground_truth/abnormal/0_mask.png"), kSpot);
  EXPECT_EQ(convert().masks, 2);  // one mask is meant for both, but they are two images here
  DataConfig config;
  config.path = options_.out;
  config.calibration_fraction = 0;
  const Dataset data = Dataset::open(config);
  ASSERT_EQ(data.train_abnormal.size(), 1u);
  EXPECT_EQ(lines_of(data.train_abnormal[0].mask_path), kSpot);
}

TEST_F(Convert, Mvtec2) {
  const std::string root = "can/";
  write(in(root + "train/good/000_regular.png"), 1);
  write(in(root + "validation/good/000_regular.png"), 2);
  write(in(root + "test_public/good/000_regular.png"), 3);
  write(in(root + "test_public/bad/000_regular.png"), 4);
  write(in(root + "test_public/bad/001_regular.png"), 5);
  write_mask(in(root + "test_public/ground_truth/bad/000_regular_mask.png"), kSpot);
  write(in(root + "test_private/000_regular.png"), 6);
  const Converted converted = convert();
  EXPECT_EQ(converted.layout, SourceLayout::kMvtec2);
  EXPECT_EQ(converted.images, (Counts{{"train/good", 2}, {"test/good", 1}, {"test/bad", 2}}));
  EXPECT_EQ(value_of(out("train/good/validation_000_regular.png")), 2);
  EXPECT_EQ(lines_of(opened().at("test/bad/000_regular.png")), kSpot);
  EXPECT_TRUE(noted(converted, "'test_private' is not used"));
  EXPECT_TRUE(noted(converted, "1 images of defects have no mask"));
}

// ---- visa ----

class Visa : public Convert {
 protected:
  Visa() {
    for (const int i : {0, 1}) write(in(str("candle/Data/Images/Normal/", i, ".JPG")), i);
    for (const int i : {0, 1}) write(in(str("candle/Data/Images/Anomaly/", i, ".JPG")), 10 + i);
    write_mask(in("candle/Data/Masks/Anomaly/0.png"), kSpot, 3.0f / 255);
    Image labels{4, 6, 1, std::vector<float>(24)};
    for (const std::size_t i : {1u, 2u, 3u}) labels.pixels[i] = static_cast<float>(i) / 255;
    write_png(in("candle/Data/Masks/Anomaly/1.png"), labels);
  }
  void csv(const std::string& rows, const std::string& name = "1cls.csv") {
    write_text(in("split_csv/" + name), "object,split,label,image,mask\r\n" + rows);
  }
  static std::string row(const std::string& split, const std::string& label, const std::string& image,
                         const std::string& mask = "") {
    return "candle," + split + "," + label + ",candle/Data/Images/" + image + "," +
           (mask.empty() ? "" : "candle/Data/Masks/" + mask) + "\r\n";
  }
};

TEST_F(Visa, BySplit) {
  csv(row("train", "normal", "Normal/0.JPG") + row("test", "normal", "Normal/1.JPG") +
      row("test", "anomaly", "Anomaly/0.JPG", "Anomaly/0.png") +
      row("test", "anomaly", "Anomaly/1.JPG", "Anomaly/1.png"));
  EXPECT_EQ(recognise(options_.source), SourceLayout::kVisa);
  EXPECT_EQ(convert().images, (Counts{{"train/good", 1}, {"test/good", 1}, {"test/anomaly", 2}}));
  const auto masks = opened();
  EXPECT_EQ(lines_of(masks.at("test/anomaly/0.JPG")), kSpot);
  EXPECT_EQ(lines_of(masks.at("test/anomaly/1.JPG")),
            (std::vector<std::string>{".###..", "......", "......", "......"}));
}

TEST_F(Visa, KnownDefectsAndSeveralObjects) {
  csv(row("train", "normal", "Normal/0.JPG") + row("train", "anomaly", "Anomaly/0.JPG", "Anomaly/0.png") +
          row("test", "anomaly", "Anomaly/1.JPG") + "pcb,test,normal,\"pcb, old/0.JPG\",\r\n",
      "2cls.csv");
  expect_in(failure(), {"usage: ", "--object", "'candle', 'pcb'"});
  options_.object = "candle";
  EXPECT_EQ(convert().images, (Counts{{"train/good", 1}, {"train/abnormal", 1}, {"test/anomaly", 1}}));
  EXPECT_EQ(lines_of(out("ground_truth/abnormal/anomaly_0_mask.png")), kSpot);
  write(in("pcb, old/0.JPG"), 7);
  options_.object = "pcb";
  options_.out = dir_ / "pcb";
  EXPECT_EQ(convert().images, (Counts{{"test/good", 1}}));
  csv("", "other.csv");
  expect_in(failure(), {"usage: ", "'2cls.csv', 'other.csv'", "--annotations"});
  options_.annotations = in("split_csv/other.csv");
  expect_in(failure(), {"other.csv", "expected a line for each image"});
}

TEST_F(Visa, Errors) {
  const std::string good = row("train", "normal", "Normal/0.JPG");
  csv(good + row("test", "normal", "Normal/7.JPG"));
  expect_in(failure(), {"1cls.csv', line 3", "Normal/7.JPG' does not exist"});
  csv(good + "candle,test,normal,../x.JPG,\n");
  expect_in(failure(), {"line 3", "'../x.JPG'", "without '..'"});
  csv(good + "candle,test,normal,/etc/x.JPG,\n");
  expect_in(failure(), {"line 3", "'/etc/x.JPG'"});
  csv(good + "candle,test,normal\n");
  expect_in(failure(), {"line 3", "3 cells; expected 5"});
  csv(good + "candle,valid,normal,x.JPG,\n");
  expect_in(failure(), {"line 3", "split is 'valid'", "train or test"});
  csv(good + "candle,test,ok,x.JPG,\n");
  expect_in(failure(), {"line 3", "label is 'ok'", "normal or anomaly"});
  csv(good + good);
  expect_in(failure(), {"line 3", "named twice"});
  write_text(in("candle/Data/Images/0.gif"), "x");
  csv(good + row("test", "normal", "0.gif"));
  expect_in(failure(), {"line 3", "0.gif' is no image that is read", ".png"});
  write_text(in("split_csv/1cls.csv"), "object,split,label,image\n");
  expect_in(failure(), {"line 1", "no column 'mask'"});
  fs::remove(in("split_csv/1cls.csv"));
  expect_in(failure(), {"usage: ", "split_csv", "expected CSV files"});
  EXPECT_FALSE(fs::exists(options_.out));
}

// ---- classes ----

TEST_F(Convert, Classes) {
  for (const char* name : {"cup", "piano", "sun/flower"}) write(in(str(name, "/1.png")), name[0]);
  write(in("piano/2.png"), 2);
  EXPECT_EQ(recognise(options_.source), SourceLayout::kClasses);
  expect_in(failure(), {"usage: ", "--normal", "'cup', 'piano', 'sun'"});
  options_.normal = "cup, sun";
  EXPECT_EQ(convert().images, (Counts{{"test/good", 2}, {"test/piano", 2}}));
  EXPECT_EQ(opened().size(), 4u);
  EXPECT_EQ(value_of(out("test/good/1.png")), 'c');
  EXPECT_EQ(value_of(out("test/good/flower_1.png")), 's');
  options_.normal = "cup,moon";
  expect_in(failure(), {"usage: ", "'moon'", "'cup', 'piano', 'sun'"});
}

// ---- coco ----

class Coco : public Convert {
 protected:
  Coco() {
    for (const int i : {1, 2, 3, 4, 5}) write(in(str("images/", i, ".png")), i);
    json_["info"] = {{"year", 2020}};
    json_["categories"] = {{{"id", 1}, {"name", "scratch"}}, {{"id", 2}, {"name", "oil/stain"}}};
    for (const int i : {1, 2, 3, 4, 5})
      json_["images"].push_back({{"id", i}, {"file_name", str(i, ".png")}, {"width", 6}, {"height", 4}});
    json_["annotations"] = nlohmann::json::array();
  }
  void annotate(int image, int category, const nlohmann::json& segmentation, const nlohmann::json& bbox = nullptr) {
    nlohmann::json a = {
        {"id", 100 + json_["annotations"].size()}, {"image_id", image}, {"category_id", category}, {"iscrowd", 0}};
    if (!segmentation.is_null()) a["segmentation"] = segmentation;
    if (!bbox.is_null()) a["bbox"] = bbox;
    json_["annotations"].push_back(a);
  }
  void save() { write_text(in("annotations/instances.json"), json_.dump()); }
  // What a set with this one annotation fails with.
  std::string failure_of(const nlohmann::json& segmentation, const nlohmann::json& bbox = nullptr) {
    json_["annotations"] = nlohmann::json::array();
    annotate(1, 1, segmentation, bbox);
    save();
    return failure();
  }

  nlohmann::json json_;
};

TEST_F(Coco, BoxesPolygonsAndRunLengths) {
  annotate(1, 1, nlohmann::json::array(), {1, 1, 2.5, 2});  // centres at 1.5 and 2.5 lie in it, 3.5 does not
  // A rectangle with a hole, for what is inside twice is outside, and a triangle that ends beyond the image.
  annotate(2, 2, {{0, 0, 4, 0, 4, 2, 0, 2, 0, 0, 2, 0, 2, 2, 1, 2, 1, 0}, {4, 4, 8, 0, 8, 4}});
  annotate(3, 1, {{"size", {4, 6}}, {"counts", {4, 2, 3, 1, 14}}});
  annotate(4, 1, {{"size", {4, 6}}, {"counts", "01200000000000000"}});  // pycocotools' of (x + y) % 3 == 0
  save();
  EXPECT_EQ(recognise(options_.source), SourceLayout::kCoco);
  const Converted converted = convert();
  EXPECT_EQ(converted.images, (Counts{{"test/good", 1}, {"test/scratch", 3}, {"test/oil_stain", 1}}));
  EXPECT_EQ(converted.masks, 4);
  const auto masks = opened();
  using Lines = std::vector<std::string>;
  EXPECT_EQ(lines_of(masks.at("test/scratch/1.png")), (Lines{"......", ".##...", ".##...", "......"}));
  EXPECT_EQ(lines_of(masks.at("test/oil_stain/2.png")), (Lines{"#.##..", "#.##..", ".....#", "....##"}));
  EXPECT_EQ(lines_of(masks.at("test/scratch/3.png")), (Lines{".#....", ".##...", "......", "......"}));
  EXPECT_EQ(lines_of(masks.at("test/scratch/4.png")), (Lines{"#..#..", "..#..#", ".#..#.", "#..#.."}));
  EXPECT_EQ(value_of(out("test/good/5.png")), 5);
}

TEST_F(Coco, LongCompressedRunLengths) {
  // pycocotools' of a ring around (40, 55) with radii 30 and 4, and the pixel (0, 0).
  const std::string counts =
      "01nP10nQO>F6J6L2M4L4M2N2N2N2N2N2O0O2O0O2N2O000O2O000O2O0000ROhN0X1NlN0T1OnN0R10nN0Q10QO0o00oN0R10nN0R11lN0T12hN0"
      "X1n000001N10001N10001N2N101N101N2N2N2N2N2N3L4L3N4J6J:Bdj0";
  write(in("images/1.png"), 1, 100, 80);
  json_["images"][0]["width"] = nullptr;  // then the run lengths' size counts
  annotate(1, 1, {{"size", {100, 80}}, {"counts", counts}});
  save();
  convert();
  const auto lines = lines_of(opened().at("test/scratch/1.png"));
  ASSERT_EQ(lines.size(), 100u);
  for (int y = 0; y < 100; ++y)
    for (int x = 0; x < 80; ++x) {
      const int square = (x - 40) * (x - 40) + (y - 55) * (y - 55);
      const bool inside = (square <= 900 && square > 16) || (x == 0 && y == 0);
      EXPECT_EQ(lines[static_cast<std::size_t>(y)][static_cast<std::size_t>(x)], inside ? '#' : '.') << y << " " << x;
    }
}

TEST_F(Coco, SeveralCategoriesOfOneImage) {
  annotate(1, 1, nullptr, {0, 0, 2, 2});
  annotate(1, 2, nullptr, {4, 0, 2, 4});
  annotate(2, 2, nullptr, {0, 0, 1, 1});
  annotate(3, 1, nullptr, {2.6, 1.6, 0.3, 0.3});  // between centres
  save();
  Converted converted = convert();
  EXPECT_EQ(converted.images, (Counts{{"test/good", 2}, {"test/oil_stain", 2}, {"test/scratch", 1}}));
  EXPECT_TRUE(noted(converted, "1 images show several categories"));
  EXPECT_TRUE(noted(converted, "1 images of defects have masks in which nothing is marked"));
  EXPECT_EQ(lines_of(opened().at("test/oil_stain/1.png")),
            (std::vector<std::string>{"##..##", "##..##", "....##", "....##"}));
  // One of them is normal.
  options_.out = dir_ / "normal";
  options_.normal = "oil/stain";
  EXPECT_EQ(convert().images, (Counts{{"test/good", 3}, {"test/scratch", 2}}));
  EXPECT_EQ(lines_of(opened().at("test/scratch/1.png")),
            (std::vector<std::string>{"##....", "##....", "......", "......"}));
}

TEST_F(Coco, ImagesAreFoundAndEqualNamesKept) {
  annotate(1, 1, nullptr, {0, 0, 2, 2});
  fs::remove_all(in("images"));
  json_["images"].erase(json_["images"].begin() + 2, json_["images"].end());
  json_["images"][0]["file_name"] = "a/1.png";
  json_["images"][1]["file_name"] = "b/1.jpg";
  json_["images"].push_back({{"id", 9}, {"file_name", "c/1.png"}, {"width", 6}, {"height", 4}});
  annotate(9, 1, nullptr, {0, 0, 1, 1});
  write(in("x/a/1.png"), 1);
  write(in("x/b/1.jpg"), 2);
  write(in("x/c/1.png"), 3);
  write(in("x/c/unused.png"), 4);
  save();
  const Converted converted = convert();
  EXPECT_EQ(converted.images, (Counts{{"test/good", 1}, {"test/scratch", 2}}));
  EXPECT_TRUE(noted(converted, "1 images of '" + in("x") + "' have no annotation"));
  EXPECT_EQ(value_of(out("test/scratch/c_1.png")), 3);
  EXPECT_EQ(lines_of(opened().at("test/scratch/c_1.png")).front(), "#.....");
  EXPECT_EQ(lines_of(opened().at("test/scratch/1.png")).front(), "##....");

  // Two folders hold them all.
  fs::copy(in("x"), in("y"), fs::copy_options::recursive);
  options_.out = dir_ / "again";
  expect_in(failure(), {"usage: ", "several folders", in("x"), in("y"), "--images"});
  options_.images = in("y");
  EXPECT_EQ(convert().masks, 2);
  // A folder of the annotations' name.
  options_.images = "";
  options_.out = dir_ / "named";
  fs::rename(in("annotations/instances.json"), in("annotations/instances_y.json"));
  EXPECT_EQ(convert().masks, 2);
  EXPECT_EQ(fs::read_symlink(out("test/scratch/1.png")), in("y/a/1.png"));
}

TEST_F(Coco, KindsThatBecomeOneFolderStayApart) {
  json_["categories"] = {{{"id", 1}, {"name", "a b"}}, {{"id", 2}, {"name", "a/b"}}, {{"id", 3}, {"name", "../c"}}};
  for (const int i : {1, 2, 3}) annotate(i, i, nullptr, {0, 0, 2, 2});
  save();
  EXPECT_EQ(convert().images, (Counts{{"test/good", 2}, {"test/a_b", 1}, {"test/a_b_2", 1}, {"test/_.._c", 1}}));
  json_["categories"][0]["name"] = "good";
  save();
  options_.out = dir_ / "good";
  expect_in(failure(), {"usage: ", "'good' is a kind of defect", "--normal"});
  options_.normal = "good";
  EXPECT_EQ(convert().images.at("test/good"), 3);
}

TEST_F(Coco, ErrorsOfAnnotations) {
  const std::string where = "instances.json', annotations[0] (id 100)";
  expect_in(failure_of({{1, 1, 2, 2, 3}}), {where, "5 numbers", "three corners"});
  expect_in(failure_of({1, 1, 2, 2, 3, 3}), {where, "a polygon is 1", "list of numbers"});
  expect_in(failure_of({{1, 1, 2, "x", 3, 3}}), {where, "\"x\"", "number of pixels"});
  expect_in(failure_of({{1, 1, 2, 1e30, 3, 3}}), {where, "1e+30"});
  expect_in(failure_of("mask"), {where, "\"segmentation\" is \"mask\""});
  expect_in(failure_of(nullptr), {where, "no \"bbox\""});
  expect_in(failure_of(nullptr, {1, 2, 3}), {where, "\"bbox\" is [1,2,3]"});
  expect_in(failure_of(nullptr, {1, 2, 3, -1}), {where, "\"bbox\"", "[left, top, width, height]"});
  expect_in(failure_of({{"counts", {24}}}), {where, "no \"size\""});
  expect_in(failure_of({{"size", {4, 6}}}), {where, "no \"counts\""});
  expect_in(failure_of({{"size", {4, 0}}, {"counts", {24}}}), {where, "\"size\" is [4,0]"});
  expect_in(failure_of({{"size", {4, 6}}, {"counts", {4, 3}}}), {where, "cover 7 of 24", "6x4"});
  expect_in(failure_of({{"size", {4, 6}}, {"counts", {24, 24}}}), {where, "more than 24"});
  expect_in(failure_of({{"size", {4, 6}}, {"counts", {30, -6}}}), {where, "a run length is 30"});
  expect_in(failure_of({{"size", {4, 6}}, {"counts", {4.5}}}), {where, "4.5"});
  expect_in(failure_of({{"size", {4, 6}}, {"counts", "0120P"}}), {where, "\"0120P\"", "cut off or damaged"});
  expect_in(failure_of({{"size", {4, 6}}, {"counts", "01 2"}}), {where, "\"01 2\""});
  expect_in(failure_of({{"size", {4, 6}}, {"counts", "PPPPPPPPPPPPPPPPPPP0"}}), {where, "damaged"});
  expect_in(failure_of({{"size", {4, 6}}, {"counts", std::string(1, 'O')}}), {where, "a run length is -1"});
  expect_in(failure_of({{"size", {6, 4}}, {"counts", {24}}}), {where, "run lengths of 4x6", "images[0] (id 1) is 6x4"});
  annotate(77, 1, nullptr, {0, 0, 1, 1});
  json_["annotations"].erase(0);
  save();
  expect_in(failure(), {"annotations[0]", "no image with the id 77"});
  json_["annotations"][0]["image_id"] = 1;
  json_["annotations"][0]["category_id"] = 8;
  save();
  expect_in(failure(), {"annotations[0]", "no category with the id 8"});
  json_["annotations"][0].erase("category_id");
  save();
  expect_in(failure(), {"annotations[0]", "no \"category_id\""});
  EXPECT_FALSE(fs::exists(options_.out));
}

TEST_F(Coco, ErrorsOfFiles) {
  save();
  const std::string text = json_.dump();
  write_text(in("annotations/instances.json"), text.substr(0, text.size() - 5));
  expect_in(failure(), {"instances.json", "not valid JSON", "parse error"});
  annotate(1, 1, nullptr, {0, 0, 1, 1});
  std::string nan = json_.dump();
  nan.replace(nan.find("[0,0,1,1]"), 9, "[0,0,NaN,1]");
  write_text(in("annotations/instances.json"), nan);
  expect_in(failure(), {"instances.json", "not valid JSON", "line 1, column"});
  const auto broken = [&](const std::function<void(nlohmann::json&)>& change) {
    const nlohmann::json before = json_;
    change(json_);
    save();
    json_ = before;
    return failure();
  };
  expect_in(broken([](auto& j) { j.erase("categories"); }), {"instances.json", "\"categories\""});
  expect_in(broken([](auto& j) { j["images"] = {1, 2}; }), {"instances.json", "list of objects \"images\""});
  expect_in(broken([](auto& j) { j["images"][1]["id"] = 1; }), {"images[1] (id 1)", "twice"});
  expect_in(broken([](auto& j) { j["categories"][1]["id"] = 1; }), {"categories[1] (id 1)", "twice"});
  expect_in(broken([](auto& j) { j["categories"][1]["name"] = 7; }), {"categories[1]", "\"name\" is 7", "a string"});
  expect_in(broken([](auto& j) { j["images"][1]["id"] = 1.5; }), {"images[1]", "\"id\" is 1.5"});
  expect_in(broken([](auto& j) { j["images"][1]["file_name"] = "1.png"; }), {"images[1]", "named twice"});
  expect_in(broken([](auto& j) { j["images"][1]["file_name"] = "a/../../2.png"; }), {"images[1]", "without '..'"});
  expect_in(broken([](auto& j) { j["images"][1]["file_name"] = "/etc/2.png"; }), {"images[1]", "'/etc/2.png'"});
  expect_in(broken([](auto& j) { j["images"][1]["file_name"] = std::string("a\0b", 3); }), {"images[1]"});
  expect_in(broken([](auto& j) { j["images"][1]["file_name"] = "7.png"; }),
            {"images[1] (id 2)", "7.png' does not exist (1 of 5", "--images"});
  expect_in(broken([](auto& j) { j["images"][1]["width"] = -1; }), {"images[1]", "\"width\" is -1"});
  EXPECT_FALSE(fs::exists(options_.out));
  write_text(in("annotations/other.json"), json_.dump());
  expect_in(failure(), {"usage: ", "--annotations", "'annotations/instances.json', 'annotations/other.json'"});
  // Known only when the image is decoded.
  options_.annotations = in("annotations/other.json");
  json_["images"][0]["width"] = 4;
  json_["images"][0]["height"] = 6;
  write_text(options_.annotations, json_.dump());
  expect_in(failure(), {"other.json', images[0] (id 1): the image is 4x6 here", in("images/1.png") + "' is 6x4",
                        "'" + options_.out + "' is incomplete: it holds 0 of 5 images"});
  EXPECT_FALSE(fs::exists(out("description.json")));
}

TEST_F(Coco, CoordinatesMeanThePictureAsItIsSeen) {
  // Stored as 6x4, seen as 4x6.
  put(in("images/1.png"),
      make_png({6, 4, 8, 0, false, {}, false, 0, exif_block(6)}, std::vector<Bytes>(4, Bytes(6, 9))));
  annotate(1, 1, nullptr, {0, 0, 2, 1});
  save();
  expect_in(failure(), {"is 6x4 here", "is 4x6, turned upright as its EXIF orientation 6 says"});
  json_["images"][0]["width"] = 4;
  json_["images"][0]["height"] = 6;
  save();
  fs::remove_all(options_.out);
  convert();
  EXPECT_EQ(lines_of(opened().at("test/scratch/1.png")),
            (std::vector<std::string>{"##..", "....", "....", "....", "....", "...."}));
}

// ---- voc ----

class VocLayout : public Convert {
 protected:
  static std::string object(const std::string& name, const std::string& box) {
    const std::vector<std::string> keys = {"xmin", "ymin", "xmax", "ymax"};
    std::string text = "<object><name>" + name + "</name><bndbox>";
    std::istringstream numbers(box);
    for (const std::string& key : keys) {
      std::string n;
      numbers >> n;
      text += "<" + key + ">" + n + "</" + key + ">";
    }
    return text + "</bndbox></object>\n";
  }
  void xml(const std::string& path, const std::string& objects, const std::string& filename = "",
           const std::string& size = "") {
    write_text(in(path), "<?xml version=\"1.0\"?>\n<annotation><filename>" + filename + "</filename>" + size + "\n" +
                             objects + "</annotation>\n");
  }
};

TEST_F(VocLayout, BoxesAreMasks) {
  for (const int i : {1, 2, 3, 4}) write(in(str("JPEGImages/", i, ".jpg")), i);
  write(in("SegmentationClass/1.png"), 9);
  xml("Annotations/1.xml", object("hole", "1 1 2 1") + object("dirt", "4 2 6 9"), "1.jpg",
      "<size><width>6</width><height>4</height></size>");
  xml("Annotations/other.xml", object("hole", "2.0 2 2 2"), "2.jpg", "<size><width>0</width><height>0</height></size>");
  xml("Annotations/3.xml", "", "3.jpg");
  EXPECT_EQ(recognise(options_.source), SourceLayout::kVoc);
  const Converted converted = convert();
  EXPECT_EQ(converted.images, (Counts{{"test/good", 1}, {"test/hole", 1}, {"test/dirt", 1}}));
  EXPECT_TRUE(noted(converted, "1 images of '" + in("JPEGImages") + "' have no annotation"));
  EXPECT_TRUE(noted(converted, "1 images show several categories"));
  const auto masks = opened();
  EXPECT_EQ(lines_of(masks.at("test/dirt/1.jpg")), (std::vector<std::string>{"##....", "...###", "...###", "...###"}));
  EXPECT_EQ(lines_of(masks.at("test/hole/2.jpg")), (std::vector<std::string>{"......", ".#....", "......", "......"}));
}

TEST_F(VocLayout, BesideTheImagesAndInFoldersOfKinds) {
  for (const char* folder : {"train", "test"}) {
    write(in(str(folder, "/1.png")), folder[1]);
    xml(str(folder, "/1.xml"), folder[1] == 'e' ? object("hole", "1 1 2 2") : "");
  }
  EXPECT_EQ(convert().images, (Counts{{"test/good", 1}, {"test/hole", 1}}));
  EXPECT_EQ(value_of(out("test/hole/1.png")), 'e');
  fs::create_directories(in("images"));
  fs::create_directories(in("Annotations"));
  for (const char* folder : {"train", "test"}) {
    fs::create_directories(in(str("Annotations/", folder)));
    fs::rename(in(str(folder, "/1.xml")), in(str("Annotations/", folder, "/1.xml")));
    fs::rename(in(folder), in(str("images/", folder)));
  }
  options_.out = dir_ / "kinds";
  EXPECT_EQ(convert().images, (Counts{{"test/good", 1}, {"test/hole", 1}}));
  EXPECT_EQ(value_of(out("test/hole/1.png")), 'e');
  fs::rename(in("Annotations/test"), in("Annotations/else"));
  expect_in(failure(), {"else/1.xml", "which image is meant", "'test/1.png', 'train/1.png'"});
}

TEST_F(VocLayout, Errors) {
  write(in("images/1.png"), 1);
  const auto fails = [&](const std::string& objects, const Words& words) {
    xml("Annotations/1.xml", objects);
    expect_in(failure(), words);
    expect_in(failure(), {"1.xml"});
  };
  fails(object("hole", "1 1 nan 2"), {"<object> 1", "<xmax> is 'nan'", "number of pixels"});
  fails(object("a", "1 1 1 1") + object("hole", "1 1 2x 2"), {"<object> 2", "'2x'"});
  fails(object("hole", "1 1 2"), {"<ymax> is ''"});
  fails(object("hole", "3 1 2 2"), {"from 3,1 to 2,2", "smaller ones"});
  fails(object("", "1 1 2 2"), {"no <name>"});
  fails("<object><name>x</name></object>", {"no <bndbox>"});
  fails("<object>", {"line 3", "not valid XML"});
  write_text(in("Annotations/1.xml"), "<label/>");
  expect_in(failure(), {"1.xml", "expected VOC's XML"});
  fs::remove(in("Annotations/1.xml"));
  xml("Annotations/2.xml", "", "../../1.png");
  expect_in(failure(), {"2.xml', <filename>", "without '..'"});
  xml("Annotations/2.xml", "", "7.png");
  expect_in(failure(), {"2.xml", "none '7.png'", "--images"});
  EXPECT_FALSE(fs::exists(options_.out));
}

// ---- all ----

TEST_F(Convert, UnknownAndUnfitSources) {
  expect_in(failure(), {"usage: ", "is no folder"});
  fs::create_directories(options_.source);
  expect_in(failure(), {"usage: ", "is not known", "MVTec AD", "VisA", "COCO", "VOC"});
  for (std::size_t i = 1; i < kSourceLayoutNames.size(); ++i) {
    options_.layout = static_cast<SourceLayout>(i);
    expect_in(failure(), {"usage: ", "expected"});
  }
}

TEST_F(Convert, OptionsWithoutAMeaningAndOutputInTheWay) {
  write(in("a/1.png"), 1);
  write(in("b/1.png"), 2);
  options_.normal = "a";
  options_.object = "x";
  expect_in(failure(), {"usage: ", "--object 'x' has no meaning for the layout classes"});
  options_.object = "";
  write_text(options_.out + "/old", "x");
  expect_in(failure(), {"usage: ", "expected a new or an empty folder"});
  options_.out = in("a/out");
  expect_in(failure(), {"usage: ", "lies in the source"});
  EXPECT_FALSE(fs::exists(options_.out));
}

TEST_F(Convert, AnInterruptedRunSaysHowFarItCame) {
  for (const int i : {1, 2, 3}) write(in(str(i == 1 ? "a/" : "b/", i, ".png")), i);
  options_.normal = "a";
  std::vector<std::pair<long, long>> seen;
  const auto run = [&](long at) {
    return error_of([&] {
      convert_data(
          options_, [&](long done, long total) { seen.emplace_back(done, total); },
          [&] { return std::ssize(seen) == at; });
    });
  };
  expect_in(run(0), {"interrupted while", "nothing is written"});
  EXPECT_FALSE(fs::exists(options_.out));
  expect_in(run(2), {"interrupted; '" + options_.out + "' is incomplete: it holds 2 of 3 images"});
  EXPECT_EQ(seen, (std::vector<std::pair<long, long>>{{1, 3}, {2, 3}}));
  EXPECT_FALSE(fs::exists(out("description.json")));
}

TEST_F(Convert, NamesKeepTheirBytes) {
  write(in("a/\xff\xfe.png"), 1);
  write(in("\xe9t\xe9/\xe4.png"), 2);
  options_.normal = "a";
  convert();
  EXPECT_EQ(value_of(out("test/good/\xff\xfe.png")), 1);
  EXPECT_EQ(value_of(out("test/\xe9t\xe9/\xe4.png")), 2);
}

TEST(ConvertProgram, SaysWhatItTookTheSourceFor) {
  const TempDir dir;
  for (const char* name : {"ok", "scratched"}) {
    fs::create_directories(dir / ("source/" + std::string(name)));
    for (int i = 0; i < 3; ++i)
      write_png(dir / str("source/", name, "/", i, ".png"),
                {8, 8, 1, std::vector<float>(64, 0.1f * static_cast<float>(i))});
  }
  const auto data = [](const Words& words) {
    return run_process(Words{std::string(PGAD_BINARY_DIR) + "/apps/pgad_data", "convert"} + words);
  };
  ASSERT_TRUE(
      ended(data({dir / "source", "--out", dir / "out", "--copy"}), 0,
            {"taken for the layout classes", "3 images in " + (dir / "out") + "/test/good", "/test/scratched"}));
  EXPECT_EQ(read_file(dir / "out/test/good/2.png"), read_file(dir / "source/ok/2.png"));
  EXPECT_FALSE(fs::is_symlink(dir / "out/test/good/2.png"));
  EXPECT_TRUE(refused(data({dir / "source", "--out", dir / "out"}), 2, {"expected a new or an empty folder"}));
  EXPECT_TRUE(refused(data({dir / "source", "--out", dir / "b", "--layout", "yolo"}), 2,
                      {"--layout: 'yolo', expected auto, pairs"}));
}

}  // namespace
}  // namespace pgad::test
