// What a run leaves behind: names of any bytes and lengths, errors of single images, signals, full disks and vanished
// folders, two runs in one folder, and going on after all that.

#include <sys/file.h>

#include <thread>

#include "images/printable.h"
#include "tests/programs.h"

namespace pgad::test {
namespace {

const std::string kInfer = std::string(PGAD_BINARY_DIR) + "/apps/pgad_infer";
const std::string kTrain = std::string(PGAD_BINARY_DIR) + "/apps/pgad_train";

nlohmann::json read_json(const std::string& path) { return nlohmann::json::parse(read_file(path)); }

long lines_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::count(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>(), '\n');
}

// ---- names ---------------------------------------------------------------------------------------------------------

const std::string kLatin1 = "gr\xFCn";  // not UTF-8

TEST(Names, AnyBytesInAllResults) {
  const TempDir dir;
  const Words digits = write_digits(dir / "digits", 4);
  const std::string in = dir / ("in-" + kLatin1);
  const Words names = {kLatin1 + ".png", "gr\xC3\xBCn.png", "literal\\x41.png", "plain.png"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    fs::create_directories(in);
    fs::copy_file(digits[i], in + "/" + names[i]);
  }
  put(in + "/z" + kLatin1 + "-broken.png", "no picture");
  const std::string out = dir / ("out-" + kLatin1);
  EXPECT_TRUE(refused(infer({"score", "--model", shared().model, "--input", in, "--threads", "1", "--steps", "2",
                             "--maps", "--out", out}),
                      1, {"4 images scored", "gr\\xFCn-broken.png"}));
  const auto rows = read_csv(out + "/scores.csv");
  const auto json = read_json(out + "/scores.json");
  ASSERT_EQ(rows.size(), 5u);
  std::set<std::string> found;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string path = rows[i].at("path");
    found.insert(from_printable(path));
    EXPECT_EQ(json["images"][i]["path"], path);
    EXPECT_TRUE(fs::exists(in + "/" + from_printable(path))) << path;
    if (!rows[i].at("error").empty()) continue;
    EXPECT_EQ(rows[i].at("map"), "maps/" + path);
    EXPECT_TRUE(fs::exists(out + "/" + rows[i].at("map") + ".heatmap.png")) << path;
  }
  for (const std::string& name : names) EXPECT_TRUE(found.contains(name)) << printable(name);
  EXPECT_TRUE(json.dump().find("gr\xC3\xBCn.png") != std::string::npos);
  EXPECT_EQ(from_printable(json["relative_to"].get<std::string>()), in + "/");
}

TEST(Names, AnyBytesFromTrainingToEvaluation) {
  const TempDir dir;
  const std::string data = dir / ("data-" + kLatin1);
  for (const char* folder : {"/train/good", "/test/good"}) write_digits(data + folder, 10);
  write_digits(data + "/test/" + kLatin1, 3);
  write_digits(data + "/ground_truth/" + kLatin1, 0);
  fs::rename(data + "/train/good/100.png", data + "/train/good/" + kLatin1 + ".png");
  put(data + "/train/good/" + kLatin1 + "-broken.png", "no picture");
  const std::string run = dir / ("run-" + kLatin1), model = run + "/model.safetensors";
  ASSERT_TRUE(ended(train(kTiny + kShort + Words{"--data", data, "--out", run}), 0, {"saved", "gr\\xFCn-broken.png"}));
  const auto config = read_json(run + "/config.json");
  EXPECT_EQ(from_printable(config.at("data").get<std::string>()), data);
  // The data's place is read back from there.
  ASSERT_TRUE(ended(train({"--out", run, "--resume", "--threads", "1", "--total-kimg", "0.4"}), 0, {"resuming"}));
  ASSERT_TRUE(ended(train({"--config", run + "/config.json", "--out", dir / "again"}), 0, {"saved"}));
  EXPECT_TRUE(ended(infer({"info", "--model", model}), 0));
  ASSERT_TRUE(ended(
      infer({"evaluate", "--model", model, "--data", data, "--threads", "1", "--steps", "2", "--out", dir / "out"}),
      0));
  EXPECT_EQ(from_printable(read_json(dir / "out/metrics.json").at("data").get<std::string>()), data);
  std::set<std::string> groups;
  for (const auto& row : read_csv(dir / "out/scores.csv")) groups.insert(from_printable(row.at("group")));
  EXPECT_EQ(groups, (std::set<std::string>{"good", kLatin1}));
}

