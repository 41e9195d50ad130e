// What a folder is to both programs: splits that outlive changes of it, results of our own in it, what is no image,
// links, lists of images, damaged and vanishing ones.

#include "images/dataset.h"
#include "images/listing.h"
#include "tests/programs.h"

namespace pgad::test {
namespace {

Words paths_in(const std::string& csv) {
  Words paths;
  for (const auto& row : read_csv(csv)) paths.push_back(row.at("path"));
  return paths;
}

Words names_of(const std::vector<Sample>& samples) {
  Words names;
  for (const Sample& s : samples) names.push_back(s.name);
  return names;
}

std::size_t times_said(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// DIR/good with 20 digits and DIR/bad with 10 others.
void write_classes(const std::string& dir) {
  fs::create_directories(dir + "/good");
  fs::create_directories(dir + "/bad");
  for (int i = 0; i < 30; ++i)
    write_png(dir + (i < 20 ? "/good/" : "/bad/") + std::to_string(100 + i) + ".png", shared().digits.image(i));
}

DataConfig config_for(const std::string& path, const std::string& normal_class = "") {
  DataConfig config;
  config.path = path;
  config.normal_class = normal_class;
  config.calibration_images = 8;
  return config;
}
DataConfig class_config(const std::string& path) { return config_for(path, "good"); }

Words train_classes(const std::string& data, const std::string& out) {
  return kTiny + kShort + Words{"--data", data, "--normal-class", "good", "--out", out};
}

Words score(const std::string& input, const std::string& out, const Words& more = {}) {
  return Words{"score", "--model", shared().model, "--threads", "1", "--steps", "1", "--input", input, "--out", out} +
         more;
}

// ---- the split -----------------------------------------------------------------------------------------------------

TEST(Split, NamesAreKnownByTheirFnv1a) {  // frozen: model files hold them
  EXPECT_EQ(fnv1a(""), 0xcbf29ce484222325u);
  EXPECT_EQ(fnv1a("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(fnv1a("foobar"), 0x85944171f73967e8u);
}

TEST(Split, RememberedOneOutlivesAChangedFolder) {
  const TempDir dir;
  write_classes(dir.path());
  const Dataset before = Dataset::open(class_config(dir.path()));
  EXPECT_EQ(before.split.images, 30);
  const Dataset same = Dataset::open(class_config(dir.path()), Purpose::kTrain, &before.split);
  EXPECT_EQ(names_of(same.train_normal), names_of(before.train_normal));
  EXPECT_EQ(names_of(same.train_abnormal), names_of(before.train_abnormal));
  EXPECT_EQ(names_of(same.calibration_normal), names_of(before.calibration_normal));
  EXPECT_EQ(names_of(same.test), names_of(before.test));
  EXPECT_EQ(same.notes, Words{});

  fs::copy_file(dir / "good/100.png", dir / "good/000.png");
  fs::copy_file(dir / "good/100.png", dir / "bad/000.png");
  fs::remove(before.train_normal[3].path);
  fs::remove(before.calibration_normal[0].path);
  const Dataset after = Dataset::open(class_config(dir.path()), Purpose::kTrain, &before.split);
  Words expected = names_of(before.train_normal);
  expected.erase(expected.begin() + 3);
  EXPECT_EQ(names_of(after.train_normal), expected);
  EXPECT_EQ(after.calibration_normal.size(), before.calibration_normal.size() - 1);
  EXPECT_EQ(after.test.size(), before.test.size() + 2);
  ASSERT_EQ(after.notes.size(), 1u);
  for (const std::string part : {"1 of its 14 training images", "1 of its 1 images held out", "2 new images"})
    EXPECT_NE(after.notes[0].find(part), std::string::npos) << part << " in: " << after.notes[0];
  // The names of this test only mean something if the images would have been divided otherwise.
  EXPECT_NE(names_of(Dataset::open(class_config(dir.path())).train_normal), expected);

  const TempDir other;
  write_classes(other / "elsewhere");
  EXPECT_NE(error_of([&] {
              Dataset::open(config_for(other / "elsewhere/good"), Purpose::kTrain, &before.split);
            }).find("none of the normal images that this run trains on is in"),
            std::string::npos);
}

TEST(Split, NewImagesOfAnInspectionFolderAreNotUsed) {
  const TempDir dir;
  write_digits(dir / "train/good", 10);
  write_digits(dir / "test/good", 2);
  write_digits(dir / "test/dent", 2);
  const DataConfig config = config_for(dir.path());
  const Dataset before = Dataset::open(config);
  fs::copy_file(dir / "train/good/100.png", dir / "train/good/new.png");
  fs::copy_file(dir / "train/good/100.png", dir / "test/good/new.png");
  const Dataset after = Dataset::open(config, Purpose::kTrain, &before.split);
  EXPECT_EQ(names_of(after.train_normal), names_of(before.train_normal));
  EXPECT_EQ(after.test.size(), before.test.size() + 1);
  ASSERT_EQ(after.notes.size(), 1u);
  EXPECT_NE(after.notes[0].find("1 new images are not used"), std::string::npos) << after.notes[0];
  EXPECT_EQ(Dataset::open(config, Purpose::kEvaluate, &before.split).notes, Words{});
}

// The issue's case: one file more, and most of the "test" normals had trained the model.
TEST(Split, GrownClassesAreNotTestedOnWhatTrained) {
  const TempDir dir;
  write_classes(dir / "data");
  ASSERT_TRUE(ended(train(train_classes(dir / "data", dir / "run")), 0));
  const Dataset before = Dataset::open(class_config(dir / "data"));
  fs::copy_file(dir / "data/good/100.png", dir / "data/good/000.png");
  ASSERT_TRUE(ended(infer({"evaluate", "--model", dir / "run/model.safetensors", "--data", dir / "data", "--threads",
                           "1", "--out", dir / "out"}),
                    0));
  Words expected = names_of(before.test);
  expected.push_back("good/000.png");
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(paths_in(dir / "out/scores.csv"), expected);
}

TEST(Split, ResumedRunKeepsItsImagesAndSaysWhatChanged) {
  const TempDir dir;
  write_classes(dir / "data");
  ASSERT_TRUE(
      ended(train(train_classes(dir / "data", dir / "run")), 0, {"13 normal and 1 known abnormal images train"}));
  const Dataset before = Dataset::open(class_config(dir / "data"));
  for (const char* name : {"data/good/000.png", "data/good/001.png", "data/good/002.png"})
    fs::copy_file(dir / "data/good/100.png", dir / name);
  fs::remove(before.train_normal[0].path);
  const ProcessResult r = train({"--out", dir / "run", "--resume", "--threads", "1", "--total-kimg", "0.4"});
  ASSERT_TRUE(ended(r, 0,
                    {"1 of its 14 training images are gone", "3 new images are not used",
                     "12 normal and 1 known abnormal images train, 1 and 0 are held out"}));
  // What it was told first stays in the model: the image may come back.
  for (const char* name : {"data.train_names", "data.calibration_names"})
    EXPECT_TRUE(read_safetensors(dir / "run/model.safetensors").tensors.contains(name)) << name;
  fs::copy_file(dir / "data/good/000.png", before.train_normal[0].path);
  ASSERT_TRUE(ended(infer({"evaluate", "--model", dir / "run/model.safetensors", "--data", dir / "data", "--threads",
                           "1", "--out", dir / "out"}),
                    0));
  const Words tested = paths_in(dir / "out/scores.csv");
  EXPECT_EQ(tested.size(), before.test.size() + 3);
  EXPECT_EQ(std::ranges::count(tested, before.train_normal[0].name), 0);
}

TEST(Split, DamagedNamesInAModelAreRefused) {
  const TempDir dir;
  SafeTensorsFile file = read_safetensors(shared().model);
  file.metadata.erase("data_images");
  std::vector<SafeTensorView> views;
  for (const auto& [name, t] : file.tensors) views.push_back({name, t.dtype, t.shape, t.bytes});
  write_safetensors(dir / "m.safetensors", views, file.metadata);
  EXPECT_TRUE(refused(infer({"info", "--model", dir / "m.safetensors"}), 1, {dir / "m.safetensors", "data_images"}));
}

// ---- results of our own --------------------------------------------------------------------------------------------

TEST(OwnResults, OutInsideInputIsNotScoredAgain) {
  for (const bool mark : {true, false}) {  // versions before this one left none
    const TempDir dir;
    write_digits(dir / "in", 3);
    for (const std::string& out : {dir / "in/results", dir / "in"}) {
      ASSERT_TRUE(ended(infer(score(dir / "in", out, {"--maps"})), 0, {"3 images scored"}));
      if (!mark) fs::remove(out + "/.pgad-output");
    }
    const ProcessResult again = infer(score(dir / "in", dir / "in", {"--maps"}));
    ASSERT_TRUE(ended(again, 0, {"3 images scored"}));
    EXPECT_EQ(paths_in(dir / "in/scores.csv"), (Words{"100.png", "101.png", "102.png"}));
    EXPECT_EQ(times_said(again.err, "results of pgad are left out, in '" + dir / "in', '" + dir / "in/results'"), 1u)
        << again.err;
  }
}

TEST(OwnResults, InterruptedRunsAreKnownToo) {
  const TempDir dir;
  write_digits(dir / "in", 2);
  write_digits(dir / "in/out/maps", 2);  // no table beside them yet
  ensure_output_directory(dir / "in/out");
  EXPECT_EQ(names_of(list_inputs({dir / "in"})), (Words{"100.png", "101.png"}));
  // Other images in a folder with results are still images.
  write_digits(dir / "in/out/more", 1);
  EXPECT_EQ(list_inputs({dir / "in"}).size(), 3u);
}

TEST(OwnResults, ATrainingsOutIsNoClass) {
  for (const bool mark : {true, false}) {
    const TempDir dir;
    write_classes(dir / "data");
    for (const std::string& out : {dir / "data/run", dir / "data"}) {
      ASSERT_TRUE(ended(train(train_classes(dir / "data", out)), 0, {"13 normal and 1 known abnormal images train"}));
      ASSERT_GE(files_in(out + "/samples", ".png"), 1);
      if (!mark) fs::remove(out + "/.pgad-output");
    }
    const Dataset data = Dataset::open(class_config(dir / "data"));
    for (const auto* list : {&data.train_abnormal, &data.test})
      for (const Sample& s : *list) EXPECT_TRUE(s.group == "good" || s.group == "bad") << s.name;
    EXPECT_NE(error_of([&] { Dataset::open(config_for(dir / "data")); }).find("classes: bad, good"), std::string::npos);
    EXPECT_EQ(error_of([&] { Dataset::open(config_for(dir / "data")); }).find("run"), std::string::npos);
    const ProcessResult r = train({"--out", dir / "data/run", "--resume", "--threads", "1", "--total-kimg", "0.4"});
    ASSERT_TRUE(ended(r, 0, {"13 normal and 1 known abnormal images train"}));
    EXPECT_EQ(times_said(r.err, "results of pgad are left out"), 1u) << r.err;
  }
}

// ---- folders of data sets ------------------------------------------------------------------------------------------

TEST(DataSets, AFolderOfThemIsNoFolderOfClasses) {
  const TempDir dir;
  for (const char* category : {"bottle", "cable"}) {
    write_digits(dir / category + "/train/good", 4);
    write_digits(dir / category + "/test/good", 2);
    write_digits(dir / category + "/test/broken", 2);
    write_digits(dir / category + "/ground_truth/broken", 2);
  }
  const Words words = kTiny + kShort + Words{"--data", dir.path(), "--out", dir / "out"};
  for (const Words& more : {Words{}, Words{"--normal-class", "bottle"}}) {
    const ProcessResult r = train(words + more);
    EXPECT_TRUE(refused(r, 2, {"bottle, cable", "--data " + dir / "bottle"}));
    EXPECT_EQ(times_said(r.err, "normal_class must say"), 0u) << r.err;
  }
  write_digits(dir / "zebra", 3);  // one folder of images beside them changes nothing
  EXPECT_NE(error_of([&] { Dataset::open(config_for(dir.path(), "zebra")); }).find("usage: "), std::string::npos);
}

// ---- what is not read ----------------------------------------------------------------------------------------------

void write_strangers(const std::string& dir) {
  for (const char* name : {"a.txt", "b.TXT", "sub/c.gif", "sub/README", "sub/x.y z"}) {
    fs::create_directories(fs::path(dir + "/" + name).parent_path());
    put(dir + "/" + name, "x");
  }
  for (const char* system : {".DS_Store", "Thumbs.db", "desktop.ini", "._100.png", "@eaDir/100.png/thumb.jpg",
                             "__MACOSX/100.png", "lost+found/100.png", "sub/$RECYCLE.BIN/100.png"}) {
    fs::create_directories(fs::path(dir + "/" + system).parent_path());
    put(dir + "/" + system, "x");
  }
}

TEST(NotRead, IsCountedByEnding) {
  const TempDir dir;
  write_digits(dir / "in", 2);
  write_strangers(dir / "in");
  ASSERT_TRUE(ended(infer(score(dir / "in", dir / "out")), 0,
                    {"2 images scored", "not read: 2 .txt, 2 other, 1 .gif", "note: files not read"}));
  const auto json = nlohmann::json::parse(read_file(dir / "out/scores.json"));
  EXPECT_EQ(json.at("files_not_read"), (nlohmann::json{{".txt", 2}, {".gif", 1}, {"other", 2}}));
  EXPECT_EQ(json.at("images").size(), 2u);
}

TEST(NotRead, IsCountedInDataSetsToo) {
  const TempDir dir;
  write_classes(dir / "classes");
  write_strangers(dir / "classes/good");
  put(dir / "classes/notes.txt", "x");
  EXPECT_EQ(Dataset::open(class_config(dir / "classes")).left_out.files_text(), "3 .txt, 2 other, 1 .gif");
  ASSERT_TRUE(ended(train(train_classes(dir / "classes", dir / "run")), 0, {"note: files not read", "3 .txt"}));

  write_digits(dir / "set/train/good", 4);
  write_digits(dir / "set/test/good", 1);
  write_digits(dir / "set/test/dent", 1);
  write_strangers(dir / "set/test/dent");
  write_digits(dir / "set/train", 1);
  const Dataset set = Dataset::open(config_for(dir / "set"));
  EXPECT_EQ(set.left_out.files_text(), "2 .txt, 2 other, 1 .gif");
  EXPECT_EQ(set.test.size(), 2u);
  EXPECT_EQ(set.notes.at(0), "1 images directly in 'train' not used; expected them in subfolders");
  // IDX files and their labels are read.
  EXPECT_EQ(Dataset::open(config_for(shared().data, "8")).notes, Words{});
  LeftOut left_out;
  list_inputs({shared().data}, nullptr, &left_out);
  EXPECT_EQ(left_out.files_text(), "");
}

TEST(NotRead, NothingButStrangersSaysWhatThereIs) {
  const TempDir dir;
  write_strangers(dir / "in");
  EXPECT_TRUE(refused(infer(score(dir / "in", dir / "out")), 1, {"no images", "2 .txt, 2 other, 1 .gif"}));
  EXPECT_TRUE(refused(train(kTiny + Words{"--data", dir / "in", "--out", dir / "run"}), 1, {"no images", "1 .gif"}));
}

TEST(NotRead, UnreadableFoldersAreNotedAndTheRestScored) {
  const TempDir dir;
  write_digits(dir / "in", 2);
  write_digits(dir / "in/closed", 1);
  fs::create_directories(dir / "out");
  ::chmod((dir / "in/closed").c_str(), 0);
  ::chmod((dir / "out").c_str(), 0777);
  // The build folder may be closed to others.
  fs::copy_file(std::string(PGAD_BINARY_DIR) + "/apps/pgad_infer", dir / "pgad_infer");
  ProcessResult r;
  if (!unprivileged([&] { r = run_process(Words{dir / "pgad_infer"} + score(dir / "in", dir / "out")); }))
    GTEST_SKIP() << "cannot drop root, for whom nothing is unreadable";
  ASSERT_TRUE(refused(r, 1,
                      {"2 images scored", "folder not read: '" + dir / "in/closed': Permission denied",
                       "1 folder(s) could not be read"}));
  EXPECT_EQ(paths_in(dir / "out/scores.csv").size(), 2u);
  EXPECT_EQ(nlohmann::json::parse(read_file(dir / "out/scores.json")).at("folders_not_read").size(), 1u);
  unprivileged([&] {
    const Dataset data = Dataset::open(config_for(dir / "in"));
    EXPECT_EQ(data.train_normal.size() + data.calibration_normal.size(), 2u);
    EXPECT_NE(error_of([&] { Dataset::open(config_for(dir / "in/closed")); }).find("Permission denied"),
              std::string::npos);
  });
  ::chmod((dir / "in/closed").c_str(), 0755);
}

// Does not need another user: a link to a folder that is not there.
TEST(NotRead, LinksThatLeadNowhereAreUnreadableFolders) {
  const TempDir dir;
  write_classes(dir / "data");
  fs::create_symlink(dir / "not-mounted", dir / "data/good/day2");
  fs::create_symlink("round", dir / "data/good/round");
  ASSERT_TRUE(refused(infer(score(dir / "data", dir / "out")), 1,
                      {"30 images scored", "data/good/day2': a link that leads nowhere", "data/good/round'",
                       "2 folder(s) could not be read"}));
  ASSERT_TRUE(ended(train(train_classes(dir / "data", dir / "run")), 0, {"note: folder not read", "day2"}));
  const Words evaluate = {"evaluate", "--model",    dir / "run/model.safetensors",
                          "--data",   dir / "data", "--threads",
                          "1",        "--out",      dir / "evaluated"};
  EXPECT_TRUE(refused(infer(evaluate), 1, {"day2", "2 folder(s) could not be read"}));
  EXPECT_TRUE(fs::exists(dir / "evaluated/metrics.json"));
}

// ---- links ---------------------------------------------------------------------------------------------------------

TEST(Links, EachPathHasItsRow) {
  const TempDir dir;
  write_digits(dir / "in", 1);
  fs::create_symlink("100.png", dir / "in/a.png");
  fs::create_hard_link(dir / "in/100.png", dir / "in/b.png");
  fs::create_directory_symlink("in", dir / "again");
  EXPECT_EQ(names_of(list_inputs({dir / "in"})), (Words{"100.png", "a.png", "b.png"}));
  EXPECT_EQ(list_inputs({dir / "in", dir / "again"}).size(), 6u);
  // The same path, however it is written.
  EXPECT_EQ(list_inputs({dir / "in", dir.path() + "//in/./a.png", dir / "in/"}).size(), 3u);
  const fs::path here = fs::current_path();
  fs::current_path(dir.path());
  EXPECT_EQ(list_inputs({"in/a.png", "./in/a.png", dir / "in/a.png", "again/a.png"}).size(), 2u);
  fs::current_path(here);
  fs::create_directory_symlink("../in", dir / "in/self");
  EXPECT_EQ(list_inputs({dir / "in"}).size(), 3u);
}

// Each of ten folders links to all: as many paths as orders of ten, were every way followed.
TEST(Links, LoopsEnd) {
  const TempDir dir;
  for (int i = 0; i < 10; ++i) {
    write_digits(dir / std::to_string(i), 1);
    for (int k = 0; k < 10; ++k)
      fs::create_directory_symlink("../" + std::to_string(k), dir / std::to_string(i) + "/to" + std::to_string(k));
  }
  const auto images = list_images(dir.path());
  EXPECT_GE(images.size(), 10u + 90u);  // each folder, and each link from it
  EXPECT_LE(images.size(), 2000u);
  EXPECT_EQ(std::ranges::adjacent_find(images), images.end());
}

// ---- lists ---------------------------------------------------------------------------------------------------------

TEST(Lists, ArePathsLineByLine) {
  const TempDir dir;
  const Words files = write_digits(dir / "in", 3);
  put(dir / "list.txt", "\xef\xbb\xbf" + files[2] + "\r\n\n   \n" + files[0] + "\n" + files[2] + "\n" + dir / "in/sub");
  write_digits(dir / "in/sub", 1);
  ASSERT_TRUE(ended(infer(score("@" + dir / "list.txt", dir / "out")), 0, {"3 images scored"}));
  EXPECT_EQ(paths_in(dir / "out/scores.csv"), (Words{files[2], files[0], dir / "in/sub/100.png"}));
  // From standard input, relative to the current folder.
  const std::string program = std::string(PGAD_BINARY_DIR) + "/apps/pgad_infer";
  const ProcessResult piped =
      run_process({"/bin/sh", "-c",
                   "cd '" + dir.path() + "' && printf 'in/101.png\\nin/102.png\\n' | '" + program +
                       "' score --model '" + shared().model + "' --threads 1 --steps 1 --input - --out out2"});
  ASSERT_TRUE(ended(piped, 0, {"2 images scored"}));
  EXPECT_EQ(paths_in(dir / "out2/scores.csv"), (Words{"in/101.png", "in/102.png"}));
}

TEST(Lists, ErrorsNameTheListAndTheLine) {
  const TempDir dir;
  const Words files = write_digits(dir / "in", 1);
  const std::string list = dir / "list.txt";
  const auto run = [&](const std::string& text) {
    put(list, text);
    return infer(score("@" + list, dir / "out"));
  };
  // One of many is that image's error, all of them the list's.
  ASSERT_TRUE(refused(run("\n" + files[0] + "\nnone.png\n"), 1,
                      {list + ":3: 'none.png' does not exist", "1 images scored", "1 could not be read"}));
  EXPECT_EQ(paths_in(dir / "out/scores.csv"), (Words{files[0], "none.png"}));
  EXPECT_TRUE(refused(run("\nnone.png\nnor.png"), 1, {list + ":2: 'none.png' does not exist", "current folder"}));
  fs::create_directory(dir / "empty");
  EXPECT_TRUE(refused(run(files[0] + "\n" + dir / "empty"), 1, {list + ":2: no images", dir / "empty"}));
  EXPECT_TRUE(refused(run(" \n\n"), 1, {list + ": this list of images is empty"}));
  EXPECT_TRUE(refused(run(read_file(files[0])), 1, {list + ":", "not text"}));
  EXPECT_TRUE(refused(infer(score("@" + dir / "none", dir / "out")), 1, {dir / "none", "No such file"}));
  EXPECT_TRUE(refused(infer(score("@", dir / "out")), 2, {"'@'", "list"}));
  EXPECT_TRUE(refused(infer(score("-", dir / "out")), 1, {"standard input", "empty"}));
}

// ---- damaged images -----------------------------------------------------------------------------------------------

// 40 digits as a flat folder, of which the first `damaged` in the split's lists are no images.
struct DamagedSet {
  TempDir dir;
  Dataset data;
  DamagedSet(std::size_t train, std::size_t held_out) {
    write_digits(dir / "in", 40);
    data = Dataset::open(config_for(dir / "in"));
    for (std::size_t i = 0; i < train; ++i) put(data.train_normal[i].path, "damaged");
    for (std::size_t i = 0; i < held_out; ++i) put(data.calibration_normal[i].path, "damaged");
  }
  ProcessResult train_on(const Words& more = {}) const {
    return train(kTiny + kShort + Words{"--data", dir / "in", "--out", dir / "run"} + more);
  }
};

TEST(Damaged, AllTrainingImagesAreNamedAndCounted) {
  const DamagedSet set(4, 2);
  const ProcessResult r = set.train_on();
  ASSERT_TRUE(ended(r, 0,
                    {"6 of 40 training images cannot be read, 2 of them held out for calibration",
                     "32 normal and 0 known abnormal images train, 2 and 0 are held out"}));
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(times_said(r.err, "left out: " + set.data.train_normal[i].name), 1u);
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_EQ(times_said(r.err, "left out (held out for calibration): " + set.data.calibration_normal[i].name), 1u);
}

TEST(Damaged, TooManyTrainingImagesEndItBeforeItBegins) {
  const DamagedSet set(18, 2);
  const ProcessResult r = set.train_on();
  ASSERT_TRUE(refused(r, 1, {"20 of 40 training images cannot be read", "--max-unreadable 0.2"}));
  EXPECT_EQ(times_said(r.err, "left out"), 20u) << r.err;  // each is named
  EXPECT_FALSE(fs::exists(set.dir / "run/log.jsonl"));
  EXPECT_TRUE(ended(set.train_on({"--max-unreadable", "0.5"}), 0, {"note: 20 of 40"}));
  EXPECT_TRUE(refused(set.train_on({"--max-unreadable", "2"}), 2, {"--max-unreadable", "[0, 1]"}));
}

TEST(Damaged, AllHeldOutImages) {
  const DamagedSet set(0, 4);
  ASSERT_TRUE(
      refused(set.train_on({"--max-unreadable", "1"}), 1,
              {"none of the normal images held out for calibration can be read", set.data.calibration_normal[0].name}));
}

}  // namespace
}  // namespace pgad::test
