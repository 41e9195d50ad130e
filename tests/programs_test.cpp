// pgad_train and pgad_infer from end to end, as child processes on tiny inputs: exit codes, messages, files.

#include <gtest/gtest.h>
#include <sys/mount.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "apps/data/atomic_file.h"
#include "apps/data/idx.h"
#include "apps/data/image.h"
#include "apps/data/npy.h"
#include "apps/data/safetensors.h"
#include "apps/training/checkpoint.h"
#include "engine/check.h"
#include "engine/rng.h"
#include "tests/process.h"
#include "tests/temp_dir.h"

namespace pgad::test {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

ProcessResult train(const Words& words) {
  return run_process(Words{std::string(PGAD_BINARY_DIR) + "/apps/pgad_train"} + words);
}
ProcessResult infer(const Words& words) {
  return run_process(Words{std::string(PGAD_BINARY_DIR) + "/apps/pgad_infer"} + words);
}

// `options` with some of them given another value.
Words with(Words options, const Words& changes) {
  for (std::size_t i = 0; i + 1 < changes.size(); i += 2) {
    const auto at = std::ranges::find(options, changes[i]);
    if (at == options.end())
      options.insert(options.end(), {changes[i], changes[i + 1]});
    else
      *(at + 1) = changes[i + 1];
  }
  return options;
}

// The exit code, and every fragment in what the program said.
testing::AssertionResult ended(const ProcessResult& r, int code, const Words& fragments = {}) {
  std::string missing;
  for (const std::string& f : fragments)
    if ((r.err + r.out).find(f) == std::string::npos) missing += " \"" + f + "\"";
  if (r.exit_code == code && missing.empty()) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "exit code " << r.exit_code << " (expected " << code << "), signal " << r.signal
                                     << (r.timed_out ? ", timed out" : "")
                                     << (missing.empty() ? "" : ", not said:" + missing) << "\nerr: " << r.err
                                     << "\nout: " << r.out.substr(0, 2000);
}

// Failures must be sentences: no assertion text, no exception names.
testing::AssertionResult refused(const ProcessResult& r, int code, const Words& fragments) {
  for (const char* bad : {"terminate", "what():", "std::", "json.exception", "filesystem error", "basic_"})
    if (r.err.find(bad) != std::string::npos) return testing::AssertionFailure() << "raw exception: " << r.err;
  return ended(r, code, fragments);
}

const Words kTiny = {"--resolution", "8", "--fmap-max",           "4", "--latent-size", "4", "--batch", "8",
                     "--steps",      "3", "--calibration-images", "8", "--threads",     "1"};
const Words kShort = {"--total-kimg", "0.3", "--fade-kimg", "0.1", "--stable-kimg", "0.1"};

void put_u32(std::string& bytes, std::uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(v >> shift);
}

void write_idx(const std::string& dir, const std::string& name, const std::vector<std::uint8_t>& pixels,
               const std::vector<std::uint8_t>& labels) {
  fs::create_directories(dir);
  const auto n = static_cast<std::uint32_t>(labels.size());
  std::string images, classes;
  for (const std::uint32_t v : {0x803u, n, 28u, 28u}) put_u32(images, v);
  for (const std::uint32_t v : {0x801u, n}) put_u32(classes, v);
  images.append(pixels.begin(), pixels.end());
  classes.append(labels.begin(), labels.end());
  write_file_atomically(dir + "/" + name + "-images-idx3-ubyte", images);
  write_file_atomically(dir + "/" + name + "-labels-idx1-ubyte", classes);
}

// A few hundred digits of the repository's subset, and a model trained on them once for all tests of a process.
struct Shared {
  TempDir dir;
  std::string data = dir / "digits", run = dir / "run", model = run + "/model.safetensors";
  Words train_words = Words{"--data", data, "--normal-class", "8"} + kTiny;
  ProcessResult trained;
  IdxImages digits;
  std::vector<std::uint8_t> labels;