TEST(Names, LongOnesAreShortenedForMaps) {
  const TempDir dir;
  const Words digits = write_digits(dir / "digits", 4);
  fs::create_directories(dir / "in");
  const std::string start(240, 'n');
  const Words names = {start + "-a.png", start + "-b.png", "\xC3\xA4" + std::string(249, 'x') + ".png", "short.png"};
  for (std::size_t i = 0; i < names.size(); ++i) fs::copy_file(digits[i], dir / "in/" + names[i]);
  ASSERT_TRUE(ended(infer({"score", "--model", shared().model, "--input", dir / "in", "--threads", "1", "--steps", "2",
                           "--maps", "--out", dir / "out"}),
                    0, {"4 images scored"}));
  std::set<std::string> maps;
  const auto json = read_json(dir / "out/scores.json");
  for (const auto& row : read_csv(dir / "out/scores.csv")) {
    maps.insert(row.at("map"));
    for (const char* ending : {".heatmap.png", ".reconstruction.png", ".panel.png", ".residual.npy", ".calibrated.npy"})
      EXPECT_TRUE(fs::exists(dir / ("out/" + row.at("map") + ending))) << row.at("map") << ending;
    if (row.at("path") == "short.png") {
      EXPECT_EQ(row.at("map"), "maps/short.png");
    }
    const auto same = [&](const nlohmann::json& image) { return image["map"] == row.at("map"); };
    EXPECT_EQ(std::ranges::count_if(json["images"], same), 1);
  }
  EXPECT_EQ(maps.size(), 4u);
}

TEST(Names, AMapThatCannotBeWrittenIsThatImagesError) {
  const TempDir dir;
  write_digits(dir / "in/bad", 2);
  write_digits(dir / "in/good", 2);
  fs::create_directories(dir / "out/maps");
  put(dir / "out/maps/bad", "a file where a folder is needed");
  EXPECT_TRUE(refused(infer({"score", "--model", shared().model, "--input", dir / "in", "--threads", "1", "--steps",
                             "2", "--maps", "--out", dir / "out"}),
                      1, {"4 images scored", "the maps of 2 could not be written", "bad/100.png: its maps"}));
  EXPECT_EQ(read_json(dir / "out/scores.json").at("complete"), true);
  for (const auto& row : read_csv(dir / "out/scores.csv")) {
    const bool bad = row.at("path").starts_with("bad");
    EXPECT_EQ(row.at("error").empty(), !bad) << row.at("path");
    EXPECT_EQ(row.at("map").empty(), bad);
    EXPECT_FALSE(row.at("combined").empty());
    EXPECT_FALSE(row.at("decision").empty());
  }
}

// ---- scoring that is cut short --------------------------------------------------------------------------------------

// Long enough to be hit: the steps of 400 images, four at a time. Waits until some rows are there, then calls `hit`.
ProcessResult scoring(const Words& words, const std::string& out, const std::function<void(Process&)>& hit) {
  Process process(Words{kInfer} + words + Words{"--out", out});
  if (process.wait_until([&] { return lines_in(out + "/scores.csv.part") > 9; })) hit(process);
  return process.wait();
}

Words score_words(const Words& more = {}) {
  return Words{"score",   "--model", shared().model, "--input", shared().data, "--threads", "1",
               "--steps", "150",     "--batch",      "4"} +
         more;
}

// The same in one piece.
const std::string& whole_result() {
  static const std::string out = [] {
    const std::string path = shared().dir / "whole";
    EXPECT_TRUE(ended(infer(score_words({"--out", path})), 0, {"400 images scored"}));
    return path;
  }();
  return out;
}

