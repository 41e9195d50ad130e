// What a power cut may not take: files are synced before they get their name, and the directory afterwards. fsync is
// replaced by one that notes what it was called for; rename and flock by ones that can be told to fail.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "images/atomic_file.h"
#include "images/folder_lock.h"
#include "report/result_writer.h"
#include "tests/temp_dir.h"

namespace {
std::vector<std::string> synced;        // paths, in order
int rename_error = 0, flock_error = 0;  // errno; 0: as always
std::string rename_fails_for;           // the end of the new name
}  // namespace

extern "C" int rename(const char* from, const char* to) noexcept {
  if (rename_error != 0 && std::string_view(to).ends_with(rename_fails_for)) {
    errno = rename_error;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

// By its linker's name: in C++ `flock` is also a struct.
extern "C" int flock_or_fail(int fd, int operation) noexcept __asm__("flock");
int flock_or_fail(int fd, int operation) noexcept {
  if (flock_error != 0) {
    errno = flock_error;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_flock, fd, operation));
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
    if (const std::string name = fs::path(path).filename().string();
        name.starts_with(".pgad-tmp-") || name.ends_with(".part"))
      path = "FILE";
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
    // Whole at any time, should this be all that is left.
    const auto part = nlohmann::json::parse(read_file(dir / "scores.json.part"));
    EXPECT_EQ(part.at("images").size(), 1u);
    EXPECT_EQ(part.at("complete"), false);
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

// A name that cannot be given: the old file is open on another machine, or something else stands there by now.
TEST(Durability, AFinishedFileIsNeverLost) {
  for (const int error : {EACCES, EBUSY, ETXTBSY, EPERM, EIO}) {
    const TempDir dir;
    put(dir / "a", "old");
    rename_fails_for = "/a";
    rename_error = error;
    const std::string said = error_of([&] { write_file_atomically(dir / "a", "new"); });
    EXPECT_NE(said.find(std::strerror(error)), std::string::npos) << said;
    EXPECT_NE(said.find(dir / "a.new"), std::string::npos) << said;
    EXPECT_NE(error_of([&] { write_file_atomically(dir / "a", "newer"); }).find(dir / "a.new2"), std::string::npos);
    rename_fails_for = "";  // nor any other name
    const std::string hidden = error_of([&] { write_file_atomically(dir / "b", "newest"); });
    rename_error = 0;
    EXPECT_EQ(read_file(dir / "a"), "old");
    EXPECT_EQ(read_file(dir / "a.new"), "new");
    EXPECT_EQ(read_file(dir / "a.new2"), "newer");
    const auto name = hidden.find("/.pgad-tmp-");
    ASSERT_NE(name, std::string::npos) << hidden;
    EXPECT_EQ(read_file(dir.path() + hidden.substr(name, hidden.find('\'', name) - name)), "newest");
  }
  const TempDir dir;
  AtomicFile file(dir / "a");
  file.writer().write("content");
  fs::create_directories(dir / "a/full");
  EXPECT_NE(error_of([&] { file.commit(); }).find(dir / "a.new"), std::string::npos);
  EXPECT_EQ(read_file(dir / "a.new"), "content");
}

TEST(Durability, BothTablesAreTried) {
  const TempDir dir;
  const Model model;
  ScoredImage image;
  image.sample.name = "a.png";
  ResultWriter writer(model, {.out = dir.path()}, {{"model", "m"}});
  writer.add(image, ImageSource());
  rename_fails_for = "scores.csv";
  rename_error = EBUSY;
  const std::string said = error_of([&] { writer.finish(true); });
  rename_error = 0;
  EXPECT_NE(said.find(dir / "scores.csv.part"), std::string::npos) << said;
  EXPECT_TRUE(read_file(dir / "scores.csv.part").starts_with("path,residual,"));
  EXPECT_EQ(nlohmann::json::parse(read_file(dir / "scores.json")).at("complete"), true);
}

// The folder of a file that grows was removed, or moved away.
TEST(Durability, AVanishedFolderIsMadeAnew) {
  for (const Temporary kind : {Temporary::kHidden, Temporary::kPart})
    for (const bool moved : {false, true}) {
      const TempDir dir;
      fs::create_directory(dir / "out");
      AtomicFile file(dir / "out/a", kind);
      const std::string content(3 << 20, 'x');
      file.writer().write(content);
      moved ? fs::rename(dir / "out", dir / "away") : static_cast<void>(fs::remove_all(dir / "out"));
      file.commit();
      EXPECT_TRUE(read_file(dir / "out/a") == content);
    }
}

// Its picture has gone between the search and the map.
TEST(Durability, AnImageWithoutMapsKeepsItsScores) {
  const TempDir dir;
  const Model model;
  ScoredImage image;
  image.sample.name = "a.png";
  image.sample.path = dir / "gone.png";
  image.terms[0] = 0.5;
  image.residual_map.resize(static_cast<std::size_t>(model.side()) * model.side());
  ResultWriter writer(model, {.out = dir.path(), .maps = true}, {{"model", "m"}});
  EXPECT_NE(writer.add(image, ImageSource()).find("gone.png"), std::string::npos);
  EXPECT_EQ(writer.maps_failed(), 1);
  writer.finish(true);
  const auto row = nlohmann::json::parse(read_file(dir / "scores.json")).at("images")[0];
  EXPECT_EQ(row.at("residual"), 0.5);
  EXPECT_NE(row.at("error").get<std::string>().find("gone.png"), std::string::npos);
  EXPECT_FALSE(row.contains("map"));
}

TEST(FolderLock, OneOwnerAtATime) {
  const TempDir dir;
  {
    const FolderLock first(dir.path());
    EXPECT_TRUE(first.note().empty());
    const std::string said = error_of([&] { FolderLock second(dir.path()); });
    EXPECT_NE(said.find(dir.path()), std::string::npos) << said;
    EXPECT_NE(said.find("process " + std::to_string(::getpid()) + " on "), std::string::npos) << said;
  }
  EXPECT_TRUE(fs::is_empty(dir.path()));
  const FolderLock again(dir.path());
}

TEST(FolderLock, GoesWithItsProcess) {
  const TempDir dir;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t other = ::fork();
  if (other == 0) {
    const FolderLock lock(dir.path());
    (void)!::write(ready[1], "x", 1);
    ::pause();
  }
  char byte;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_NE(error_of([&] { FolderLock lock(dir.path()); }).find(std::to_string(other)), std::string::npos);
  ::kill(other, SIGKILL);
  ::waitpid(other, nullptr, 0);
  EXPECT_TRUE(fs::exists(dir / ".pgad-lock"));
  const FolderLock lock(dir.path());
}

TEST(FolderLock, IsNotNeededWhereThereIsNone) {
  const TempDir dir;
  for (const int error : {ENOTSUP, ENOLCK, ENOSYS, EINVAL}) {
    flock_error = error;
    const FolderLock lock(dir.path()), another(dir.path());
    flock_error = 0;
    EXPECT_NE(lock.note().find(dir.path()), std::string::npos);
    EXPECT_NE(lock.note().find(std::strerror(error)), std::string::npos);
  }
  EXPECT_TRUE(fs::is_empty(dir.path()));
}

}  // namespace
}  // namespace pgad::test
