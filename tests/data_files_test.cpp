// Atomic file writing under every failure that can be made to happen, and .npy.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <functional>

#include "engine/check.h"
#include "images/atomic_file.h"
#include "images/npy.h"
#include "tests/temp_dir.h"

namespace pgad::test {
namespace {

namespace fs = std::filesystem;

long entries(const std::string& directory) {
  return std::distance(fs::directory_iterator(directory), fs::directory_iterator());
}

TEST(DataFiles, WritesAndReplaces) {
  TempDir dir;
  write_file_atomically(dir / "a", "one");
  EXPECT_EQ(read_file(dir / "a"), "one");
  ::chmod((dir / "a").c_str(), 0640);
  std::string big(3 << 20, 'x');
  big[12345] = '\0';
  write_file_atomically(dir / "a", [&](FileWriter& out) {
    out.write("head");
    out.write(big);  // larger than the buffer
    out.write("tail");
  });
  EXPECT_EQ(read_file(dir / "a"), "head" + big + "tail");
  EXPECT_EQ(fs::status(dir / "a").permissions(), fs::perms(0640));
  EXPECT_EQ(entries(dir / ""), 1);
  EXPECT_EQ(read_file("/proc/self/stat").empty(), false);  // its size reads as 0
}

TEST(DataFiles, ThrowingCallbackLeavesTheOldFile) {
  TempDir dir;
  write_file_atomically(dir / "a", "old");
  EXPECT_THROW(write_file_atomically(dir / "a",
                                     [](FileWriter& out) {
                                       out.write("new");
                                       throw std::runtime_error("stop");
                                     }),
               std::runtime_error);
  EXPECT_EQ(read_file(dir / "a"), "old");
  EXPECT_EQ(entries(dir / ""), 1);
}

TEST(DataFiles, DeviceIsWrittenInPlaceAndFullIsReported) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  const std::string error = error_of([] { write_file_atomically("/dev/full", "bytes"); });
  EXPECT_NE(error.find("'/dev/full': No space left on device"), std::string::npos) << error;
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

TEST(DataFiles, FullDiskLeavesTheOldFile) {
  TempDir dir;
  fs::create_directory(dir / "small");
  if (::mount("none", (dir / "small").c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "mounting a small tmpfs is not permitted here";
  }
  const std::string path = dir / "small/model";
  write_file_atomically(path, "old");
  // Fails in the middle of a write (short write first), and from a buffered callback.
  const std::string error = error_of([&] { write_file_atomically(path, std::string(3 << 20, 'x')); });
  const std::string buffered = error_of([&] {
    write_file_atomically(path, [](FileWriter& out) {
      for (int i = 0; i < 100000; ++i) out.write("0123456789");
    });
  });
  const std::string content = read_file(path);
  const long left = entries(dir / "small");
  ASSERT_EQ(::umount((dir / "small").c_str()), 0);
  EXPECT_NE(error.find("model': No space left on device"), std::string::npos) << error;
  EXPECT_NE(buffered.find("model': No space left on device"), std::string::npos) << buffered;
  EXPECT_EQ(content, "old");
  EXPECT_EQ(left, 1);
}

// A writer that was killed leaves its temporary file; a running one still needs it.
TEST(DataFiles, StaleTemporariesAreRemoved) {
  TempDir dir;
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  ::waitpid(dead, nullptr, 0);
  const std::string stale = str(".pgad-tmp-", dead, "-0"), live = str(".pgad-tmp-", ::getpid(), "-0");
  for (const std::string& name : {stale, live, std::string(".pgad-tmp-x"), std::string("model")}) put(dir / name, "x");
  remove_stale_temporaries(dir.path());
  EXPECT_FALSE(fs::exists(dir / stale));
  EXPECT_EQ(entries(dir.path()), 3);
  remove_stale_temporaries(dir / "missing");
}

TEST(DataFiles, ForbiddenDirectory) {
  TempDir dir;
  fs::create_directory(dir / "locked");
  write_file_atomically(dir / "locked/a", "old");
  ::chmod((dir / "locked").c_str(), 0555);
  std::string write, ensure, below;
  if (!unprivileged([&] {
        write = error_of([&] { write_file_atomically(dir / "locked/a", "new"); });
        ensure = error_of([&] { ensure_directory(dir / "locked"); });
        below = error_of([&] { ensure_directory(dir / "locked/deeper/still"); });
      })) {
    GTEST_SKIP() << "cannot drop root, for whom nothing is forbidden";
  }
  EXPECT_NE(write.find("locked/a': Permission denied"), std::string::npos) << write;
  EXPECT_NE(ensure.find("locked': Permission denied"), std::string::npos) << ensure;
  EXPECT_NE(below.find("still': Permission denied"), std::string::npos) << below;
  EXPECT_EQ(read_file(dir / "locked/a"), "old");
  EXPECT_EQ(entries(dir / "locked"), 1);
}

TEST(DataFiles, BadTargets) {
  TempDir dir;
  EXPECT_NE(error_of([&] { write_file_atomically(dir / "none/a", "x"); }).find("none/a': No such file"),
            std::string::npos);
  EXPECT_NE(error_of([&] { write_file_atomically(dir / "", "x"); }).find("directory, expected a file"),
            std::string::npos);
  EXPECT_NE(error_of([&] { write_file_atomically("", "x"); }).find("empty"), std::string::npos);
  EXPECT_NE(error_of([&] { write_file_atomically(dir / std::string(300, 'n'), "x"); }).find("too long"),
            std::string::npos);
  EXPECT_EQ(entries(dir / ""), 0);
  write_file_atomically(dir / std::string(255, 'n'), "x");  // the longest name there is
}

TEST(DataFiles, SymbolicLinkIsKept) {
  TempDir dir;
  fs::create_directory(dir / "real");
  write_file_atomically(dir / "real/a", "old");
  fs::create_symlink("real/a", dir / "link");
  write_file_atomically(dir / "link", "new");
  EXPECT_TRUE(fs::is_symlink(dir / "link"));
  EXPECT_EQ(read_file(dir / "real/a"), "new");
}

TEST(DataFiles, EnsureDirectory) {
  TempDir dir;
  ensure_directory(dir / "a/b/c");
  ensure_directory(dir / "a/b/c/");
  EXPECT_TRUE(fs::is_directory(dir / "a/b/c"));
  write_file_atomically(dir / "file", "x");
  EXPECT_NE(error_of([&] { ensure_directory(dir / "file"); }).find("is a file, expected a directory"),
            std::string::npos);
  EXPECT_NE(error_of([&] { ensure_directory(dir / "file/below"); }).find("Not a directory"), std::string::npos);
  EXPECT_THROW(ensure_directory(""), Error);
}

// ---- .npy ----

std::string npy(const std::string& header, const std::string& data, char version = 1) {
  std::string out = "\x93NUMPY";
  out += version;
  out += '\0';
  out += static_cast<char>(header.size() & 255);
  out += static_cast<char>(header.size() >> 8);
  if (version == 2) out += std::string(2, '\0');
  return out + header + data;
}

std::string npy_error(const std::string& bytes) {
  TempDir dir;
  write_file_atomically(dir / "x.npy", bytes);
  return error_of([&] { read_npy(dir / "x.npy"); });
}

TEST(DataNpy, RoundTrip) {
  TempDir dir;
  const std::vector<std::vector<std::int64_t>> shapes = {{2, 3}, {6}, {1, 2, 3, 1}};
  const std::vector<float> values = {0, -1.5f, 3e-9f, 4, INFINITY, 6};
  for (const auto& shape : shapes) {
    write_npy(dir / "x.npy", shape, values);
    const NpyArray array = read_npy(dir / "x.npy");
    EXPECT_EQ(array.shape, shape);
    EXPECT_EQ(array.values, values);
    EXPECT_EQ((read_file(dir / "x.npy").size() - values.size() * 4) % 64, 0u);
  }
  write_npy(dir / "scalar.npy", {}, std::vector<float>{7});
  EXPECT_EQ(read_npy(dir / "scalar.npy").values, std::vector<float>{7});
  write_npy(dir / "none.npy", std::vector<std::int64_t>{0, 5}, {});
  EXPECT_EQ(read_npy(dir / "none.npy").shape, (std::vector<std::int64_t>{0, 5}));
  EXPECT_THROW(write_npy(dir / "x.npy", std::vector<std::int64_t>{7}, values), Error);
  EXPECT_THROW(write_npy(dir / "x.npy", std::vector<std::int64_t>{-1, -6}, values), Error);
}

TEST(DataNpy, ExactBytes) {
  TempDir dir;
  write_npy(dir / "x.npy", std::vector<std::int64_t>{2}, std::vector<float>{1, 2});
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  header.resize(117, ' ');
  EXPECT_EQ(read_file(dir / "x.npy"), npy(header + "\n", std::string("\0\0\x80\x3f\0\0\0\x40", 8)));
}

TEST(DataNpy, DoublesAndVersion2) {
  TempDir dir;
  const std::string one("\0\0\0\0\0\0\xf0\x3f", 8);
  for (const char version : {1, 2}) {
    write_file_atomically(dir / "x.npy",
                          npy("{\"shape\": (1, 2), 'descr': '<f8', 'fortran_order': False}\n", one + one, version));
    const NpyArray array = read_npy(dir / "x.npy");
    EXPECT_EQ(array.shape, (std::vector<std::int64_t>{1, 2}));
    EXPECT_EQ(array.values, (std::vector<float>{1, 1}));
  }
}

TEST(DataNpy, BadFiles) {
  const std::string ok = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  const std::string data(8, '\0');
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "is empty"},
      {"P5 2 2 255 ....", "bad magic"},
      {npy(ok, data).substr(0, 9), "truncated in the .npy header"},
      {npy(ok, data).substr(0, 40), "truncated in the .npy header"},
      {npy(ok, data, 3), "version 3.0, expected 1.0 or 2.0"},
      {npy(ok, data.substr(1)), "does not match 7 bytes of data, expected 8"},
      {npy(ok, data + "x"), "does not match 9 bytes of data, expected 8"},
      {npy("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", data), "dtype '>f4', expected"},
      {npy("{'descr': '|u1', 'fortran_order': False, 'shape': (8,), }", data), "dtype '|u1', expected"},
      {npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", data), "structured dtype"},
      {npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", data), "fortran_order is True"},
      {npy("{'descr': '<f4', 'fortran_order': 0, 'shape': (2,), }", data), "must be True or False"},
      {npy("{'descr': '<f4', 'shape': (2,), }", data), "expected the keys"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", data), "expected a dimension"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4000000000, 4000000000, 4000000000), }", data),
       "does not match"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }", data), "18 digits"},
      {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2", data), "expected ',' or ')'"},
      {npy("{'descr': '<f4', 'surprise': False, 'shape': (2,), }", data), "unknown key 'surprise'"},
      {npy("{'descr': '<f4", data), "unterminated"},
      {npy("nonsense", data), "expected '{'"},
  };
  for (const auto& [bytes, message] : cases) {
    const std::string error = npy_error(bytes);
    EXPECT_NE(error.find(message), std::string::npos) << "expected '" << message << "' in: " << error;
    EXPECT_NE(error.find("x.npy"), std::string::npos) << error;
  }
}

}  // namespace
}  // namespace pgad::test