  Shared() {
    const std::string source = std::string(PGAD_SOURCE_DIR) + "/data/mnist-subset/train-";
    digits = read_idx_images(source + "images-idx3-ubyte.gz");
    labels = read_idx_labels(source + "labels-idx1-ubyte.gz");
    labels.resize(400);
    digits.pixels.resize(labels.size() * 28 * 28);
    digits.count = static_cast<long>(labels.size());
    write_idx(data, "train", digits.pixels, labels);
    trained = train(train_words + kShort + Words{"--out", run});
    if (trained.exit_code != 0) throw Error("training the shared model failed: " + trained.err);
  }
};

const Shared& shared() {
  static const Shared s;
  return s;
}

// The first `count` digits as PNG files DIR/NNN.png; returns their paths.
Words write_digits(const std::string& dir, int count) {
  fs::create_directories(dir);
  Words paths;
  for (int i = 0; i < count; ++i) {
    paths.push_back(dir + "/" + std::to_string(100 + i) + ".png");
    write_png(paths.back(), shared().digits.image(i));
  }
  return paths;
}

Words lines_of(const std::string& text) {
  Words lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::vector<std::map<std::string, std::string>> read_csv(const std::string& path) {
  const auto split = [](const std::string& line) {
    Words fields{""};
    bool quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"')
        fields.back() += line[i++];
      else if (line[i] == '"')
        quoted = !quoted;
      else if (line[i] == ',' && !quoted)
        fields.emplace_back();
      else
        fields.back() += line[i];
    }
    return fields;
  };
  const Words lines = lines_of(read_file(path));
  std::vector<std::map<std::string, std::string>> rows;
  const Words header = split(lines.at(0));
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const Words fields = split(lines[i]);
    EXPECT_EQ(fields.size(), header.size()) << lines[i];
    rows.emplace_back();
    for (std::size_t k = 0; k < header.size(); ++k) rows.back()[header[k]] = fields.at(k);
  }
  return rows;
}

const Words kScores = {"residual", "feature", "latent_critic", "paper", "critic", "combined"};

// By file name without its folder.
std::map<std::string, std::vector<double>> scores_by_name(const std::string& csv) {
  std::map<std::string, std::vector<double>> scores;
  for (const auto& row : read_csv(csv))
    for (const std::string& name : kScores)
      scores[fs::path(row.at("path")).filename().string()].push_back(std::stod(row.at(name)));
  return scores;
}

std::vector<nlohmann::json> read_log(const std::string& run) {
  std::vector<nlohmann::json> entries;
  for (const std::string& line : lines_of(read_file(run + "/log.jsonl")))
    entries.push_back(nlohmann::json::parse(line));
  return entries;
}

long files_in(const std::string& dir, const std::string& extension) {
  if (!fs::exists(dir)) return 0;
  return std::count_if(fs::directory_iterator(dir), fs::directory_iterator(),
                       [&](const auto& e) { return e.path().extension() == extension; });
}

// What an interrupted write would have left behind.
Words left_overs(const std::string& dir) {
  Words found;
  for (const auto& e : fs::recursive_directory_iterator(dir))
    if (e.path().filename().string().starts_with(".")) found.push_back(e.path().string());
  return found;
}

// ---- pgad_train ----------------------------------------------------------------------------------------------------

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
      {{"--preset", "huge"}, {"--preset", "huge", "tiny, small or pggan"}},
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

TEST(TrainProgram, ResumeCanGoOnForLonger) {
  const TempDir dir;
  fs::copy(shared().run, dir / "run", fs::copy_options::recursive);
  ASSERT_TRUE(
      ended(train({"--out", dir / "run", "--resume", "--threads", "1", "--total-kimg", "0.4"}), 0, {"resuming at"}));
  EXPECT_EQ(read_safetensors(dir / "run/model.safetensors").metadata.at("images"), "400");
}