void expect_resumes_to_the_whole(const std::string& out) {
  ASSERT_TRUE(ended(infer(score_words({"--out", out, "--resume"})), 0, {"going on with", "400 images scored"}));
  for (const char* file : {"/scores.csv", "/scores.json"})
    EXPECT_TRUE(read_file(out + file) == read_file(whole_result() + file)) << file;
  EXPECT_EQ(left_overs(out), Words{});
}

class ScoringSignals : public testing::TestWithParam<int> {};

TEST_P(ScoringSignals, KeepWhatIsScoredAndResume) {
  const TempDir dir;
  const std::string out = dir / "out";
  const ProcessResult r = scoring(score_words(), out, [&](Process& p) {
    p.send(GetParam());
    if (GetParam() == SIGINT) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    p.send(GetParam());  // a shell that closes and `timeout` send it twice
  });
  ASSERT_TRUE(ended(r, 1, {"interrupted after", "--resume goes on"}));
  const auto json = read_json(out + "/scores.json");
  EXPECT_EQ(json.at("complete"), false);
  EXPECT_GE(json.at("images").size(), 9u);
  EXPECT_LT(json.at("images").size(), 400u);
  EXPECT_EQ(read_csv(out + "/scores.csv").size(), json.at("images").size());
  EXPECT_EQ(left_overs(out), Words{});
  expect_resumes_to_the_whole(out);
}

INSTANTIATE_TEST_SUITE_P(Scoring, ScoringSignals, testing::Values(SIGINT, SIGTERM, SIGHUP),
                         [](const auto& p) { return "Signal" + std::to_string(p.param); });

// As under nohup.
TEST(Scoring, AnIgnoredHangUpStaysIgnored) {
  const TempDir dir;
  const auto before = ::signal(SIGHUP, SIG_IGN);
  const ProcessResult r = scoring(score_words(), dir / "out", [](Process& p) { p.send(SIGHUP); });
  ::signal(SIGHUP, before);
  EXPECT_TRUE(ended(r, 0, {"400 images scored"}));
}

TEST(Scoring, ResumesAfterBeingKilled) {
  const TempDir dir;
  const std::string out = dir / "out";
  const ProcessResult r = scoring(score_words(), out, [](Process& p) { p.send(SIGKILL); });
  ASSERT_EQ(r.signal, SIGKILL) << r.err;
  EXPECT_FALSE(fs::exists(out + "/scores.csv"));
  // Killed again, after it has taken over the first one's images; and the last line may be half written.
  const long first = lines_in(out + "/scores.csv.part") - 1;
  fs::resize_file(out + "/scores.json.part", fs::file_size(out + "/scores.json.part") - 40);
  Process second(Words{kInfer} + score_words({"--out", out, "--resume"}));
  ASSERT_TRUE(second.wait_until([&] { return lines_in(out + "/scores.csv.part") > first + 9; }));
  second.send(SIGKILL);
  second.wait();
  // Of the first one's images one may have come into scores.csv only when it was killed, and one was cut above.
  EXPECT_GE(static_cast<long>(read_json(out + "/scores.json").at("images").size()), first - 2);
  expect_resumes_to_the_whole(out);
}

TEST(Scoring, AVanishedFolderIsMadeAnew) {
  const TempDir dir;
  const std::string out = dir / "out";
  const ProcessResult r = scoring(score_words(), out, [&](Process& p) {
    fs::remove_all(out);
    p.send(SIGTERM);
  });
  ASSERT_TRUE(ended(r, 1, {"interrupted after"}));
  EXPECT_GE(read_json(out + "/scores.json").at("images").size(), 9u);
  expect_resumes_to_the_whole(out);
}

