#pragma once
// What the tests of whole programs share: calling pgad_train and pgad_infer as child processes, what they said, small
// data, and a model that a process trains once for all its tests.

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

#include "engine/check.h"
#include "engine/rng.h"
#include "images/atomic_file.h"
#include "images/idx.h"
#include "images/image.h"
#include "images/npy.h"
#include "images/safetensors.h"
#include "tests/process.h"
#include "tests/temp_dir.h"
#include "training/checkpoint.h"

namespace pgad::test {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

inline Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

inline ProcessResult train(const Words& words) {
  return run_process(Words{std::string(PGAD_BINARY_DIR) + "/apps/pgad_train"} + words);
}
inline ProcessResult infer(const Words& words) {
  return run_process(Words{std::string(PGAD_BINARY_DIR) + "/apps/pgad_infer"} + words);
}

// `options` with some of them given another value.
inline Words with(Words options, const Words& changes) {
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
inline testing::AssertionResult ended(const ProcessResult& r, int code, const Words& fragments = {}) {
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
inline testing::AssertionResult refused(const ProcessResult& r, int code, const Words& fragments) {
  for (const char* bad : {"terminate", "what():", "std::", "json.exception", "filesystem error", "basic_"})
    if (r.err.find(bad) != std::string::npos) return testing::AssertionFailure() << "raw exception: " << r.err;
  return ended(r, code, fragments);
}

inline const Words kTiny = {"--resolution", "8", "--fmap-max",           "4", "--latent-size", "4", "--batch", "8",
                            "--steps",      "3", "--calibration-images", "8", "--threads",     "1"};
inline const Words kShort = {"--total-kimg", "0.3", "--fade-kimg", "0.1", "--stable-kimg", "0.1"};

inline void put_u32(std::string& bytes, std::uint32_t v) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(v >> shift);
}

inline void write_idx(const std::string& dir, const std::string& name, const std::vector<std::uint8_t>& pixels,
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

inline const Shared& shared() {
  static const Shared s;
  return s;
}

// The first `count` digits as PNG files DIR/NNN.png; returns their paths.
inline Words write_digits(const std::string& dir, int count) {
  fs::create_directories(dir);
  Words paths;
  for (int i = 0; i < count; ++i) {
    paths.push_back(dir + "/" + std::to_string(100 + i) + ".png");
    write_png(paths.back(), shared().digits.image(i));
  }
  return paths;
}

inline Words lines_of(const std::string& text) {
  Words lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

inline std::vector<std::map<std::string, std::string>> read_csv(const std::string& path) {
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

inline const Words kScores = {"residual", "feature",           "latent_critic",    "paper",
                              "critic",   "relative_residual", "relative_feature", "combined"};

// By file name without its folder.
inline std::map<std::string, std::vector<double>> scores_by_name(const std::string& csv) {
  std::map<std::string, std::vector<double>> scores;
  for (const auto& row : read_csv(csv))
    for (const std::string& name : kScores)
      scores[fs::path(row.at("path")).filename().string()].push_back(std::stod(row.at(name)));
  return scores;
}

inline std::vector<nlohmann::json> read_log(const std::string& run) {
  std::vector<nlohmann::json> entries;
  for (const std::string& line : lines_of(read_file(run + "/log.jsonl")))
    entries.push_back(nlohmann::json::parse(line));
  return entries;
}

inline long files_in(const std::string& dir, const std::string& extension) {
  if (!fs::exists(dir)) return 0;
  return std::count_if(fs::directory_iterator(dir), fs::directory_iterator(),
                       [&](const auto& e) { return e.path().extension() == extension; });
}

// What an interrupted write would have left behind; the mark of an output folder is none.
inline Words left_overs(const std::string& dir) {
  Words found;
  for (const auto& e : fs::recursive_directory_iterator(dir))
    if (const std::string name = e.path().filename().string();
        (name.starts_with(".") && name != ".pgad-output") || name.ends_with(".part"))
      found.push_back(e.path().string());
  return found;
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

}  // namespace pgad::test
