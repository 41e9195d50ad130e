#include "images/folder_watch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "engine/check.h"
#include "images/listing.h"
#include "temp_dir.h"

namespace pgad::test {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

constexpr FolderWatchOptions kQuick = {0.05, 60};

// What comes within so many seconds, until `count` have.
Names poll_for(FolderWatch& watch, std::size_t count, double seconds = 5) {
  Names names;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (names.size() < count && std::chrono::steady_clock::now() < end)
    for (Arrival& arrival : watch.poll(0.1)) names.push_back(std::move(arrival.name));
  return names;
}
Names nothing(FolderWatch& watch) { return poll_for(watch, 1, 0.3); }

void set_age(const std::string& path, double seconds) {
  fs::last_write_time(path,
                      fs::file_time_type::clock::now() - std::chrono::milliseconds(static_cast<long>(1000 * seconds)));
}

TEST(FolderWatch, TellsOfWhatIsThereByItsAgeAndThenOfWhatComes) {
  const TempDir dir;
  for (const auto& [name, age] :
       {std::pair{"b.png", 300}, {"c.png", 100}, {"a.png", 200}, {".hidden.png", 50}, {"notes.txt", 50}}) {
    put(dir / name, "x");
    set_age(dir / name, age);
  }
  fs::create_directories(dir / "sub/deep");
  put(dir / "sub/deep/d.JPG", "x");
  set_age(dir / "sub/deep/d.JPG", 250);
  FolderWatch watch(dir.path(), kQuick);
  EXPECT_EQ(poll_for(watch, 4), (Names{"b.png", "sub/deep/d.JPG", "a.png", "c.png"}));
  EXPECT_EQ(nothing(watch), Names{});
  put(dir / "z.png", "x");
  put(dir / "y.txt", "x");
  put(dir / ".y.png", "x");
  put(dir / "sub/y.png", "x");
  EXPECT_EQ(poll_for(watch, 2), (Names{"z.png", "sub/y.png"}));
  EXPECT_EQ(nothing(watch), Names{});
}

TEST(FolderWatch, WaitsUntilAFileIsWhole) {
  const TempDir dir;
  FolderWatch watch(dir.path(), kQuick);
  EXPECT_EQ(nothing(watch), Names{});
  {
    std::ofstream slow(dir / "slow.png", std::ios::binary);
    slow << "half" << std::flush;
    put(dir / "quick.png.tmp", "x");
    fs::rename(dir / "quick.png.tmp", dir / "quick.png");
    EXPECT_EQ(poll_for(watch, 1), Names{"quick.png"});
    EXPECT_EQ(nothing(watch), Names{});
    slow << "whole";
  }
  const auto arrivals = watch.poll(5);
  ASSERT_EQ(arrivals.size(), 1u);
  EXPECT_EQ(arrivals[0].name, "slow.png");
  EXPECT_EQ(arrivals[0].version.size, 9u);
}

// What is found by looking may still be written by somebody who was there before.
TEST(FolderWatch, AYoungFileThatIsFoundMustHaveSettled) {
  const TempDir dir;
  put(dir / "young.png", "x");
  FolderWatch watch(dir.path(), {0.4, 60});
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(watch.poll(0).empty());
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  std::ofstream(dir / "young.png", std::ios::app) << "y" << std::flush;
  // The writer closes it: that is an event.
  const auto arrivals = watch.poll(5);
  ASSERT_EQ(arrivals.size(), 1u);
  EXPECT_EQ(arrivals[0].version.size, 2u);
  put(dir / "other.png", "x");
  FolderWatch second(dir.path(), {0.4, 60});
  second.know("young.png", *file_version(dir / "young.png"));
  const auto then = std::chrono::steady_clock::now();
  EXPECT_EQ(poll_for(second, 1), Names{"other.png"});
  EXPECT_GE(std::chrono::steady_clock::now() - then, std::chrono::milliseconds(400));
  EXPECT_GE(then - begin, std::chrono::milliseconds(200));
}

TEST(FolderWatch, EachVersionOnce) {
  const TempDir dir;
  FolderWatch watch(dir.path(), kQuick);
  EXPECT_EQ(nothing(watch), Names{});
  put(dir / "a.png", "x");
  EXPECT_EQ(poll_for(watch, 1), Names{"a.png"});
  { std::ofstream untouched(dir / "a.png", std::ios::app); }
  fs::permissions(dir / "a.png", fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(nothing(watch), Names{});
  put(dir / "a.png", "xy");  // another image of that name
  EXPECT_EQ(poll_for(watch, 1), Names{"a.png"});
  const auto version = *file_version(dir / "a.png");
  fs::rename(dir / "a.png", dir / "b.png");
  EXPECT_EQ(poll_for(watch, 1), Names{"b.png"});
  fs::rename(dir / "b.png", dir / "a.png");  // the old one has gone: this is one that comes
  EXPECT_EQ(poll_for(watch, 1), Names{"a.png"});
  FolderWatch again(dir.path(), kQuick);
  again.know("a.png", version);
  EXPECT_EQ(nothing(again), Names{});
  // One that has gone before it was told of is not.
  put(dir / "c.png", "x");
  fs::remove(dir / "c.png");
  EXPECT_EQ(nothing(again), Names{});
}

TEST(FolderWatch, FoldersThatComeAndGo) {
  const TempDir dir, elsewhere;
  fs::create_directories(elsewhere / "batch/inner");
  put(elsewhere / "batch/1.png", "x");
  put(elsewhere / "batch/inner/2.png", "x");
  set_age(elsewhere / "batch/1.png", 20);
  set_age(elsewhere / "batch/inner/2.png", 10);
  FolderWatch watch(dir.path(), kQuick);
  EXPECT_EQ(nothing(watch), Names{});
  fs::rename(elsewhere / "batch", dir / "batch");
  EXPECT_EQ(poll_for(watch, 2), (Names{"batch/1.png", "batch/inner/2.png"}));
  put(dir / "batch/inner/3.png", "x");
  EXPECT_EQ(poll_for(watch, 1), Names{"batch/inner/3.png"});
  fs::rename(dir / "batch", dir / "moved");
  EXPECT_EQ(poll_for(watch, 3).size(), 3u);  // under other names
  put(dir / "moved/inner/4.png", "x");
  EXPECT_EQ(poll_for(watch, 1), Names{"moved/inner/4.png"});
  fs::rename(dir / "moved", elsewhere / "gone");
  put(elsewhere / "gone/5.png", "x");
  EXPECT_EQ(nothing(watch), Names{});
  fs::create_directories(dir / "new/one");
  put(dir / "new/one/6.png", "x");
  EXPECT_EQ(poll_for(watch, 1), Names{"new/one/6.png"});
  // Links: to a file, hard and symbolic.
  fs::create_hard_link(elsewhere / "gone/5.png", dir / "hard.png");
  EXPECT_EQ(poll_for(watch, 1), Names{"hard.png"});
  fs::create_symlink(elsewhere / "gone/1.png", dir / "soft.png");
  EXPECT_EQ(poll_for(watch, 1), Names{"soft.png"});
  // Results of ours are no images that come.
  ensure_output_directory(dir / "out");
  put(dir / "out/roc.png", "x");
  put(dir / "out/mine.png", "x");
  EXPECT_EQ(poll_for(watch, 1), Names{"out/mine.png"});
  EXPECT_EQ(nothing(watch), Names{});
  EXPECT_EQ(watch.take_notes(), Names{});
}

// As on a network drive: nothing is announced of what a mount, or here a link to a folder, brings.
TEST(FolderWatch, LooksFindWhatIsNotAnnounced) {
  const TempDir dir, elsewhere;
  put(elsewhere / "far.png", "x");
  set_age(elsewhere / "far.png", 100);
  FolderWatch watch(dir.path(), {0.05, 0.2});
  EXPECT_EQ(watch.poll(0).size(), 0u);
  fs::create_directory_symlink(elsewhere.path(), dir / "link");
  EXPECT_EQ(poll_for(watch, 1), Names{"link/far.png"});
  fs::create_directory_symlink(dir.path(), dir / "loop");
  EXPECT_EQ(poll_for(watch, 1, 0.6), Names{});
  put(elsewhere / "further.png", "x");
  EXPECT_EQ(poll_for(watch, 1), Names{"link/further.png"});
}

TEST(FolderWatch, TheFolderItselfMayGoAndComeBack) {
  const TempDir dir;
  EXPECT_THROW(FolderWatch(dir / "none", kQuick), Error);
  put(dir / "file", "x");
  EXPECT_THROW(FolderWatch(dir / "file", kQuick), Error);
  fs::create_directory(dir / "in");
  FolderWatch watch(dir / "in", {0.05, 0.2});
  EXPECT_EQ(watch.poll(0).size(), 0u);
  fs::remove_all(dir / "in");
  EXPECT_EQ(poll_for(watch, 1, 1), Names{});
  const Names notes = watch.take_notes();
  ASSERT_EQ(notes.size(), 1u);  // once
  EXPECT_NE(notes[0].find("has gone"), std::string::npos) << notes[0];
  fs::create_directory(dir / "in");
  put(dir / "in/a.png", "x");
  EXPECT_EQ(poll_for(watch, 1), Names{"a.png"});
  put(dir / "in/b.png", "x");
  EXPECT_EQ(poll_for(watch, 1), Names{"b.png"});
}

// Looks come between the beginning of a file and its end, however long its writer rests.
TEST(FolderWatch, ALookLeavesAloneWhatIsBeingWritten) {
  const TempDir dir;
  FolderWatch watch(dir.path(), {0.05, 0.1});
  EXPECT_EQ(watch.poll(0).size(), 0u);
  std::ofstream slow(dir / "slow.png", std::ios::binary);
  slow << "half" << std::flush;
  EXPECT_EQ(poll_for(watch, 1, 0.8), Names{});
  slow << "whole";
  slow.close();
  EXPECT_EQ(poll_for(watch, 1), Names{"slow.png"});
}

// So looks a network drive that is away for a while.
TEST(FolderWatch, WhatWasToldIsRememberedWhileTheFolderIsEmpty) {
  const TempDir dir;
  fs::create_directories(dir / "drive");
  fs::create_directories(dir / "empty");
  put(dir / "drive/a.png", "x");
  set_age(dir / "drive/a.png", 100);
  fs::create_directory_symlink(dir / "drive", dir / "in");
  FolderWatch watch(dir / "in", {0.05, 0.1});
  EXPECT_EQ(poll_for(watch, 1), Names{"a.png"});
  const auto lead_to = [&](const char* folder) {
    fs::create_directory_symlink(dir / folder, dir / "next");
    fs::rename(dir / "next", dir / "in");
  };
  lead_to("empty");
  EXPECT_EQ(nothing(watch), Names{});
  lead_to("drive");
  EXPECT_EQ(nothing(watch), Names{});
  put(dir / "drive/b.png", "x");
  EXPECT_EQ(poll_for(watch, 1), Names{"b.png"});
  // Unless nothing could be made of it.
  watch.forget("a.png", FileVersion{1, 1});
  EXPECT_EQ(nothing(watch), Names{});
  watch.forget("a.png", *file_version(dir / "drive/a.png"));
  EXPECT_EQ(poll_for(watch, 1), Names{"a.png"});
}

// More than the kernel's queue of events holds.
TEST(FolderWatch, ManyAtOnceAreTold) {
  const TempDir dir;
  FolderWatch watch(dir.path(), kQuick);
  EXPECT_EQ(watch.poll(0).size(), 0u);
  constexpr int kMany = 20'000;
  for (int i = 0; i < kMany; ++i) {
    const int file = ::open((dir / (std::to_string(i) + ".png")).c_str(), O_CREAT | O_WRONLY, 0644);
    ASSERT_GE(file, 0);
    ::close(file);
  }
  const Names names = poll_for(watch, kMany, 60);
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kMany));
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), static_cast<std::size_t>(kMany));
  EXPECT_EQ(nothing(watch), Names{});
}

}  // namespace
}  // namespace pgad::test