// A file system of its own, so small that it fills up.
class SmallDisk {
 public:
  SmallDisk(const std::string& path, long bytes) : path_(path) {
    fs::create_directories(path);
    const std::string size = "size=" + std::to_string(bytes);
    mounted_ = ::mount("tmpfs", path.c_str(), "tmpfs", 0, size.c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  bool mounted() const { return mounted_; }

 private:
  std::string path_;
  bool mounted_;
};

TEST(TrainProgram, FullDiskWhileCheckpointing) {
  const TempDir dir;
  const SmallDisk disk(dir / "disk", 64 << 10);
  if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs is not permitted";
  const std::string model = dir / "disk/model.safetensors";
  write_file_atomically(model, read_file(shared().model));
  EXPECT_TRUE(refused(train(with(shared().train_words + kShort, {"--fmap-max", "32", "--out", dir / "disk"})), 1,
                      {dir / "disk/checkpoints/images-000000000304.safetensors", "No space left on device"}));
  EXPECT_TRUE(read_file(model) == read_file(shared().model));
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

// ---- pgad_infer ----------------------------------------------------------------------------------------------------

TEST(InferProgram, RefusesWrongUsage) {
  const TempDir dir;
  const Words score = {"score", "--model", shared().model, "--input", shared().data, "--out", dir / "out"};
  EXPECT_TRUE(refused(infer({}), 2, {"subcommand"}));
  EXPECT_TRUE(refused(infer({"guess"}), 2, {"subcommand"}));
  EXPECT_TRUE(refused(infer({"score"}), 2, {"--model"}));
  EXPECT_TRUE(refused(infer(score + Words{"--gamma", "0"}), 2, {"--gamma", "(0, 1]"}));
  EXPECT_TRUE(refused(infer(score + Words{"--steps", "0"}), 2, {"--steps", ">= 1"}));
  EXPECT_TRUE(refused(infer(score + Words{"--batch", "0"}), 2, {"--batch", "[1, 4096]"}));
  EXPECT_TRUE(refused(infer(score + Words{"--wish", "1"}), 2, {"--wish"}));
  EXPECT_TRUE(
      refused(infer({"generate", "--model", shared().model, "--out", dir / "out", "--count", "0"}), 2, {"--count"}));
  EXPECT_TRUE(ended(infer({"--help"}), 0, {"score", "evaluate", "generate", "info"}));
  EXPECT_FALSE(fs::exists(dir / "out"));
}

TEST(InferProgram, RefusesMissingInputs) {
  const TempDir dir;
  fs::create_directory(dir / "empty");
  const auto score = [&](const std::string& input) {
    return infer({"score", "--model", shared().model, "--input", input, "--out", dir / "out"});
  };
  EXPECT_TRUE(refused(score(dir / "nowhere"), 1, {dir / "nowhere"}));
  EXPECT_TRUE(refused(score(dir / "empty"), 1, {dir / "empty"}));
  EXPECT_FALSE(fs::exists(dir / "out/scores.csv"));
}

TEST(InferProgram, RefusesDamagedModels) {
  const TempDir dir;
  const std::string path = dir / "damaged.safetensors";
  const std::string good = read_file(shared().model);
  const auto said = [&](const std::string& bytes) {
    write_file_atomically(path, bytes);
    return infer({"info", "--model", path});
  };
  EXPECT_TRUE(refused(infer({"info", "--model", dir / "none"}), 1, {dir / "none", "No such file"}));
  EXPECT_TRUE(refused(infer({"info", "--model", dir / ""}), 1, {dir / ""}));
  for (const std::size_t n :
       {std::size_t{0}, std::size_t{5}, std::size_t{8}, std::size_t{100}, good.size() / 2, good.size() - 1})
    EXPECT_TRUE(refused(said(good.substr(0, n)), 1, {path})) << n << " bytes";
  EXPECT_TRUE(refused(said(good + "x"), 1, {path, "bytes"}));
  EXPECT_TRUE(refused(said(read_file(shared().run + "/config.json")), 1, {path}));
  std::string long_header = good;
  for (int i = 0; i < 8; ++i) long_header[static_cast<std::size_t>(i)] = '\x7f';
  EXPECT_TRUE(refused(said(long_header), 1, {path, "header length"}));
  long_header[7] = long_header[6] = long_header[5] = long_header[4] = long_header[3] = 0;
  EXPECT_TRUE(refused(said(long_header), 1, {path, "header length"}));
  std::string no_json = good;
  no_json[20] = '\0';
  EXPECT_TRUE(ended(said(no_json), 1, {path}));
  EXPECT_TRUE(refused(said(read_file(list_checkpoints(shared().run).begin()->second)), 1, {path, "not a pgad model"}));
}

// The shared model with something changed.
void write_changed_model(const std::string& path, const std::function<void(SafeTensorsFile&)>& change) {
  SafeTensorsFile file = read_safetensors(shared().model);
  change(file);
  std::vector<SafeTensorView> views;
  for (const auto& [name, t] : file.tensors) views.push_back({name, t.dtype, t.shape, t.bytes});
  write_safetensors(path, views, file.metadata);
}

TEST(InferProgram, RefusesModelsThatContradictThemselves) {
  const TempDir dir;
  const std::string path = dir / "changed.safetensors";
  const auto said = [&](const std::function<void(SafeTensorsFile&)>& change) {
    write_changed_model(path, change);
    return infer({"info", "--model", path});
  };
  const auto config = [](const char* key, const nlohmann::json& value) {
    return [=](SafeTensorsFile& f) {
      auto json = nlohmann::json::parse(f.metadata.at("config"));
      json[key] = value;
      f.metadata["config"] = json.dump();
    };
  };
  const auto metadata = [](const char* key, const char* value) {
    return [=](SafeTensorsFile& f) { f.metadata[key] = value; };
  };
  ASSERT_TRUE(ended(said([](SafeTensorsFile&) {}), 0));
  EXPECT_TRUE(refused(said([](SafeTensorsFile& f) { f.metadata.clear(); }), 1, {path, "not a pgad model"}));
  EXPECT_TRUE(refused(said(metadata("format_version", "99")), 1, {path, "99"}));
  EXPECT_TRUE(refused(said(config("fmap-max", 8)), 1, {path, "tensor", "found F32", "wanted F32"}));
  EXPECT_TRUE(refused(said(config("resolution", 16)), 1, {path, "8x8"}));
  EXPECT_TRUE(refused(said(config("channels", 3)), 1, {path}));
  EXPECT_TRUE(refused(said(config("gamma", -1)), 1, {path, "gamma"}));
  EXPECT_TRUE(refused(said(config("colour", "red")), 1, {path, "colour"}));
  EXPECT_TRUE(refused(said(metadata("level", "9")), 1, {path, "level"}));
  EXPECT_TRUE(refused(said(metadata("level", "three")), 1, {path, "level", "three"}));
  EXPECT_TRUE(refused(said(metadata("old_weight", "7")), 1, {path, "old_weight"}));
  EXPECT_TRUE(refused(said(metadata("minibatch_stddev", "nan")), 1, {path, "minibatch_stddev"}));
  EXPECT_TRUE(refused(said(metadata("preprocessing", "nonsense")), 1, {path, "preprocessing"}));
  EXPECT_TRUE(ended(said(metadata("config", "{")), 1, {path, "config"}));
  EXPECT_TRUE(ended(said(metadata("calibration", "{}")), 1, {path, "calibration"}));
  EXPECT_TRUE(refused(said([](SafeTensorsFile& f) { f.metadata.erase("images"); }), 1, {path, "images"}));
  std::string first;
  EXPECT_TRUE(refused(said([&](SafeTensorsFile& f) {
                        first = f.tensors.begin()->first;
                        f.tensors.begin()->second.shape.push_back(1);
                      }),
                      1, {path, "tensor"}));
  EXPECT_TRUE(
      refused(said([&](SafeTensorsFile& f) { f.tensors.erase(std::prev(f.tensors.end())); }), 1, {path, "no tensor"}));
}

TEST(InferProgram, ScoresTheGoodAmongBadImages) {
  const TempDir dir;
  const Words good = write_digits(dir / "in", 4);
  const std::string png = read_file(good[0]);
  std::string corrupt = png;
  for (std::size_t i = corrupt.size() / 2; i < corrupt.size() / 2 + 20; ++i)
    corrupt[i] = static_cast<char>(~corrupt[i]);
  write_file_atomically(dir / "in/101-corrupt.png", corrupt);
  write_file_atomically(dir / "in/102-truncated.png", png.substr(0, png.size() / 2));
  write_file_atomically(dir / "in/103-empty.png", "");
  const Words score = {"score", "--model", shared().model, "--input", dir / "in", "--threads", "1", "--batch", "2"};

  EXPECT_TRUE(
      refused(infer(score + Words{"--out", dir / "out"}), 1,
              {"101-corrupt.png", "102-truncated.png", "103-empty.png", "4 images scored", "3 could not be read"}));
  const auto rows = read_csv(dir / "out/scores.csv");
  ASSERT_EQ(rows.size(), 7u);
  const Words order = {"100.png", "101-corrupt.png", "101.png", "102-truncated.png",
                       "102.png", "103-empty.png",   "103.png"};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i].at("path"), order[i]);
    const bool bad = order[i].find('-') != std::string::npos;
    EXPECT_EQ(rows[i].at("error").empty(), !bad) << order[i];
    for (const std::string& name : kScores) EXPECT_EQ(rows[i].at(name).empty(), bad) << order[i];
    EXPECT_EQ(rows[i].at("decision").empty(), bad) << order[i];
  }
  EXPECT_NE(rows[3].at("error").find("truncated"), std::string::npos) << rows[3].at("error");
  EXPECT_NE(rows[5].at("error").find("0 bytes"), std::string::npos) << rows[5].at("error");
  const auto json = nlohmann::json::parse(read_file(dir / "out/scores.json"));
  EXPECT_EQ(json.at("images").size(), 7u);
  EXPECT_TRUE(json.at("images")[1].contains("error"));

