// pgad_train: what it writes and refuses, full disks, runs that are interrupted and resumed.

#include "tests/event_reader.h"
#include "tests/programs.h"

namespace pgad::test {
namespace {

TEST(TrainProgram, WritesARun) {
  const Shared& s = shared();
  ASSERT_TRUE(ended(s.trained, 0, {"idx data", "saved " + s.model, "threshold of combined"}));
  const auto config = nlohmann::json::parse(read_file(s.run + "/config.json"));
  EXPECT_EQ(config.at("resolution"), 8);
  EXPECT_EQ(config.at("normal-class"), "8");
  const auto log = read_log(s.run);
  ASSERT_FALSE(log.empty());
  for (const auto& line : log)
    for (const char* key : {"kimg", "resolution", "alpha", "d_loss", "g_loss", "d_real", "d_fake", "d_abnormal",
                            "d_grad_norm", "images_per_second", "peak_rss_mb"}) {
      ASSERT_TRUE(line.contains(key)) << key;
      EXPECT_TRUE(line[key].is_number()) << key << " in " << line.dump();
    }
  EXPECT_EQ(log.back()["resolution"], 8);
  EXPECT_DOUBLE_EQ(log.back()["alpha"].get<double>(), 1);
  EXPECT_GT(log.back()["peak_rss_mb"].get<double>(), 1);
  EXPECT_GE(files_in(s.run + "/samples", ".png"), 1);
  for (const auto& e : fs::directory_iterator(s.run + "/samples")) {
    const Image sheet = read_image(e.path().string());  // 8 x 8 images of 8 x 8, and lines between them
    EXPECT_EQ(sheet.width, sheet.height);
    EXPECT_GE(sheet.width, 64);
  }
  EXPECT_EQ(list_checkpoints(s.run).size(), 1u);
  EXPECT_EQ(read_safetensors(s.model).metadata.at("format"), "pgad-model");
  EXPECT_EQ(left_overs(s.run), Words{});
}

TEST(TrainProgram, ConfigFileOfARunRepeatsIt) {
  const Shared& s = shared();
  const TempDir dir;
  ASSERT_TRUE(ended(train({"--config", s.run + "/config.json", "--out", dir / "again"}), 0));
  EXPECT_TRUE(read_file(s.model) == read_file(dir / "again/model.safetensors"));
}

TEST(TrainProgram, NoSampleSheetsOnRequest) {
  const TempDir dir;
  ASSERT_TRUE(ended(train(shared().train_words + kShort + Words{"--sample-kimg", "0", "--out", dir / "run"}), 0));
  EXPECT_EQ(files_in(dir / "run/samples", ".png"), 0);
}

// What a run's event files say, the later ones instead of what the earlier ones say of the same steps: by tag and step.
std::map<std::string, std::map<std::int64_t, ReadEvent>> board_of(const std::string& run) {
  std::map<std::string, std::map<std::int64_t, ReadEvent>> board;
  for (const std::string& path : event_files(run + "/tensorboard"))
    for (const ReadEvent& e : parse_events(read_file(path))) {
      if (e.event.contains(7))  // begins here
        for (auto& [tag, points] : board) points.erase(points.lower_bound(e.step), points.end());
      if (e.tag.empty()) continue;
      EXPECT_TRUE(board[e.tag].emplace(e.step, e).second) << e.tag << " twice at " << e.step;
    }
  return board;
}

// Every number of the log is on the board, and no other scalar.
void expect_board_of_log(const std::string& run) {
  auto board = board_of(run);
  std::size_t expected = 0, seen = 0;
  for (const auto& line : read_log(run)) {
    const std::int64_t images = std::llround(1000 * line.at("kimg").get<double>());
    const auto expect = [&](const std::string& tag, double value) {
      ++expected;
      ASSERT_TRUE(board[tag].contains(images)) << tag << " at " << images;
      EXPECT_EQ(board[tag][images].value.at(2).real32(), static_cast<float>(value)) << tag << " at " << images;
    };
    for (const auto& [key, value] : line.items())
      if (value.is_number()) expect(key, value);
    int side = line.at("resolution");
    for (const double distance : line.value("swd", std::vector<double>())) {
      expect("swd/" + std::to_string(side), distance);
      side /= 2;
    }
  }
  for (const auto& [tag, points] : board)
    for (const auto& [step, event] : points) seen += event.value.contains(2);
  EXPECT_EQ(seen, expected);
}

TEST(TrainProgram, WritesForTensorBoard) {
  const TempDir dir;
  const std::string run = dir / "run";
  EXPECT_FALSE(fs::exists(shared().run + "/tensorboard"));  // not asked for
  ASSERT_TRUE(
      ended(train(shared().train_words + kShort + Words{"--tensorboard", "--sample-kimg", "0.1", "--out", run}), 0));
  expect_board_of_log(run);
  auto board = board_of(run);
  EXPECT_TRUE(board.contains("swd/8"));
  // The sheets as they lie in samples/.
  EXPECT_EQ(static_cast<long>(board["samples"].size()), files_in(run + "/samples", ".png"));
  EXPECT_GE(board["samples"].size(), 3u);
  for (const auto& [images, event] : board["samples"]) {
    char name[64];
    std::snprintf(name, sizeof name, "/samples/images-%012lld.png", static_cast<long long>(images));
    EXPECT_TRUE(proto_fields(event.value.at(4).bytes).at(4).bytes == read_file(run + name)) << name;
  }
  // The scores that the model holds of its calibration.
  const auto tensors = read_safetensors(run + "/model.safetensors").tensors;
  for (const std::string& name : kScores)
    for (const std::string kind : {"normal", "abnormal"}) {
      const std::string tag = name + "/" + (kind == "normal" ? kind : "known_abnormal");
      ASSERT_EQ(board[tag].size(), 1u) << tag;
      auto histogram = proto_fields(board[tag].begin()->second.value.at(5).bytes);
      EXPECT_EQ(board[tag].begin()->first, 305);  // after the 304 images
      const auto& terms = tensors.at("calibration." + kind + "_terms");
      EXPECT_EQ(histogram.at(3).real(), static_cast<double>(terms.shape[0])) << tag;
    }
  EXPECT_FALSE(board.contains("combined/drawn_abnormal"));  // whole images
  const std::size_t tags = board.size();

  // A run that goes on writes another file; one that does not ask for it, none.
  fs::copy(run, dir / "without", fs::copy_options::recursive);
  ASSERT_TRUE(ended(train({"--out", dir / "without", "--resume", "--threads", "1", "--total-kimg", "0.4"}), 0));
  EXPECT_EQ(event_files(dir / "without/tensorboard").size(), 1u);
  ASSERT_TRUE(ended(train({"--out", run, "--resume", "--threads", "1", "--total-kimg", "0.4", "--tensorboard"}), 0));
  EXPECT_EQ(event_files(run + "/tensorboard").size(), 2u);
  expect_board_of_log(run);
  EXPECT_EQ(board_of(run).size(), tags);
  // Of a finished run calibration is all that is done again.
  ASSERT_TRUE(ended(train({"--out", run, "--resume", "--threads", "1", "--tensorboard"}), 0));
  EXPECT_EQ(event_files(run + "/tensorboard").size(), 3u);
  expect_board_of_log(run);
  EXPECT_EQ(board_of(run)["combined/normal"].size(), 1u);
}

TEST(TrainProgram, TensorBoardsFolderCannotBeMade) {
  const TempDir dir;
  fs::create_directory(dir / "run");
  write_file_atomically(dir / "run/tensorboard", "text");
  EXPECT_TRUE(refused(train(shared().train_words + kShort + Words{"--tensorboard", "--out", dir / "run"}), 1,
                      {dir / "run/tensorboard", "is a file"}));
}

// As where log.jsonl cannot be written: the steps until then are not lost.
TEST(TrainProgram, FullDiskWhileWritingForTensorBoard) {
  const TempDir dir;
  const std::string run = dir / "run";
  const SmallDisk disk(run + "/tensorboard", 4 << 10);
  if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs is not permitted";
  const Words words = shared().train_words + kShort + Words{"--sample-kimg", "0.1", "--out", run};
  EXPECT_TRUE(refused(train(words + Words{"--tensorboard"}), 1,
                      {run + "/tensorboard/events.out.tfevents.", "No space left on device"}));
  EXPECT_EQ(read_log(run).back().at("kimg"), 0.2);
  ASSERT_EQ(list_checkpoints(run).size(), 1u);
  ASSERT_TRUE(ended(train(words + Words{"--resume"}), 0, {"resuming at 0.2 kimg"}));
  EXPECT_EQ(read_safetensors(run + "/model.safetensors").metadata.at("images"), "304");
}

TEST(TrainProgram, RefusesMissingData) {
  const TempDir dir;
  const Words out = kTiny + kShort + Words{"--out", dir / "out"};
  fs::create_directory(dir / "empty");
  write_file_atomically(dir / "file", "text");
  EXPECT_TRUE(refused(train(out), 2, {"--data", "expected"}));
  EXPECT_TRUE(refused(train(Words{"--data", dir / "nowhere"} + out), 1, {dir / "nowhere", "does not exist"}));
  EXPECT_TRUE(refused(train(Words{"--data", dir / "empty"} + out), 1, {dir / "empty", "no images"}));
  EXPECT_TRUE(refused(train(Words{"--data", dir / "file"} + out), 1, {dir / "file", "is a file"}));
  EXPECT_TRUE(refused(train(Words{"--data", (dir / "file") + "/below"} + out), 1, {"/below"}));
  EXPECT_FALSE(fs::exists(dir / "out/model.safetensors"));
}

TEST(TrainProgram, RefusesAMissingNormalClass) {
  const TempDir dir;
  const Words words = Words{"--data", shared().data, "--out", dir / "out"} + kTiny + kShort;
  EXPECT_TRUE(refused(train(words), 2, {"normal", "classes: 0, 1, 2"}));
  EXPECT_TRUE(refused(train(words + Words{"--normal-class", "eight"}), 2, {"eight", "classes: 0, 1, 2"}));
}

TEST(TrainProgram, RefusesValuesOutOfRange) {
  const TempDir dir;
  const struct {
    Words words, said;
  } cases[] = {
      {{"--gamma", "0"}, {"--gamma", "value 0", "(0, 1]"}},
      {{"--gamma", "1.5"}, {"--gamma", "1.5", "(0, 1]"}},
      {{"--gamma", "nan"}, {"--gamma", "(0, 1]"}},
      {{"--gamma", "much"}, {"--gamma", "much", "(0, 1]"}},
      {{"--resolution", "48"}, {"--resolution", "48", "power of two"}},
      {{"--batch", "0"}, {"--batch", "0", "4096"}},
      {{"--batch", "4:8,4:16"}, {"--batch"}},
      {{"--lr", "-1"}, {"--lr", "-1"}},
      {{"--steps", "0"}, {"--steps", ">= 1"}},
      {{"--total-kimg", "0"}, {"--total-kimg", "(0, 1e9]"}},
      {{"--start-resolution", "16"}, {"--start-resolution", "resolution is 8"}},
      {{"--preset", "huge"}, {"--preset", "huge", "tiny, small, tile64, tile128, pggan, paper-tiny or paper-pggan"}},
      {{"--device", "abacus"}, {"--device", "abacus"}},
      {{"--gama", "0.1"}, {"--gama"}},
  };
  const Words words = shared().train_words + kShort + Words{"--out", dir / "out"};
  for (const auto& c : cases) EXPECT_TRUE(refused(train(with(words, c.words)), 2, c.said)) << c.words[0];
  EXPECT_TRUE(refused(train(words + Words{"stray"}), 2, {"stray"}));
  EXPECT_TRUE(refused(train(words + Words{"--gamma"}), 2, {"--gamma"}));
  EXPECT_TRUE(refused(train(words + Words{"--batch", "4"}), 2, {"--batch"}));  // twice
  EXPECT_FALSE(fs::exists(dir / "out/model.safetensors"));
}

TEST(TrainProgram, RefusesBadConfigFiles) {
  const TempDir dir;
  const std::string file = dir / "config.json";
  const auto run = [&](const std::string& text) {
    write_file_atomically(file, text);
    return train(shared().train_words + kShort + Words{"--out", dir / "out", "--config", file});
  };
  EXPECT_TRUE(refused(run(R"({"gama": 0.1})"), 2, {file, "gama", "closest", "\"gamma\""}));
  EXPECT_TRUE(refused(run(R"({"gamma": "a lot"})"), 2, {file, "\"gamma\"", "a lot", "(0, 1]"}));
  EXPECT_TRUE(refused(run(R"({"drift": true})"), 2, {file, "\"drift\"", "true"}));
  EXPECT_TRUE(refused(run(R"({"restarts": 1.5})"), 2, {file, "\"restarts\"", "1.5"}));
  EXPECT_TRUE(refused(run(R"([1, 2])"), 2, {file, "object", "array"}));
  // nlohmann's name for the error may stand in the sentence: it carries line and column.
  EXPECT_TRUE(ended(run("gamma = 0.1"), 1, {file, "not valid JSON"}));
  EXPECT_TRUE(ended(run(R"({"gamma": 0.1, )"), 1, {file, "not valid JSON"}));
  EXPECT_TRUE(refused(train(shared().train_words + Words{"--out", dir / "out", "--config", dir / "none.json"}), 1,
                      {dir / "none.json", "No such file"}));
}

TEST(TrainProgram, RefusesAnUnwritableOut) {
  const TempDir dir;
  write_file_atomically(dir / "file", "text");
  const Words words = shared().train_words + kShort;
  EXPECT_TRUE(refused(train(words), 2, {"--out", "directory"}));
  EXPECT_TRUE(refused(train(words + Words{"--out", (dir / "file") + "/below"}), 1, {"/file/below", "Not a directory"}));
  EXPECT_TRUE(refused(train(words + Words{"--out", dir / "file"}), 1, {dir / "file", "is a file"}));
  EXPECT_EQ(read_file(dir / "file"), "text");
}

TEST(TrainProgram, DoesNotOverwriteARun) {
  const Shared& s = shared();
  const std::string before = read_file(s.model);
  EXPECT_TRUE(refused(train(s.train_words + kShort + Words{"--out", s.run}), 2, {"already holds a run", "--resume"}));
  EXPECT_TRUE(before == read_file(s.model));
}

TEST(TrainProgram, ResumeKeepsTheRunsConfiguration) {
  const TempDir dir;
  fs::copy(shared().run, dir / "run", fs::copy_options::recursive);
  const Words resume = shared().train_words + kShort + Words{"--out", dir / "run", "--resume"};
  EXPECT_TRUE(refused(train(resume + Words{"--lr", "0.002"}), 2, {"--lr", "0.002", "0.001", "--resume"}));
  EXPECT_TRUE(refused(train(resume + Words{"--gamma", "0.2"}), 2, {"--gamma", "0.2", "0.1"}));
  // Weights come from the old seed, all later random numbers would come from the new one.
  EXPECT_TRUE(refused(train(resume + Words{"--seed", "77"}), 2, {"--seed", "77"}));
  EXPECT_TRUE(read_file(shared().model) == read_file(dir / "run/model.safetensors"));
}

TEST(TrainProgram, ResumeOfAFinishedRunChangesNothing) {
  const TempDir dir;
  fs::copy(shared().run, dir / "run", fs::copy_options::recursive);
  const std::string log = read_file(dir / "run/log.jsonl");
  ASSERT_TRUE(ended(train({"--out", dir / "run", "--resume", "--threads", "1"}), 0, {"resuming at 0.304 kimg"}));
  EXPECT_TRUE(read_file(shared().model) == read_file(dir / "run/model.safetensors"));
  EXPECT_EQ(log, read_file(dir / "run/log.jsonl"));
}

// Checkpoints hold neither the run's options nor, therefore, what the preset says of them.
TEST(TrainProgram, ResumeKeepsThePresetsOptionsOfTheRun) {
  const TempDir dir;
  const std::string run = dir / "run";
  const Words words = shared().train_words + kShort +
                      Words{"--preset", "tile64", "--no-encoder", "--no-patch-critic", "--start-resolution", "4"};
  ASSERT_TRUE(ended(train(words + Words{"--out", run}), 0));
  const auto sheets_every = [&] { return nlohmann::json::parse(read_file(run + "/config.json")).at("sample-kimg"); };
  EXPECT_EQ(sheets_every(), 4.0);
  ASSERT_TRUE(ended(train({"--resume", "--total-kimg", "0.4", "--threads", "1", "--out", run}), 0));
  EXPECT_EQ(sheets_every(), 4.0);
}

TEST(TrainProgram, ResumeCanGoOnForLonger) {
  const TempDir dir;
  fs::copy(shared().run, dir / "run", fs::copy_options::recursive);
  ASSERT_TRUE(
      ended(train({"--out", dir / "run", "--resume", "--threads", "1", "--total-kimg", "0.4"}), 0, {"resuming at"}));
  EXPECT_EQ(read_safetensors(dir / "run/model.safetensors").metadata.at("images"), "400");
}

// A file system of its own, so small that it fills up.
TEST(TrainProgram, FullDiskWhileCheckpointing) {
  const TempDir dir;
  const SmallDisk disk(dir / "disk", 64 << 10);
  if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs is not permitted";
  const std::string other = dir / "disk/other";
  write_file_atomically(other, read_file(shared().model));
  EXPECT_TRUE(refused(train(with(shared().train_words + kShort, {"--fmap-max", "32", "--out", dir / "disk"})), 1,
                      {dir / "disk/checkpoints/images-000000000304.safetensors", "No space left on device"}));
  EXPECT_TRUE(read_file(other) == read_file(shared().model));
  EXPECT_TRUE(list_checkpoints(dir / "disk").empty());
  EXPECT_EQ(left_overs(dir / "disk"), Words{});
}

TEST(TrainProgram, FullDiskWhileSavingTheModel) {
  const TempDir dir;
  const SmallDisk disk(dir / "disk", 64 << 10);
  if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs is not permitted";
  fs::copy(shared().run, dir / "run", fs::copy_options::recursive);
  // The checkpoint, which is written first and is larger, has room; only the model lies on the full disk.
  const std::string model = dir / "run/model.safetensors", elsewhere = dir / "disk/model.safetensors";
  fs::copy_file(shared().model, elsewhere);
  fs::remove(model);
  fs::create_symlink(elsewhere, model);
  std::ofstream(dir / "disk/filler") << std::string(64 << 10, 'x');
  EXPECT_TRUE(
      refused(train({"--out", dir / "run", "--resume", "--threads", "1"}), 1, {model, "No space left on device"}));
  EXPECT_TRUE(read_file(model) == read_file(shared().model));
  EXPECT_EQ(left_overs(dir / "disk"), Words{});
}

// ---- interrupted runs ----------------------------------------------------------------------------------------------

// Long enough to be hit in each of its phases: 4x4 until 2 kimg, fading until 4, 8x8 until 6.
const Words kLong = {"--total-kimg",      "6",    "--fade-kimg",   "2", "--stable-kimg", "2",
                     "--checkpoint-kimg", "0.05", "--sample-kimg", "1"};

const std::string& uninterrupted() {
  static const std::string run = [] {
    std::string path = shared().dir / "uninterrupted";
    const auto r = train(shared().train_words + kLong + Words{"--out", path});
    if (r.exit_code != 0) throw Error("the uninterrupted run failed: " + r.err);
    return path;
  }();
  return run;
}

std::int64_t newest_checkpoint(const std::string& run) {
  const auto all = list_checkpoints(run);
  return all.empty() ? 0 : all.rbegin()->first;
}

// Starts a run and sends `signal` once a checkpoint of at least `images` is there. On a busy machine the run may be
// over before: then it is started afresh.
ProcessResult interrupted_run(const std::string& run, const Words& words, std::int64_t images, int signal) {
  for (int attempt = 0;; ++attempt) {
    Process process(Words{std::string(PGAD_BINARY_DIR) + "/apps/pgad_train"} + words + Words{"--out", run});
    if (process.wait_until([&] { return newest_checkpoint(run) >= images; })) process.send(signal);
    ProcessResult r = process.wait();
    const bool over = r.exit_code == 0 && r.err.find("interrupted") == std::string::npos;
    if (!over || attempt == 4) return r;
    fs::remove_all(run);
  }
}

void expect_same_as_uninterrupted(const std::string& run) {
  EXPECT_TRUE(read_file(run + "/model.safetensors") == read_file(uninterrupted() + "/model.safetensors"));
  const auto log = read_log(run), expected = read_log(uninterrupted());
  ASSERT_EQ(log.size(), expected.size());
  for (std::size_t i = 0; i < log.size(); ++i)
    for (const char* key : {"kimg", "step", "alpha", "d_loss", "g_loss"})
      EXPECT_EQ(log[i][key], expected[i][key]) << key;
}

class Signals : public testing::TestWithParam<int> {};

TEST_P(Signals, SaveAndResume) {
  const TempDir dir;
  const std::string run = dir / "run";
  const ProcessResult r = interrupted_run(run, shared().train_words + kLong, 2500, GetParam());
  ASSERT_TRUE(ended(r, 0, {"interrupted: " + run + "/model.safetensors", "--resume"}));
  EXPECT_TRUE(ended(infer({"info", "--model", run + "/model.safetensors"}), 0, {"8x8x1", "calibration       none"}));
  ASSERT_TRUE(ended(train(shared().train_words + kLong + Words{"--out", run, "--resume"}), 0, {"resuming at"}));
  expect_same_as_uninterrupted(run);
}

INSTANTIATE_TEST_SUITE_P(TrainProgram, Signals, testing::Values(SIGINT, SIGTERM),
                         [](const auto& p) { return p.param == SIGINT ? "Interrupt" : "Terminate"; });

class Killed : public testing::TestWithParam<int> {};

TEST_P(Killed, RunResumesToTheSameModel) {
  const TempDir dir;
  const std::string run = dir / "run";
  const ProcessResult r = interrupted_run(run, shared().train_words + kLong, GetParam(), SIGKILL);
  ASSERT_EQ(r.signal, SIGKILL) << r.err;
  EXPECT_FALSE(fs::exists(run + "/model.safetensors"));
  ASSERT_TRUE(ended(train(shared().train_words + kLong + Words{"--out", run, "--resume"}), 0, {"resuming at"}));
  expect_same_as_uninterrupted(run);
}

// In the first phase, at the fade's beginning, in its middle, after it.
INSTANTIATE_TEST_SUITE_P(TrainProgram, Killed, testing::Values(50, 1950, 3000, 4500),
                         [](const auto& p) { return "At" + std::to_string(p.param); });

TEST(TrainProgram, DamagedCheckpointIsPassedOver) {
  const TempDir dir;
  const std::string run = dir / "run";
  fs::copy(uninterrupted(), run, fs::copy_options::recursive);
  const std::string model = read_file(run + "/model.safetensors");
  fs::remove(run + "/model.safetensors");
  const auto all = list_checkpoints(run);
  ASSERT_EQ(all.size(), 2u);
  const std::string newest = all.rbegin()->second;
  fs::resize_file(newest, fs::file_size(newest) / 2);
  const auto r = train(shared().train_words + kLong + Words{"--out", run, "--resume"});
  ASSERT_TRUE(ended(r, 0, {"damaged checkpoint", newest, "resuming at"}));
  expect_same_as_uninterrupted(run);
}

TEST(TrainProgram, AllCheckpointsDamaged) {
  const TempDir dir;
  const std::string run = dir / "run";
  fs::copy(shared().run, run, fs::copy_options::recursive);
  const std::string only = list_checkpoints(run).begin()->second;
  write_file_atomically(only, "");
  // Either a refusal or a fresh start would do; neither may end in a wrong model.
  const auto r = train(shared().train_words + kShort + Words{"--out", run, "--resume"});
  EXPECT_NE(r.err.find(run + "/checkpoints"), std::string::npos) << r.err;
  EXPECT_TRUE(read_file(run + "/model.safetensors") == read_file(shared().model));
}

// Its page is looked at by report_page_test.
TEST(Train, WritesAReport) {
  const TempDir dir;
  const auto data_of = [](const std::string& path) {
    const std::string page = read_file(path), mark = "const D=";
    const std::size_t begin = page.find(mark) + mark.size();
    return nlohmann::json::parse(page.substr(begin, page.find(";\n", begin) - begin));
  };
  const Words words = shared().train_words + kShort + Words{"--out", dir / "run", "--sample-kimg", "0.1"};
  ASSERT_TRUE(ended(train(words), 0));
  EXPECT_FALSE(fs::exists(dir / "run/report.html"));
  // While it goes on; what it has shown then is there.
  Process running({std::string(PGAD_BINARY_DIR) + "/apps/pgad_train", "--out", dir / "run", "--resume", "--total-kimg",
                   "1000", "--report"});
  ASSERT_TRUE(running.wait_until([&] { return fs::exists(dir / "run/report.html"); })) << running.errors();
  const auto midway = data_of(dir / "run/report.html");
  EXPECT_EQ(midway["running"], true);
  EXPECT_TRUE(midway["state"].get<std::string>().find("of 1000.00 kimg") != std::string::npos) << midway["state"];
  EXPECT_GE(midway["log"].size(), 1u);
  running.send(SIGTERM);
  ASSERT_TRUE(ended(running.wait(), 0));
  EXPECT_EQ(data_of(dir / "run/report.html")["running"], false);
  // Of a run that had none.
  ASSERT_TRUE(ended(train({"--out", dir / "run", "--resume", "--total-kimg", "0.5", "--report"}), 0, {"report in"}));
  const auto data = data_of(dir / "run/report.html");
  EXPECT_EQ(data["state"], "finished");
  EXPECT_EQ(data["running"], false);
  EXPECT_EQ(data["log"].size(), read_log(dir / "run").size());
  EXPECT_EQ(static_cast<long>(data["sheets"].size()), files_in(dir / "run/samples", ".png"));
  EXPECT_EQ(data["options"]["resolution"], 8);
  EXPECT_EQ(data["calibration"]["normal"].size(), 8u);
  EXPECT_TRUE(data["calibration"]["text"].get<std::string>().find("normal images") != std::string::npos);
}

}  // namespace
}  // namespace pgad::test
