// pgad_data convert: COCO's and Pascal VOC's annotations made into masks.

#include "tests/convert_support.h"

namespace pgad::test {
namespace {

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
  EXPECT_EQ(mask_lines(masks.at("test/scratch/1.png")), (Lines{"......", ".##...", ".##...", "......"}));
  EXPECT_EQ(mask_lines(masks.at("test/oil_stain/2.png")), (Lines{"#.##..", "#.##..", ".....#", "....##"}));
  EXPECT_EQ(mask_lines(masks.at("test/scratch/3.png")), (Lines{".#....", ".##...", "......", "......"}));
  EXPECT_EQ(mask_lines(masks.at("test/scratch/4.png")), (Lines{"#..#..", "..#..#", ".#..#.", "#..#.."}));
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
  const auto lines = mask_lines(opened().at("test/scratch/1.png"));
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
  EXPECT_EQ(mask_lines(opened().at("test/oil_stain/1.png")),
            (std::vector<std::string>{"##..##", "##..##", "....##", "....##"}));
  // One of them is normal.
  options_.out = dir_ / "normal";
  options_.normal = "oil/stain";
  EXPECT_EQ(convert().images, (Counts{{"test/good", 3}, {"test/scratch", 2}}));
  EXPECT_EQ(mask_lines(opened().at("test/scratch/1.png")),
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
  EXPECT_EQ(mask_lines(opened().at("test/scratch/c_1.png")).front(), "#.....");
  EXPECT_EQ(mask_lines(opened().at("test/scratch/1.png")).front(), "##....");

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

TEST_F(Coco, AnErasedAnnotationIsNoDefect) {
  annotate(1, 1, nlohmann::json::array(), {0, 0, 0, 0});
  annotate(2, 1, {{0, 0, 2, 2}}, {0, 0, 2, 2});  // a box's corners as a polygon
  json_["images"][2]["file_name"] = "./3.png";
  save();
  const Converted converted = convert();
  EXPECT_EQ(converted.images, (Counts{{"test/good", 4}, {"test/scratch", 1}}));
  EXPECT_TRUE(noted(converted, "1 annotations mark nothing and are left out"));
  EXPECT_TRUE(noted(converted, "annotations[0] (id 100)"));
  EXPECT_FALSE(noted(converted, "have no annotation file or entry"));
  EXPECT_EQ(mask_lines(opened().at("test/scratch/2.png")).front(), "##....");
  json_["images"][0]["file_name"] = "3.png";
  save();
  options_.out = dir_ / "twice";
  expect_in(failure(), {"3.png' is named twice"});
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
  EXPECT_EQ(mask_lines(opened().at("test/scratch/1.png")),
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
  EXPECT_EQ(mask_lines(masks.at("test/dirt/1.jpg")),
            (std::vector<std::string>{"##....", "...###", "...###", "...###"}));
  EXPECT_EQ(mask_lines(masks.at("test/hole/2.jpg")),
            (std::vector<std::string>{"......", ".#....", "......", "......"}));
}

TEST_F(VocLayout, BesideTheImagesAndInFoldersOfKinds) {
  for (const char* folder : {"train", "test"}) {
    write(in(str(folder, "/1.png")), folder[1]);
    xml(str(folder, "/1.xml"), folder[1] == 'e' ? object("hole", "1 1 2 2") : "");
  }
  // The folders say what trains.
  const Converted converted = convert();
  EXPECT_EQ(converted.images, (Counts{{"train/good", 1}, {"test/hole", 1}}));
  EXPECT_TRUE(noted(converted, "divided by the folders 'test', 'train'"));
  EXPECT_EQ(value_of(out("test/hole/1.png")), 'e');
  fs::create_directories(in("images"));
  fs::create_directories(in("Annotations"));
  for (const char* folder : {"train", "test"}) {
    fs::create_directories(in(str("Annotations/", folder)));
    fs::rename(in(str(folder, "/1.xml")), in(str("Annotations/", folder, "/1.xml")));
    fs::rename(in(folder), in(str("images/", folder)));
  }
  options_.out = dir_ / "kinds";
  EXPECT_EQ(convert().images, (Counts{{"train/good", 1}, {"test/hole", 1}}));
  EXPECT_EQ(value_of(out("test/hole/1.png")), 'e');
  // Not all of them do.
  write(in("images/more/2.png"), 2);
  xml("Annotations/more/2.xml", "");
  options_.out = dir_ / "some";
  const Converted some = convert();
  EXPECT_EQ(some.images, (Counts{{"test/good", 2}, {"test/hole", 1}}));
  EXPECT_TRUE(noted(some, "images lie in folders called 'test', 'train', others do not"));
  fs::remove_all(in("Annotations/more"));
  fs::remove_all(in("images/more"));
  options_.out = dir_ / "else";
  fs::rename(in("Annotations/test"), in("Annotations/else"));
  expect_in(failure(), {"else/1.xml", "which image is meant", "'test/1.png', 'train/1.png'"});
}

TEST_F(VocLayout, TheImageThatTheFileNames) {
  write(in("1.jpg"), 1);
  write_mask(in("1.png"), kSpot);
  write(in("2.jpg"), 2);
  xml("1.xml", object("hole", "1 1 1 1"), "1.jpg");
  const Converted converted = convert();
  EXPECT_EQ(converted.images, (Counts{{"test/hole", 1}}));
  EXPECT_TRUE(noted(converted, "left out; --unannotated-normal takes them for normal"));
  EXPECT_TRUE(fs::exists(out("test/hole/1.jpg")));
  fs::remove(in("1.png"));
  options_.out = dir_ / "unannotated";
  options_.unannotated_normal = true;
  EXPECT_EQ(convert().images, (Counts{{"test/good", 1}, {"test/hole", 1}}));
  EXPECT_EQ(value_of(out("test/good/2.jpg")), 2);
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

}  // namespace
}  // namespace pgad::test