  EXPECT_TRUE(refused(infer(score + Words{"--out", dir / "strict", "--strict"}), 1, {"101-corrupt.png"}));
  EXPECT_FALSE(fs::exists(dir / "strict/scores.csv"));
  EXPECT_FALSE(fs::exists(dir / "strict/scores.json"));
  EXPECT_EQ(left_overs(dir / "strict"), Words{});
  // Results of an earlier call survive a call that fails.
  const std::string before = read_file(dir / "out/scores.csv");
  EXPECT_TRUE(refused(infer(score + Words{"--out", dir / "out", "--strict"}), 1, {"101-corrupt.png"}));
  EXPECT_EQ(before, read_file(dir / "out/scores.csv"));
}

TEST(InferProgram, ScoresAreTheSameEachTime) {
  const TempDir dir;
  write_digits(dir / "in", 7);
  for (const char* out : {"a", "b"})
    ASSERT_TRUE(
        ended(infer({"score", "--model", shared().model, "--input", dir / "in", "--threads", "1", "--out", dir / out}),
              0, {"7 images scored", "judged anomalous"}));
  EXPECT_EQ(read_file(dir / "a/scores.csv"), read_file(dir / "b/scores.csv"));
  EXPECT_EQ(read_file(dir / "a/scores.json"), read_file(dir / "b/scores.json"));
}