TEST(Scoring, AFullDiskKeepsWhatIsScored) {
  const TempDir dir;
  const SmallDisk disk(dir / "disk", 64 << 10);
  if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs is not permitted";
  const std::string out = dir / "disk/out";
  EXPECT_TRUE(refused(infer(score_words({"--out", out})), 1, {"No space left on device", "images are kept in"}));
  const auto json = read_json(out + "/scores.json");
  EXPECT_EQ(json.at("complete"), false);
  const auto rows = read_csv(out + "/scores.csv");
  EXPECT_GT(rows.size(), 20u);
  EXPECT_EQ(rows.size(), json.at("images").size());
  EXPECT_EQ(rows.back().at("path"), json.at("images").back().at("path").get<std::string>());
  EXPECT_EQ(left_overs(out), Words{});
  fs::copy(out, dir / "out", fs::copy_options::recursive);
  expect_resumes_to_the_whole(dir / "out");
}

TEST(Scoring, ResumeTriesErrorsAgainAndKeepsTheRest) {
  const TempDir dir;
  const Words files = write_digits(dir / "in", 8);
  const std::string good = read_file(files[3]);
  const auto words = [&](const std::string& out, const Words& more = {}) {
    return Words{"score",   "--model", shared().model, "--input", dir / "in", "--threads", "1",
                 "--steps", "5",       "--maps",       "--out",   dir / out} +
           more;
  };
  ASSERT_TRUE(ended(infer(words("whole")), 0));
  put(files[3], "damaged");
  ASSERT_TRUE(ended(infer(words("out")), 1, {"1 could not be read"}));
  put(files[3], good);
  const Words resume = words("out", {"--resume"});
  EXPECT_TRUE(refused(infer(resume + Words{"--false-reject-rate", "0.3"}), 2, {"--false-reject-rate is 0.3"}));
  EXPECT_TRUE(refused(infer(resume + Words{"--lambda", "0.3"}), 2, {"--lambda is 0.3"}));
  EXPECT_TRUE(refused(infer(with(resume, {"--steps", "6"})), 2, {"--steps is 6", "made with 5", "--resume"}));
  EXPECT_TRUE(refused(infer(resume + Words{"--bits", "12"}), 2, {"--bits is 12", "made with 0", "--resume"}));
  EXPECT_TRUE(refused(infer(with(resume, {"--threshold", "1"})), 2, {"threshold is 1", "--resume"}));
  EXPECT_TRUE(refused(infer(with(resume, {"--input", shared().data})), 2, {"relative_to", "--resume"}));
  const std::string other = dir / "other.safetensors";
  std::string bytes = read_file(shared().model);
  bytes.end()[-4] ^= 1;  // the last weight's lowest bit
  put(other, bytes);
  EXPECT_TRUE(refused(infer(with(resume, {"--model", other})), 2, {"model's fingerprint", "--resume"}));
  // A kept row is not made again: its image need not even be readable.
  put(files[5], "damaged later");
  ASSERT_TRUE(ended(infer(with(resume, {"--batch", "3"})), 0, {"7 of 8 images are there", "8 images scored"}));
  EXPECT_EQ(read_file(dir / "out/scores.csv"), read_file(dir / "whole/scores.csv"));
  EXPECT_TRUE(fs::exists(dir / "out/maps/103.png.heatmap.png"));
  // Nothing there: a start like any other.
  EXPECT_TRUE(ended(infer(words("new", {"--resume"})), 1, {"0 of 8 images are there", "7 images scored"}));
}

TEST(Scoring, EvaluationResumesToTheSameFigures) {
  const TempDir dir;
  write_digits(dir / "data/test/good", 30);
  write_digits(dir / "data/test/scratch", 30);
  for (int i = 0; i < 30; ++i) {
    Image mask{28, 28, 1, std::vector<float>(28 * 28)};
    for (int k = 0; k < 60; ++k) mask.pixels[static_cast<std::size_t>(200 + i * 7 + k)] = 1;
    if (i == 0) fs::create_directories(dir / "data/ground_truth/scratch");
    write_png(dir / ("data/ground_truth/scratch/" + std::to_string(100 + i) + "_mask.png"), mask);
  }
  const Words words = {"evaluate",       "--model", shared().model, "--data", dir / "data", "--threads", "1",
                       "--normal-class", "",        "--steps",      "300",    "--batch",    "2"};
  ASSERT_TRUE(ended(infer(words + Words{"--out", dir / "whole"}), 0));
  const ProcessResult r = scoring(words, dir / "out", [](Process& p) { p.send(SIGTERM); });
  ASSERT_TRUE(ended(r, 1, {"interrupted after"}));
  EXPECT_FALSE(fs::exists(dir / "out/metrics.json"));
  ASSERT_TRUE(ended(infer(words + Words{"--out", dir / "out", "--resume"}), 0, {"searched again"}));
  for (const char* file : {"/scores.csv", "/scores.json", "/metrics.json", "/examples.png"})
    EXPECT_TRUE(read_file((dir / "out") + file) == read_file((dir / "whole") + file)) << file;
}

