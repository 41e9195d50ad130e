// What a power cut may not take: files are synced before they get their name, and the directory afterwards. fsync is
// replaced by one that notes what it was called for.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "apps/data/atomic_file.h"
#include "apps/inspection/result_writer.h"
#include "tests/temp_dir.h"

namespace {
std::vector<std::string> synced;  // paths, in order
}

extern "C" int fsync(int fd) {
  char path[4096];
  const ssize_t n = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), path, sizeof path);
  synced.emplace_back(path, n > 0 ? static_cast<std::size_t>(n) : 0);
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace pgad::test {
namespace {

namespace fs = std::filesystem;

// The calls of fsync since the last call of this: "FILE" for a file not yet named, else the path.
std::vector<std::string> syncs() {
  for (std::string& path : synced)
    if (fs::path(path).filename().string().starts_with(".pgad-tmp-")) path = "FILE";
  return std::exchange(synced, {});
}

using Paths = std::vector<std::string>;

TEST(Durability, FilesAndTheirDirectory) {
  const TempDir dir;
  syncs();
  write_file_atomically(dir / "a", "content");
  EXPECT_EQ(syncs(), (Paths{"FILE", dir.path()}));
  {
    AtomicFile file(dir / "b");
    file.writer().write("half");
    EXPECT_FALSE(fs::exists(dir / "b"));
  }
  EXPECT_EQ(syncs(), Paths{});
  EXPECT_FALSE(fs::exists(dir / "b"));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1);
}

TEST(Durability, NewDirectories) {
  const TempDir dir;
  syncs();
  ensure_directory(dir / "a/b/c");
  EXPECT_EQ(syncs(), (Paths{dir / "a/b", dir / "a", dir.path()}));
  ensure_directory(dir / "a/b/c");
  EXPECT_EQ(syncs(), Paths{});
}

TEST(Durability, ResultTables) {
  const TempDir dir;
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  ::waitpid(dead, nullptr, 0);
  const std::string stale = dir / (".pgad-tmp-" + std::to_string(dead) + "-0");  // of a writer that was killed
  put(stale, "x");
  put(dir / "scores.csv", "old");
  const Model model;
  ScoredImage image;
  image.sample.name = "a.png";
  {
    ResultWriter writer(model, {.out = dir.path()}, {{"model", "m"}});
    EXPECT_FALSE(fs::exists(stale));
    writer.add(image, ImageSource());
    EXPECT_EQ(read_file(dir / "scores.csv"), "old");
    syncs();
    writer.finish(true);
    EXPECT_EQ(syncs(), (Paths{"FILE", dir.path(), "FILE", dir.path()}));
  }
  EXPECT_TRUE(read_file(dir / "scores.csv").starts_with("path,residual,"));
  EXPECT_EQ(nlohmann::json::parse(read_file(dir / "scores.json")).at("images").size(), 1u);
  const std::string before = read_file(dir / "scores.csv");
  ResultWriter(model, {.out = dir.path()}, nlohmann::ordered_json::object()).add(image, ImageSource());  // given up
  EXPECT_EQ(read_file(dir / "scores.csv"), before);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 2);
}

}  // namespace
}  // namespace pgad::test