TEST(InferProgram, ScoresDoNotDependOnTheCompany) {
  const TempDir dir;
  const Words files = write_digits(dir / "in", 7);
  const Words options = {"--steps", "30", "--threads", "1", "--batch", "4"};
  const auto score = [&](const Words& inputs, const std::string& out, const Words& more) {
    EXPECT_TRUE(
        ended(infer(Words{"score", "--model", shared().model, "--out", dir / out, "--input"} + inputs + more), 0));
    return scores_by_name((dir / out) + "/scores.csv");
  };
  const auto together = score(files, "together", options);
  ASSERT_EQ(together.size(), 7u);
  auto others = score(Words(files.rbegin(), files.rend()), "reversed", options);
  EXPECT_EQ(read_csv(dir / "reversed/scores.csv").front().at("path"), files.back());
  const auto compare = [&](const char* what) {
    for (const auto& [name, values] : others)
      for (std::size_t i = 0; i < kScores.size(); ++i) {
        const double expected = together.at(name).at(i);
        EXPECT_NEAR(values.at(i), expected, 1e-6 + 1e-6 * std::fabs(expected))
            << what << ": " << name << " " << kScores[i];
      }
  };
  compare("reversed");
  others = score(files, "at once", {"--steps", "30", "--threads", "1", "--batch", "7"});
  ASSERT_EQ(others.size(), 7u);
  compare("batch 7");
  others.clear();
  for (const std::string& file : files) others.merge(score({file}, "alone", options));
  ASSERT_EQ(others.size(), 7u);
  compare("alone");
  others = score(files, "two threads", {"--steps", "30", "--threads", "2", "--batch", "4"});
  compare("two threads");
}

