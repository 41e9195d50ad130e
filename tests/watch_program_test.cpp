// pgad_infer watch: images that come while it runs, while it does not, and while it is killed.

#include <sys/stat.h>

#include <random>

#include "images/printable.h"
#include "tests/programs.h"

namespace pgad::test {
namespace {

const std::string kInfer = std::string(PGAD_BINARY_DIR) + "/apps/pgad_infer";

Words watch_words(const std::string& in, const std::string& out, const Words& more = {}) {
  return Words{kInfer, "watch",     "--model", shared().model, "--input", in,         "--out",
               out,    "--threads", "1",       "--steps",      "2",       "--rescan", "1"} +
         more;
}

std::vector<nlohmann::json> rows_of(const std::string& out) {
  std::vector<nlohmann::json> rows;
  const std::string path = out + "/scores.jsonl";
  if (!fs::exists(path)) return rows;
  const std::string text = read_file(path);
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    rows.push_back(nlohmann::json::parse(text.substr(begin, end - begin)));
  return rows;
}
std::size_t count_rows(const std::string& out) {
  const std::string path = out + "/scores.jsonl";
  if (!fs::exists(path)) return 0;
  const std::string text = read_file(path);
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

// Ends it as a service manager does.
ProcessResult end(Process& process) {
  process.send(SIGTERM);
  return process.wait();
}

// A file that appears whole.
void drop(const std::string& from, const std::string& to) {
  fs::copy_file(from, to + ".coming");
  fs::rename(to + ".coming", to);
}

TEST(Watch, JudgesWhatIsThereAndWhatComesAsScoreDoes) {
  const TempDir dir;
  const Words digits = write_digits(dir / "digits", 12);
  const std::string in = dir / "in", out = dir / "out";
  fs::create_directories(in + "/sub");
  for (int i = 0; i < 3; ++i) drop(digits[static_cast<std::size_t>(i)], in + str("/", i, ".png"));
  Process watch(watch_words(in, out, {"--maps", "--json-lines"}));
  ASSERT_TRUE(watch.wait_until([&] { return count_rows(out) == 3; })) << watch.errors();
  for (int i = 3; i < 11; ++i) {
    drop(digits[static_cast<std::size_t>(i)], in + str(i % 2 ? "/sub/" : "/", i, ".png"));
    if (i != 5) continue;
    ASSERT_TRUE(watch.wait_until([&] { return count_rows(out) == 6; })) << watch.errors();
  }
  put(in + "/<script>alert(1).png", "no image");
  put(in + "/notes.txt", "no image either");
  ASSERT_TRUE(watch.wait_until([&] { return count_rows(out) == 12; })) << watch.errors();
  const ProcessResult ended_watch = end(watch);
  ASSERT_TRUE(ended(ended_watch, 0, {"watching", "12 images judged", "1 could not be read", "0 wait"}));
  EXPECT_EQ(left_overs(out), Words{});

  ASSERT_TRUE(ended(infer({"score", "--model", shared().model, "--input", in, "--threads", "1", "--steps", "2",
                           "--maps", "--out", dir / "scored"}),
                    1));
  std::map<std::string, nlohmann::json> expected;
  const auto scored_json = nlohmann::json::parse(read_file(dir / "scored/scores.json"));
  for (const auto& row : scored_json["images"]) expected[row["path"]] = row;
  const auto rows = rows_of(out);
  ASSERT_EQ(rows.size(), expected.size());
  for (auto row : rows) {
    EXPECT_TRUE(row["time"].get<std::string>().ends_with("Z"));
    EXPECT_EQ(row["size"], fs::file_size(in + "/" + row["path"].get<std::string>()));
    EXPECT_EQ(row["run"], 0);
    for (const char* key : {"time", "size", "modified", "run"}) row.erase(key);
    EXPECT_EQ(row, expected.at(row["path"])) << row;
  }
  const Words printed = lines_of(ended_watch.out);
  ASSERT_EQ(printed.size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) EXPECT_EQ(nlohmann::json::parse(printed[i]), rows[i]);
  const auto table = read_csv(out + "/scores.csv"), scored = read_csv(dir / "scored/scores.csv");
  ASSERT_EQ(table.size(), scored.size());
  for (std::size_t i = 0; i < table.size(); ++i) {
    EXPECT_EQ(table[i].at("path"), rows[i]["path"]);
    EXPECT_TRUE(std::ranges::find(scored, table[i]) != scored.end()) << i;
    if (!table[i].at("error").empty()) continue;
    EXPECT_TRUE(fs::exists(out + "/" + table[i].at("map") + ".heatmap.png"));
  }
  const auto run = nlohmann::json::parse(read_file(out + "/runs.jsonl"));
  EXPECT_EQ(run["first_row"], 0);
  EXPECT_EQ(from_printable(run["relative_to"].get<std::string>()), in + "/");
  EXPECT_TRUE(run["threshold"].is_number());

  const std::string page = read_file(out + "/index.html");
  EXPECT_NE(page.find("sub/9.png"), std::string::npos);
  EXPECT_NE(page.find("&lt;script&gt;alert(1).png"), std::string::npos);
  EXPECT_EQ(page.find("<script>alert"), std::string::npos);
  EXPECT_NE(page.find("data-ended"), std::string::npos);
  EXPECT_EQ(files_in(out + "/thumbnails", ".jpg"), 11);
  for (const auto& file : fs::directory_iterator(out + "/thumbnails")) EXPECT_GT(read_image(file.path()).width, 0);
}

TEST(Watch, KilledAtAnyMomentItJudgesEachOnceAndMovesAll) {
  const TempDir dir;
  const Words digits = write_digits(dir / "digits", 60);
  const std::string in = dir / "in", out = dir / "out", sorted = dir / "sorted";
  fs::create_directories(in);
  std::minstd_rand random(5);
  std::size_t dropped = 0;
  const auto drop_some = [&](std::size_t most) {
    for (const std::size_t end = std::min(digits.size(), dropped + most); dropped < end; ++dropped)
      drop(digits[dropped], in + "/" + fs::path(digits[dropped]).filename().string());
  };
  for (int kill = 0; kill < 12; ++kill) {
    drop_some(random() % 5);
    Process watch(watch_words(in, out, {"--move-to", sorted}));
    const std::size_t before = count_rows(out), wanted = before + random() % 4;
    const auto begin = std::chrono::steady_clock::now();
    const auto patience = std::chrono::milliseconds(random() % 600);
    watch.wait_until([&] { return count_rows(out) > wanted || std::chrono::steady_clock::now() - begin > patience; });
    drop_some(random() % 4);
    watch.send(SIGKILL);
    EXPECT_EQ(watch.wait().signal, SIGKILL) << watch.errors();
  }
  drop_some(digits.size());
  // What a kill in the middle of a row leaves.
  std::ofstream(out + "/scores.jsonl", std::ios::app) << "{\"path\": \"half";
  Process watch(watch_words(in, out, {"--move-to", sorted}));
  ASSERT_TRUE(watch.wait_until([&] { return count_rows(out) == digits.size() && files_in(in, ".png") == 0; }))
      << watch.errors();
  ASSERT_TRUE(ended(end(watch), 0));
  ASSERT_TRUE(ended(infer({"score", "--model", shared().model, "--input", dir / "digits", "--threads", "1", "--steps",
                           "2", "--out", dir / "scored"}),
                    0));
  const auto rows = rows_of(out);
  EXPECT_EQ(rows.size(), digits.size());
  EXPECT_EQ(scores_by_name(out + "/scores.csv"), scores_by_name(dir / "scored/scores.csv"));
  for (const auto& row : rows)
    EXPECT_TRUE(fs::exists(sorted + "/" + row["decision"].get<std::string>() + "/" + row["path"].get<std::string>()));
}

TEST(Watch, LinksByDecisionAndJudgesAnotherVersionAnew) {
  const TempDir dir;
  const Words digits = write_digits(dir / "digits", 3);
  const std::string in = dir / "in", out = dir / "out", sorted = dir / "sorted";
  fs::create_directories(in);
  Process watch(watch_words(in, out, {"--link-to", sorted}));
  put(in + "/a.png", "no image");
  ASSERT_TRUE(watch.wait_until([&] { return fs::is_symlink(sorted + "/unreadable/a.png"); })) << watch.errors();
  drop(digits[0], in + "/a.png");
  ASSERT_TRUE(watch.wait_until([&] { return count_rows(out) == 2 && !fs::is_symlink(sorted + "/unreadable/a.png"); }))
      << watch.errors();
  fs::create_directories(in + "/b");
  drop(digits[1], in + "/b/a.png");
  drop(digits[2], in + "/c.png");
  ASSERT_TRUE(watch.wait_until([&] { return count_rows(out) == 4; })) << watch.errors();
  ASSERT_TRUE(ended(end(watch), 0));
  const auto rows = rows_of(out);
  EXPECT_TRUE(rows[0].contains("error"));
  for (std::size_t i = 1; i < 4; ++i) {
    const std::string name = rows[i]["path"], link = sorted + "/" + rows[i]["decision"].get<std::string>() + "/" + name;
    EXPECT_EQ(fs::read_symlink(link), fs::canonical(in + "/" + name));
  }
  // Nothing of it a second time.
  Process again(watch_words(in, out, {"--link-to", sorted}));
  ASSERT_TRUE(again.wait_until([&] { return again.errors().find("4 rows are there") != std::string::npos; }));
  drop(digits[2], in + "/d.png");
  ASSERT_TRUE(again.wait_until([&] { return count_rows(out) == 5; })) << again.errors();
  ASSERT_TRUE(ended(end(again), 0, {"1 images judged"}));
  EXPECT_EQ(rows_of(out).back()["run"], 1);
  EXPECT_EQ(rows_of(out).back()["path"], "d.png");
  long links = 0;
  for (const auto& entry : fs::recursive_directory_iterator(sorted)) links += entry.is_symlink();
  EXPECT_EQ(links, 4);
}

TEST(Watch, AMoveNeverReplacesAFile) {
  const TempDir dir;
  const Words digits = write_digits(dir / "digits", 2);
  const std::string in = dir / "in", out = dir / "out", sorted = dir / "sorted";
  fs::create_directories(in);
  for (const char* decision : {"normal", "anomalous", "undecided"}) {
    fs::create_directories(sorted + "/" + decision);
    put(sorted + "/" + decision + "/a.png", "somebody's");
  }
  Process watch(watch_words(in, out, {"--move-to", sorted}));
  drop(digits[0], in + "/a.png");
  ASSERT_TRUE(watch.wait_until([&] { return count_rows(out) == 1 && !fs::exists(in + "/a.png"); })) << watch.errors();
  ASSERT_TRUE(ended(end(watch), 0));
  const std::string folder = sorted + "/" + rows_of(out)[0]["decision"].get<std::string>();
  EXPECT_EQ(read_file(folder + "/a.png"), "somebody's");
  EXPECT_EQ(read_file(folder + "/a~2.png"), read_file(digits[0]));
}

TEST(Watch, MovesToAnotherFileSystemAndPastWhatCannotBeMoved) {
  const TempDir dir;
  const SmallDisk disk(dir / "disk", 1 << 20);
  if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs is not permitted";
  const Words digits = write_digits(dir / "digits", 5);
  const std::string in = dir / "in", out = dir / "out", sorted = dir / "disk/sorted";
  fs::create_directories(in + "/a");
  for (const char* decision : {"normal", "anomalous", "undecided"}) {
    fs::create_directories(sorted + "/" + decision);
    put(sorted + "/" + decision + "/a", "a file where a folder is needed");
  }
  drop(digits[0], in + "/a/0.png");
  fs::last_write_time(in + "/a/0.png", fs::file_time_type::clock::now() - std::chrono::hours(1));
  const auto time = fs::last_write_time(in + "/a/0.png");
  Process watch(watch_words(in, out, {"--move-to", sorted}));
  ASSERT_TRUE(watch.wait_until([&] { return count_rows(out) == 1; })) << watch.errors();
  for (std::size_t i = 1; i < 5; ++i) drop(digits[i], in + str("/", i, ".png"));
  ASSERT_TRUE(watch.wait_until([&] { return count_rows(out) == 5 && files_in(in, ".png") == 0; })) << watch.errors();
  EXPECT_TRUE(fs::exists(in + "/a/0.png"));
  EXPECT_NE(watch.errors().find("tried again"), std::string::npos);
  for (const char* decision : {"normal", "anomalous", "undecided"}) fs::remove(sorted + "/" + decision + "/a");
  ASSERT_TRUE(watch.wait_until([&] { return !fs::exists(in + "/a/0.png"); })) << watch.errors();
  ASSERT_TRUE(ended(end(watch), 0));
  for (const auto& row : rows_of(out)) {
    const std::string name = row["path"], moved = sorted + "/" + row["decision"].get<std::string>() + "/" + name;
    EXPECT_EQ(read_file(moved), read_file(digits[static_cast<std::size_t>(fs::path(name).stem().string()[0] - '0')]));
    EXPECT_TRUE(name != "a/0.png" || fs::last_write_time(moved) == time);
  }
  for (const auto& entry : fs::recursive_directory_iterator(sorted))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path();
}

TEST(Watch, ABacklogIsSaid) {
  const TempDir dir;
  const Words digits = write_digits(dir / "digits", 1);
  const std::string in = dir / "in", out = dir / "out";
  fs::create_directories(in);
  for (int i = 0; i < 600; ++i) fs::create_hard_link(digits[0], in + str("/", i, ".png"));
  Process watch(
      with(watch_words(in, out, {"--batch", "1"}), {"--steps", "5000", "--patience", "0", "--start", "random"}));
  ASSERT_TRUE(watch.wait_until([&] { return watch.errors().find("backlog: ") != std::string::npos; }))
      << watch.errors();
  ASSERT_TRUE(ended(end(watch), 0, {" images wait, ", "images a second", "wait for the next start"}));
  EXPECT_LT(count_rows(out), 600u);
}

TEST(Watch, AFullDiskIsSaidAndSurvived) {
  const TempDir dir;
  const SmallDisk disk(dir / "disk", 1 << 20);
  if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs is not permitted";
  constexpr std::size_t kImages = 30;
  const Words digits = write_digits(dir / "digits", kImages);
  const std::string in = dir / "in", out = dir / "disk/out";
  fs::create_directories(in);
  Process watch(watch_words(in, out));
  drop(digits[0], in + "/0.png");
  ASSERT_TRUE(watch.wait_until([&] { return count_rows(out) == 1; })) << watch.errors();
  put(dir / "disk/filler", std::string(2 << 20, 'x'));  // as much of it as there is room for
  // The page that the rows end in has room for some.
  for (std::size_t i = 1; i < kImages; ++i) drop(digits[i], in + str("/", i, ".png"));
  ASSERT_TRUE(watch.wait_until([&] {
    return watch.errors().find("images wait until it can be written") != std::string::npos;
  })) << watch.errors();
  EXPECT_LT(count_rows(out), kImages);
  fs::remove(dir / "disk/filler");
  ASSERT_TRUE(watch.wait_until([&] { return count_rows(out) == kImages; })) << watch.errors();
  ASSERT_TRUE(
      ended(end(watch), 0, {"No space left on device", "can be written again", str(kImages, " images judged")}));
  EXPECT_EQ(read_csv(out + "/scores.csv").size(), kImages);
  std::set<std::string> names;
  for (const auto& row : rows_of(out)) names.insert(row["path"]);
  EXPECT_EQ(names.size(), kImages);
}

TEST(Watch, RefusesWhatWouldLoseOrLoop) {
  const TempDir dir;
  const Words digits = write_digits(dir / "in", 1);
  const auto watch = [&](const std::string& in, const std::string& out, const Words& more = {}) {
    return run_process(watch_words(in, out, more), {20, {}});
  };
  EXPECT_TRUE(refused(watch(dir / "none", dir / "out"), 1, {dir / "none", "does not exist"}));
  EXPECT_TRUE(refused(watch(digits[0], dir / "out"), 1, {digits[0], "no folder"}));
  EXPECT_TRUE(refused(watch(dir / "in", dir / "in/out"), 2, {"--out", "lies in the folder that is watched"}));
  EXPECT_TRUE(refused(watch(dir / "in", dir / "in"), 2, {"--out", "lies in the folder that is watched"}));
  fs::create_directory_symlink(dir / "in", dir / "link");
  EXPECT_TRUE(refused(watch(dir / "link", dir / "out", {"--move-to", dir / "in/sorted"}), 2, {"--move-to", "lies in"}));
  EXPECT_TRUE(refused(watch(dir / "in", dir / "out", {"--move-to", "a", "--link-to", "b"}), 2, {"--link-to"}));
  ASSERT_TRUE(ended(infer({"score", "--model", shared().model, "--input", dir / "in", "--threads", "1", "--steps", "2",
                           "--out", dir / "scored"}),
                    0));
  const std::string scores = read_file(dir / "scored/scores.csv");
  EXPECT_TRUE(refused(watch(dir / "in", dir / "scored"), 2, {"scores.json", "an --out of its own"}));
  EXPECT_EQ(read_file(dir / "scored/scores.csv"), scores);

  Process good(watch_words(dir / "in", dir / "out"));
  ASSERT_TRUE(good.wait_until([&] { return count_rows(dir / "out") == 1; })) << good.errors();
  EXPECT_TRUE(refused(watch(dir / "in", dir / "out"), 1, {dir / "out", "another run writes"}));
  ASSERT_TRUE(ended(end(good), 0));
  EXPECT_TRUE(refused(infer({"score", "--model", shared().model, "--input", dir / "in", "--out", dir / "out"}), 2,
                      {"scores.jsonl", "another --out"}));
  std::ofstream(dir / "out/scores.jsonl", std::ios::app) << "no row\n";
  EXPECT_TRUE(refused(watch(dir / "in", dir / "out"), 1, {"scores.jsonl:2", "not a line"}));
  EXPECT_TRUE(fs::exists(dir / "in/100.png"));
}

}  // namespace
}  // namespace pgad::test