// ---- two runs in one folder -----------------------------------------------------------------------------------------

TEST(Locks, ASecondRunIsRefusedAndTheFirstGoesOn) {
  const TempDir dir;
  const std::string out = dir / "out";
  write_digits(dir / "in", 2);
  const Words short_words = {"--model", shared().model, "--threads", "1", "--out", out};
  const ProcessResult r = scoring(score_words(), out, [&](Process& p) {
    for (const Words& second : {Words{"score", "--input", dir / "in"}, Words{"generate", "--count", "1"},
                                Words{"evaluate", "--data", shared().data, "--limit", "2"}})
      EXPECT_TRUE(refused(infer(second + short_words), 1, {"another run writes to '" + out, "process ", "--out"}))
          << second[0];
    EXPECT_TRUE(refused(train(shared().train_words + kShort + Words{"--out", out}), 1, {"another run", out}));
    p.send(SIGTERM);
  });
  EXPECT_TRUE(ended(r, 1, {"interrupted after"}));
  EXPECT_EQ(left_overs(out), Words{});
  expect_resumes_to_the_whole(out);
}

TEST(Locks, TrainingHoldsItsFolder) {
  const TempDir dir;
  const std::string run = dir / "run";
  Process first(Words{kTrain} + shared().train_words +
                Words{"--total-kimg", "100", "--fade-kimg", "1", "--stable-kimg", "1", "--out", run});
  ASSERT_TRUE(first.wait_until([&] { return fs::exists(run + "/log.jsonl"); }));
  for (const Words& more : {Words{}, Words{"--resume"}})
    EXPECT_TRUE(refused(train(shared().train_words + kShort + Words{"--out", run} + more), 1, {"another run", run}));
  first.send(SIGTERM);
  EXPECT_TRUE(ended(first.wait(), 0, {"interrupted"}));
}

TEST(Locks, StaleOnesAreNoObstacle) {
  const TempDir dir;
  write_digits(dir / "in", 1);
  fs::create_directories(dir / "out");
  put(dir / "out/.pgad-lock", "4194304 on another-machine\n");
  EXPECT_TRUE(ended(infer({"score", "--model", shared().model, "--input", dir / "in", "--threads", "1", "--steps", "2",
                           "--out", dir / "out"}),
                    0));
  EXPECT_EQ(left_overs(dir / "out"), Words{});
}

// ---- training that is cut short -------------------------------------------------------------------------------------

// A training that has taken its first steps, and has far to go.
struct LongTraining : Process {
  explicit LongTraining(const std::string& run)
      : Process(Words{kTrain} + shared().train_words +
                Words{"--total-kimg", "100", "--fade-kimg", "1", "--stable-kimg", "1", "--checkpoint-kimg", "1000",
                      "--out", run}) {
    EXPECT_TRUE(wait_until([&] { return lines_in(run + "/log.jsonl") > 0; }));
    EXPECT_TRUE(list_checkpoints(run).empty());
  }
};

TEST(Training, ASignalSavesBeforeTheFirstCheckpoint) {
  for (const int signal : {SIGHUP, SIGTERM, SIGINT}) {
    const TempDir dir;
    const std::string run = dir / "run";
    LongTraining process(run);
    process.send(signal);
    ASSERT_TRUE(ended(process.wait(), 0, {"interrupted", "--resume goes on"})) << signal;
    EXPECT_EQ(list_checkpoints(run).size(), 1u);
    EXPECT_TRUE(fs::exists(run + "/model.safetensors"));
    EXPECT_EQ(left_overs(run), Words{});
  }
}