TEST(InferProgram, WritesMaps) {
  const TempDir dir;
  write_digits(dir / "in/sub", 1);
  ASSERT_TRUE(ended(infer({"score", "--model", shared().model, "--input", dir / "in", "--threads", "1", "--out",
                           dir / "out", "--maps"}),
                    0));
  const std::string base = dir / "out/maps/sub/100.png";
  const Image heatmap = read_image(base + ".heatmap.png");
  EXPECT_EQ(heatmap.height, 28);
  EXPECT_EQ(heatmap.width, 28);
  EXPECT_EQ(heatmap.channels, 3);
  const Image reconstruction = read_image(base + ".reconstruction.png");
  EXPECT_EQ(reconstruction.height, 8);
  EXPECT_EQ(reconstruction.width, 8);
  const Image panel = read_image(base + ".panel.png");
  EXPECT_GT(panel.width, 3 * panel.height);
  for (const char* suffix : {".residual.npy", ".calibrated.npy"}) {
    const NpyArray map = read_npy(base + suffix);
    EXPECT_EQ(map.shape, (std::vector<std::int64_t>{8, 8}));
    EXPECT_TRUE(std::ranges::all_of(map.values, [](float v) { return std::isfinite(v); })) << suffix;
  }
  const NpyArray residual = read_npy(base + ".residual.npy");
  double mean = 0;
  for (const float v : residual.values) mean += v / 64.0;
  EXPECT_NEAR(mean, std::stod(read_csv(dir / "out/scores.csv").at(0).at("residual")), 1e-5);
}

TEST(InferProgram, FullDiskWhileScoring) {
  // Full before the first table's header, before the second's, and in the middle of the 400 images.
  for (const std::size_t free_pages : {0, 1, 3}) {
    const TempDir dir;
    const SmallDisk disk(dir / "disk", 32 << 10);
    if (!disk.mounted()) GTEST_SKIP() << "mounting a tmpfs is not permitted";
    std::ofstream(dir / "disk/filler") << std::string(std::size_t{4096} * (8 - free_pages), 'x');
    EXPECT_TRUE(refused(infer({"score", "--model", shared().model, "--input", shared().data, "--steps", "1",
                               "--threads", "1", "--out", dir / "disk"}),
                        1, {dir / "disk/scores.", "No space left on device"}));
    EXPECT_FALSE(fs::exists(dir / "disk/scores.csv"));
    EXPECT_FALSE(fs::exists(dir / "disk/scores.json"));
    EXPECT_EQ(left_overs(dir / "disk"), Words{}) << free_pages << " free pages";
  }
}

TEST(InferProgram, Evaluates) {
  const TempDir dir;
  const auto r = infer({"evaluate", "--model", shared().model, "--data", shared().data, "--threads", "1", "--limit",
                        "20", "--out", dir / "out"});
  ASSERT_TRUE(ended(r, 0, {"40 images scored"}));
  EXPECT_NE(r.out.find("score           AUROC     AP     F1"), std::string::npos) << r.out;
  const auto metrics = nlohmann::json::parse(read_file(dir / "out/metrics.json"));
  EXPECT_EQ(metrics.at("images").at("normal"), 20);
  EXPECT_EQ(metrics.at("images").at("anomalous"), 20);
  for (const std::string& name : kScores) {
    EXPECT_NE(r.out.find(name), std::string::npos) << r.out;
    for (const char* key : {"auroc", "average_precision", "f1"}) {
      const double v = metrics.at("scores").at(name).at(key).get<double>();
      EXPECT_TRUE(v >= 0 && v <= 1) << name << " " << key << " " << v;
    }
  }
  for (const char* name : {"roc.png", "histogram.png", "examples.png"}) {
    const Image image = read_image((dir / "out/") + name);
    EXPECT_GT(image.width, 32) << name;
  }
  // Drawn without the images that trained or calibrated the model.
  const auto rows = read_csv(dir / "out/scores.csv");
  EXPECT_EQ(rows.size(), 40u);
  for (const auto& row : rows) EXPECT_EQ(row.at("label") == "normal", row.at("group") == "8");
}

