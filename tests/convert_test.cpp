// pgad_data convert: other layouts made into inspection folders. Annotations: annotations_test.cpp.

#include "tests/convert_support.h"

namespace pgad::test {
namespace {

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
  EXPECT_EQ(mask_lines(masks.at("test/crack/4.jpg")), kSpot);
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
      EXPECT_EQ(mask_lines(mask), kSpot) << name;
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
  EXPECT_EQ(mask_lines(out("ground_truth/abnormal/defect_3_mask.png")), kSpot);
  EXPECT_EQ(mask_lines(out("ground_truth/defect/3_mask.png")), kSpot);
}

TEST_F(Pairs, InOneFolder) {
  options_.copy = true;
  for (const int i : {1, 2, 3}) write(in(str(i, ".png")), i);
  write_mask(in("1_mask.png"), kSpot);
  write_mask(in("9_mask.png"), kSpot);
  const Converted converted = convert();
  EXPECT_EQ(converted.images, (Counts{{"test/good", 2}, {"test/defect", 1}}));
  EXPECT_TRUE(
      noted(converted, "2 images without a mask are taken for normal: '" + in("2.png") + "', '" + in("3.png") + "'"));
  EXPECT_TRUE(noted(converted, "1 masks have no image and are left out: '9_mask.png'"));
  EXPECT_FALSE(fs::is_symlink(out("test/good/2.png")));
  EXPECT_EQ(read_file(out("test/good/2.png")), read_file(in("2.png")));
}

TEST_F(Pairs, AMaskThatWasCopiedIsNoImage) {  // KolektorSDD2 has such a pair
  for (const char* name : {"1", "2", "2 (copy)"}) write(in(str(name, ".png")), 5);
  for (const char* name : {"1_GT", "2_GT", "2_GT (copy)"})
    write_mask(in(str(name, ".png")), name[0] == '1' ? kBlack : kSpot);
  const Converted converted = convert();
  EXPECT_EQ(converted.images, (Counts{{"test/good", 1}, {"test/defect", 2}}));
  EXPECT_EQ(converted.masks, 2);
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
  EXPECT_EQ(mask_lines(opened().at("test/dent/1.jpg")),
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
  EXPECT_EQ(mask_lines(opened().at("test/bent_wire/000.png")), kSpot);
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
  EXPECT_EQ(mask_lines(data.train_abnormal[0].mask_path), kSpot);
}

TEST_F(Convert, MvtecMasksInOtherPlacesAreMissed) {
  for (const char* folder : {"train/good", "test/good", "test/bad"}) write(in(str(folder, "/0.png")), 1);
  write_mask(in("ground_truth/test/bad/0.png"), kSpot);
  const Converted converted = convert();
  EXPECT_EQ(converted.masks, 0);
  EXPECT_TRUE(noted(converted, "1 images of defects have no mask in '" + in("ground_truth")));
  EXPECT_TRUE(noted(converted, "1 files of '" + in("ground_truth") + "' belong to no image"));
}

TEST_F(Convert, LinksLeadBackThroughLinks) {
  write(in("real/deep/tiles/a/1.png"), 1);
  write(in("real/deep/tiles/b/1.png"), 2);
  fs::create_directory_symlink(in("real/deep"), dir_ / "link");
  fs::create_directories(in("real/deep/data"));
  fs::create_directory_symlink(in("real/deep/data"), dir_ / "data");
  options_.source = (dir_ / "data") + "/../tiles";
  options_.normal = "a";
  EXPECT_EQ(convert().images, (Counts{{"test/good", 1}, {"test/b", 1}}));
  EXPECT_EQ(value_of(out("test/b/1.png")), 2);
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
  EXPECT_EQ(mask_lines(opened().at("test/bad/000_regular.png")), kSpot);
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
  EXPECT_EQ(mask_lines(masks.at("test/anomaly/0.JPG")), kSpot);
  EXPECT_EQ(mask_lines(masks.at("test/anomaly/1.JPG")),
            (std::vector<std::string>{".###..", "......", "......", "......"}));
}

TEST_F(Visa, KnownDefectsAndSeveralObjects) {
  csv(row("train", "normal", "Normal/0.JPG") + row("train", "anomaly", "Anomaly/0.JPG", "Anomaly/0.png") +
          row("test", "anomaly", "Anomaly/1.JPG") + "pcb,test,normal,\"pcb, old/0.JPG\",\r\n",
      "2cls.csv");
  expect_in(failure(), {"usage: ", "--object", "'candle', 'pcb'"});
  options_.object = "candle";
  EXPECT_EQ(convert().images, (Counts{{"train/good", 1}, {"train/abnormal", 1}, {"test/anomaly", 1}}));
  EXPECT_EQ(mask_lines(out("ground_truth/abnormal/anomaly_0_mask.png")), kSpot);
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

// ---- idx ----

TEST_F(Convert, IdxFilesBecomePictures) {
  const auto pixels = [](std::initializer_list<int> values) {
    std::vector<std::uint8_t> all;
    for (const int value : values) all.insert(all.end(), 28 * 28, static_cast<std::uint8_t>(value));
    return all;
  };
  write_idx(options_.source, "train", pixels({10, 20, 30}), {3, 8, 3});
  write_idx(options_.source, "t10k", pixels({40, 50}), {8, 0});
  EXPECT_EQ(recognise(options_.source), SourceLayout::kIdx);
  expect_in(failure(), {"usage: ", "--normal", "'0', '3', '8'"});
  options_.normal = "8";
  EXPECT_EQ(convert().images, (Counts{{"test/good", 2}, {"test/0", 1}, {"test/3", 2}}));
  EXPECT_EQ(opened().size(), 5u);
  const std::map<std::string, int> expected = {{"test/good/train_00001.png", 20},
                                               {"test/good/t10k_00000.png", 40},
                                               {"test/0/t10k_00001.png", 50},
                                               {"test/3/train_00000.png", 10},
                                               {"test/3/train_00002.png", 30}};
  for (const auto& [name, value] : expected) {
    EXPECT_EQ(value_of(out(name)), value) << name;
    EXPECT_EQ(read_image(out(name)).width, 28);
  }
  write_idx(options_.source, "train", pixels({10, 20}), {3, 8, 3});
  expect_in(failure(), {"train-images-idx3-ubyte"});
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