// The folder is made anew, with a checkpoint to go on from.
TEST(Training, AVanishedFolderIsMadeAnew) {
  const TempDir dir;
  const std::string run = dir / "run";
  LongTraining process(run);
  fs::remove_all(run);
  ASSERT_TRUE(process.wait_until([&] { return lines_in(run + "/log.jsonl") > 0; }));
  process.send(SIGTERM);
  ASSERT_TRUE(ended(process.wait(), 0, {"interrupted"}));
  EXPECT_EQ(list_checkpoints(run).size(), 1u);
}

// Images that go away while training ends with an error; what was trained until then is there.
TEST(Training, AnErrorBetweenStepsSavesACheckpoint) {
  const TempDir dir;
  const std::string run = dir / "run";
  LongTraining process(run);
  fs::remove(run + "/log.jsonl");
  fs::create_directory(run + "/log.jsonl");  // cannot be written any more
  EXPECT_TRUE(refused(process.wait(), 1, {run + "/log.jsonl", "cannot write"}));
  EXPECT_EQ(list_checkpoints(run).size(), 1u);
}

TEST(Training, AnInterruptedCalibrationLosesNoTraining) {
  const TempDir dir;
  const std::string run = dir / "run", model = run + "/model.safetensors";
  const Words words = with(shared().train_words + kShort, {"--steps", "20000"}) + Words{"--no-encoder", "--out", run};
  Process process(Words{kTrain} + words);
  ASSERT_TRUE(process.wait_until([&] { return fs::exists(model); }));
  process.send(SIGINT);
  ASSERT_TRUE(ended(process.wait(), 0, {"not calibrated; --resume calibrates it"}));
  EXPECT_TRUE(ended(infer({"info", "--model", model}), 0, {"calibration       none"}));
  EXPECT_EQ(left_overs(run), Words{});
  const std::string log = read_file(run + "/log.jsonl");
  Process again(Words{kTrain} + words + Words{"--resume"});
  ASSERT_TRUE(again.wait_until([&] { return again.errors().find("calibrating") != std::string::npos; }));
  EXPECT_EQ(read_file(run + "/log.jsonl"), log);  // nothing is trained again
  again.send(SIGTERM);
  EXPECT_TRUE(ended(again.wait(), 0, {"resuming at 0.304 kimg", "no training is left to do", "not calibrated"}));
}

TEST(Training, AnInterruptedCalibrationKeepsTheEncoder) {
  const TempDir dir;
  const std::string run = dir / "run", whole = dir / "whole", model = "/model.safetensors";
  const Words words = shared().train_words + kShort + Words{"--encoder", "--encoder-kimg", "0.2", "--patience", "0"};
  const auto steps = [&](const char* n, const std::string& out) { return with(words, {"--steps", n, "--out", out}); };
  Process process(Words{kTrain} + steps("20000", run));
  ASSERT_TRUE(process.wait_until([&] { return process.errors().find("encoder trained") != std::string::npos; }));
  process.send(SIGINT);
  ASSERT_TRUE(ended(process.wait(), 0, {"not calibrated; --resume calibrates it"}));
  const SafeTensorsFile before = read_safetensors(run + model);
  Process again(Words{kTrain} + steps("20000", run) + Words{"--resume"});
  ASSERT_TRUE(again.wait_until([&] { return again.errors().find("calibrating") != std::string::npos; }));
  again.send(SIGINT);
  ASSERT_TRUE(ended(again.wait(), 0, {"encoder: taken from " + run + model}));
  const SafeTensorsFile after = read_safetensors(run + model);
  EXPECT_TRUE(before.tensors.at("e.4x4.dense1.weight").bytes == after.tensors.at("e.4x4.dense1.weight").bytes);
}

}  // namespace
}  // namespace pgad::test