TEST(InferProgram, EvaluationNeedsBothKinds) {
  const TempDir dir;
  write_digits(dir / "in/train/good", 1);
  write_digits(dir / "in/test/good", 3);
  const Words words = {"evaluate", "--model", shared().model, "--data", dir / "in", "--out", dir / "out"};
  EXPECT_TRUE(refused(infer(words + Words{"--normal-class", ""}), 1, {"no anomalous images", "test/<defect>"}));
  fs::rename(dir / "in/test/good", dir / "in/test/scratch");
  EXPECT_TRUE(refused(infer(words + Words{"--normal-class", ""}), 1, {"no normal images"}));
  EXPECT_FALSE(fs::exists(dir / "out/metrics.json"));
}

TEST(InferProgram, GeneratesFromLatents) {
  const TempDir dir;
  const auto generate = [&](const std::vector<std::int64_t>& shape, const std::vector<float>& values,
                            const std::string& out) {
    write_npy(dir / "latents.npy", shape, values);
    return infer({"generate", "--model", shared().model, "--threads", "1", "--latents", dir / "latents.npy", "--out",
                  dir / out});
  };
  ASSERT_TRUE(ended(generate({1, 4}, {0.1f, -0.7f, 0.4f, 0.9f}, "one"), 0));
  ASSERT_TRUE(ended(generate({3, 4}, {0.1f, -0.7f, 0.4f, 0.9f, 1, 1, -1, 0, 0.1f, -0.7f, 0.4f, 0.9f}, "three"), 0));
  const NpyArray one = read_npy(dir / "one/samples.npy"), three = read_npy(dir / "three/samples.npy");
  EXPECT_EQ(three.shape, (std::vector<std::int64_t>{3, 1, 8, 8}));
  for (std::size_t i = 0; i < 64; ++i) {
    EXPECT_EQ(three.values[i], three.values[128 + i]);
    EXPECT_NEAR(one.values[i], three.values[i], 1e-6);
  }
  EXPECT_FALSE(std::equal(one.values.begin(), one.values.end(), three.values.begin() + 64));
  EXPECT_GT(read_image(dir / "three/samples.png").width, 8);

  EXPECT_TRUE(refused(generate({2, 3}, {1, 2, 3, 4, 5, 6}, "wrong"), 1, {dir / "latents.npy", "[count, 4]"}));
  EXPECT_TRUE(refused(generate({4}, {1, 2, 3, 4}, "wrong"), 1, {dir / "latents.npy", "[count, 4]"}));
  EXPECT_TRUE(refused(generate({0, 4}, {}, "wrong"), 1, {dir / "latents.npy"}));
  write_file_atomically(dir / "latents.npy", "no numbers");
  EXPECT_TRUE(
      refused(infer({"generate", "--model", shared().model, "--latents", dir / "latents.npy", "--out", dir / "wrong"}),
              1, {dir / "latents.npy"}));
  EXPECT_FALSE(fs::exists(dir / "wrong/samples.npy"));
}

TEST(InferProgram, GeneratesTheSameForASeed) {
  const TempDir dir;
  const auto generate = [&](const std::string& seed, const std::string& out) {
    EXPECT_TRUE(ended(infer({"generate", "--model", shared().model, "--threads", "1", "--count", "5", "--seed", seed,
                             "--out", dir / out}),
                      0, {"5 images of 8x8x1"}));
    return read_file((dir / out) + "/samples.png") + read_file((dir / out) + "/samples.npy");
  };
  const std::string a = generate("3", "a");
  EXPECT_TRUE(a == generate("3", "b"));
  EXPECT_FALSE(a == generate("4", "c"));
}

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

// The GPU's path through both programs, in emulation.
TEST(Devices, TrainsAndScoresOnTheEmulatedGpu) {
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
  }
}

}  // namespace
}  // namespace pgad::test
