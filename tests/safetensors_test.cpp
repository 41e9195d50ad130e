// The file format byte by byte, every kind of damage, and writing that never leaves half a file.

#include "images/safetensors.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>
#include <random>

namespace pgad {
namespace {

namespace fs = std::filesystem;

class SafeTensors : public ::testing::Test {
 protected:
  SafeTensors()
      : dir_(fs::temp_directory_path() / str("pgad_safetensors_test_", std::random_device{}())),
        path_((dir_ / "model.safetensors").string()) {
    fs::create_directory(dir_);
  }
  ~SafeTensors() override {
    std::error_code ignored;
    fs::remove_all(dir_, ignored);
  }

  static std::string read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  // A file with this header (its length put before it) and this many bytes of data 0, 1, 2, ...
  void write_raw(const std::string& header, int data_bytes) const {
    std::ofstream out(path_, std::ios::binary);
    const std::uint64_t length = header.size();
    out.write(reinterpret_cast<const char*>(&length), 8);
    out << header;
    for (int i = 0; i < data_bytes; ++i) out.put(static_cast<char>(i));
  }

  template <class Action>
  static void expect_error(Action action, const std::vector<std::string>& parts) {
    try {
      action();
      ADD_FAILURE() << "nothing thrown; expected " << ::testing::PrintToString(parts);
    } catch (const Error& e) {
      for (const std::string& part : parts)
        EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << "'" << part << "' is not in: " << e.what();
    }
  }

  // Reading a file with this header and data fails, and the error names the file and all `parts`.
  void expect_refused(const std::string& header, int data_bytes, std::vector<std::string> parts) const {
    write_raw(header, data_bytes);
    parts.push_back(path_);
    expect_error([&] { read_safetensors(path_); }, parts);
  }

  int files_in_directory() const {
    return static_cast<int>(std::distance(fs::directory_iterator(dir_), fs::directory_iterator()));
  }

  const fs::path dir_;
  const std::string path_;
};

// Exactly what the format's reference implementation writes for these tensors.
TEST_F(SafeTensors, BytesAreThoseOfTheReference) {
  const std::vector<float> values = {0, 1, 2, 3, 4, 5};
  const SafeTensorView aligned = safe_tensor_view<float>("attn.0", {1, 2, 3}, values);
  write_safetensors(path_, {&aligned, 1});
  const std::string data("\0\0\0\0\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\x40\0\0\xa0\x40", 24);
  EXPECT_EQ(read(path_), std::string("\x40\0\0\0\0\0\0\0", 8) +
                             R"({"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}})" + data);

  const SafeTensorView padded = safe_tensor_view<float>("attn0", {1, 1, 2, 3}, values);
  write_safetensors(path_, {&padded, 1});
  EXPECT_EQ(read(path_), std::string("\x48\0\0\0\0\0\0\0", 8) +
                             R"({"attn0":{"dtype":"F32","shape":[1,1,2,3],"data_offsets":[0,24]}}       )" + data);

  write_safetensors(path_, {}, {{"framework", "pt"}});
  EXPECT_EQ(read(path_), std::string("\x28\0\0\0\0\0\0\0", 8) + R"({"__metadata__":{"framework":"pt"}}     )");

  write_safetensors(path_, {});
  EXPECT_EQ(read(path_), std::string("\x08\0\0\0\0\0\0\0", 8) + "{}      ");
}

TEST_F(SafeTensors, RoundTripOfTypesShapesAndMetadata) {
  std::vector<float> floats(24);
  std::iota(floats.begin(), floats.end(), -3.5f);
  const std::vector<double> doubles = {1e-300, -0.0};
  const std::vector<std::int64_t> longs = {-1, 1LL << 62};
  const std::vector<std::uint64_t> unsigned_longs = {~0ULL};
  const std::vector<std::uint8_t> bytes = {1, 2, 255};
  const std::vector<std::int32_t> none;
  const std::vector<SafeTensorView> tensors = {
      safe_tensor_view<std::uint8_t>("bytes", {3}, bytes),
      safe_tensor_view<float>("G.4x4.conv \"0\" \n ü", {2, 3, 4}, floats),
      safe_tensor_view<double>("d", {2, 1}, doubles),
      safe_tensor_view<std::int64_t>("l", {2}, longs),
      safe_tensor_view<std::uint64_t>("scalar", {}, unsigned_longs),
      safe_tensor_view<std::int32_t>("empty", {0, 7}, none),
  };
  const std::map<std::string, std::string> metadata = {{"config", R"({"gamma": 0.1})"}, {"", "ü\n"}};
  write_safetensors(path_, tensors, metadata);

  const SafeTensorsFile file = read_safetensors(path_);
  EXPECT_EQ(file.metadata, metadata);
  EXPECT_EQ(file.tensors.size(), 6u);
  EXPECT_TRUE(file.contains("d"));
  EXPECT_FALSE(file.contains("D"));
  EXPECT_EQ(file.get("G.4x4.conv \"0\" \n ü", "F32", {2, 3, 4}).elements<float>(), floats);
  EXPECT_EQ(file.get("d", "F64", {2, 1}).elements<double>(), doubles);
  EXPECT_TRUE(std::signbit(file.get("d", "F64", {2, 1}).elements<double>()[1]));
  EXPECT_EQ(file.get("l", "I64", {2}).elements<std::int64_t>(), longs);
  EXPECT_EQ(file.get("scalar", "U64", {}).elements<std::uint64_t>(), unsigned_longs);
  EXPECT_EQ(file.get("bytes", "U8", {3}).elements<std::uint8_t>(), bytes);
  EXPECT_TRUE(file.get("empty", "I32", {0, 7}).elements<std::int32_t>().empty());
  expect_error([&] { file.get("d", "F64", {2, 1}).elements<float>(); }, {"F64", "F32"});
}

TEST_F(SafeTensors, EveryTensorIsAlignedToItsElements) {
  const std::vector<std::uint8_t> odd = {1, 2, 3};
  const std::vector<double> doubles = {1};
  const std::vector<float> floats = {1};
  const std::vector<SafeTensorView> tensors = {safe_tensor_view<std::uint8_t>("a", {3}, odd),
                                               safe_tensor_view<float>("b", {1}, floats),
                                               safe_tensor_view<double>("c", {1}, doubles)};
  write_safetensors(path_, tensors);
  const std::string text = read(path_);
  EXPECT_EQ(static_cast<unsigned char>(text[0]) % 8, 0);
  EXPECT_NE(text.find(R"("c":{"dtype":"F64","shape":[1],"data_offsets":[0,8]})"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]})"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("a":{"dtype":"U8","shape":[3],"data_offsets":[12,15]})"), std::string::npos) << text;
}

TEST_F(SafeTensors, ReadsForeignFiles) {
  // Any order of tensors and keys, odd alignment, keys that this version does not know.
  write_raw(
      R"({"b":{"data_offsets":[1,3],"dtype":"U8","shape":[2],"new":1}, "a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}, )"
      R"("z":{"dtype":"BF16","shape":[0],"data_offsets":[1,1]}} )",
      3);
  const SafeTensorsFile file = read_safetensors(path_);
  EXPECT_EQ(file.get("b", "U8", {2}).elements<std::uint8_t>(), (std::vector<std::uint8_t>{1, 2}));
  EXPECT_EQ(file.get("a", "BOOL", {1}).bytes, (std::vector<std::byte>{std::byte{0}}));
  EXPECT_TRUE(file.get("z", "BF16", {0}).bytes.empty());
  EXPECT_TRUE(file.metadata.empty());
}

TEST_F(SafeTensors, GetNamesFileTensorFoundAndWanted) {
  const std::vector<float> values = {1, 2};
  const SafeTensorView t = safe_tensor_view<float>("w", {2}, values);
  write_safetensors(path_, {&t, 1});
  const SafeTensorsFile file = read_safetensors(path_);
  expect_error([&] { file.get("v", "F32", {2}); }, {path_, "\"v\"", "no tensor", "F32 [2]"});
  expect_error([&] { file.get("w", "F64", {2}); }, {path_, "\"w\"", "found F32 [2]", "wanted F64 [2]"});
  expect_error([&] { file.get("w", "F32", {1, 2}); }, {path_, "\"w\"", "found F32 [2]", "wanted F32 [1,2]"});
}

// ---- damaged files
// ------------------------------------------------------------------------------------------------

TEST_F(SafeTensors, MissingDirectoryAndShortFiles) {
  expect_error([&] { read_safetensors(path_); }, {path_, "No such file"});
  expect_error([&] { read_safetensors(dir_.string()); }, {dir_.string(), "not a regular file"});
  for (const int size : {0, 7}) {
    std::ofstream(path_, std::ios::binary) << std::string(size, '\0');
    expect_error([&] { read_safetensors(path_); }, {path_, str(size, " bytes"), "too short"});
  }
}

TEST_F(SafeTensors, HeaderLengths) {
  for (const std::uint64_t length : {std::uint64_t{3}, std::uint64_t{100'000'000}}) {
    std::ofstream(path_, std::ios::binary) << std::string(reinterpret_cast<const char*>(&length), 8) << "{}";
    expect_error([&] { read_safetensors(path_); }, {path_, str("header length ", length), "10 bytes"});
  }
  for (const std::uint64_t length : {std::uint64_t{100'000'001}, ~std::uint64_t{0}, ~std::uint64_t{0} - 7}) {
    std::ofstream(path_, std::ios::binary) << std::string(reinterpret_cast<const char*>(&length), 8) << "{}";
    expect_error([&] { read_safetensors(path_); }, {path_, str("header length ", length), "allows"});
  }
}

TEST_F(SafeTensors, HeadersThatAreNoJsonObject) {
  expect_refused("", 0, {"begin with {"});
  expect_refused("[]", 0, {"begin with {"});
  expect_refused(" {}", 0, {"begin with {"});
  expect_refused("{\"a\":", 0, {"not valid JSON"});
  expect_refused("{} x", 0, {"not valid JSON"});
  expect_refused("{\"\xff\":1}", 0, {"not valid JSON"});
}

TEST_F(SafeTensors, DuplicateNames) {
  const std::string a = R"("a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  expect_refused("{" + a + "," + a + "}", 1, {"\"a\" occurs twice"});
  expect_refused(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"dtype":"I8"}})", 1,
                 {"\"dtype\" occurs twice"});
  expect_refused(R"({"__metadata__":{"x":"1","x":"2"}})", 0, {"\"x\" occurs twice"});
}

TEST_F(SafeTensors, EntriesOfWrongKind) {
  expect_refused(R"({"a":7})", 0, {"\"a\"", "expected an object", "7"});
  expect_refused(R"({"a":{"shape":[1],"data_offsets":[0,1]}})", 1, {"\"a\"", "no \"dtype\""});
  expect_refused(R"({"a":{"dtype":"U8","data_offsets":[0,1]}})", 1, {"\"a\"", "no \"shape\""});
  expect_refused(R"({"a":{"dtype":"U8","shape":[1]}})", 1, {"\"a\"", "no \"data_offsets\""});
  expect_refused(R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,1]}})", 1, {"\"a\"", "unknown dtype", "F31"});
  expect_refused(R"({"a":{"dtype":4,"shape":[1],"data_offsets":[0,1]}})", 1, {"\"a\"", "dtype is no string", "4"});
}

TEST_F(SafeTensors, Shapes) {
  const auto with_shape = [](const std::string& shape) {
    return R"({"a":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":[0,4]}})";
  };
  expect_refused(with_shape("[-1]"), 4, {"\"a\"", "[-1]", "whole numbers"});
  expect_refused(with_shape("[1.0]"), 4, {"\"a\"", "[1.0]", "whole numbers"});
  expect_refused(with_shape("[\"1\"]"), 4, {"\"a\"", "whole numbers"});
  expect_refused(with_shape("1"), 4, {"\"a\"", "shape is no array"});
  expect_refused(with_shape("[18446744073709551615]"), 4, {"\"a\"", "18446744073709551615"});
  // The products wrap around to 4 bytes in 64-bit arithmetic.
  expect_refused(with_shape("[4294967296,4294967296]"), 4, {"\"a\"", "more than 2^63 bytes"});
  expect_refused(with_shape("[4611686018427387905]"), 4, {"\"a\"", "more than 2^63 bytes"});
  expect_refused(with_shape("[2]"), 4, {"\"a\"", "hold 4 bytes", "F32 [2] has 8"});
  expect_refused(with_shape("[0]"), 4, {"\"a\"", "hold 4 bytes", "has 0"});
}

TEST_F(SafeTensors, Offsets) {
  const auto with_offsets = [](const std::string& offsets) {
    return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + offsets + "}}";
  };
  expect_refused(with_offsets("[0,5]"), 5, {"\"a\"", "hold 5 bytes", "has 4"});
  expect_refused(with_offsets("[0,4]"), 3, {"\"a\"", "[0,4]", "outside of the 3 bytes"});
  expect_refused(with_offsets("[4,0]"), 4, {"\"a\"", "[4,0]", "outside"});
  expect_refused(with_offsets("[-4,0]"), 4, {"\"a\"", "[-4,0]", "two whole numbers"});
  expect_refused(with_offsets("[0]"), 4, {"\"a\"", "[0]", "two whole numbers"});
  expect_refused(with_offsets("[0,4,4]"), 4, {"\"a\"", "two whole numbers"});
  expect_refused(with_offsets("[18446744073709551612,18446744073709551616]"), 4, {"\"a\"", "two whole numbers"});
  expect_refused(with_offsets("[0,18446744073709551615]"), 4, {"\"a\"", "outside"});
  expect_refused(with_offsets("[1,5]"), 5, {"\"a\"", "[1,5]", "leave a hole after 0"});
  expect_refused(with_offsets("[0,4]"), 6, {"cover 4 of 6 bytes"});
}

TEST_F(SafeTensors, OverlapsAndHoles) {
  const auto two = [](const std::string& first, const std::string& second) {
    return R"({"a":{"dtype":"U8","shape":[2],"data_offsets":)" + first +
           R"(},"b":{"dtype":"U8","shape":[2],"data_offsets":)" + second + "}}";
  };
  expect_refused(two("[0,2]", "[1,3]"), 3, {"\"b\"", "[1,3]", "overlap", "ends at 2"});
  expect_refused(two("[0,2]", "[0,2]"), 2, {"\"b\"", "[0,2]", "overlap"});
  expect_refused(two("[3,5]", "[0,2]"), 5, {"\"a\"", "[3,5]", "leave a hole after 2"});
}

TEST_F(SafeTensors, Metadata) {
  expect_refused(R"({"__metadata__":{"x":1}})", 0, {"__metadata__", "\"x\"", "no string", "1"});
  expect_refused(R"({"__metadata__":"x"})", 0, {"__metadata__", "no object"});
}

// The end of the data is known from the header, so no cut goes unseen.
TEST_F(SafeTensors, EveryTruncationIsRefused) {
  const std::vector<float> values = {1, 2, 3};
  const SafeTensorView t = safe_tensor_view<float>("w", {3}, values);
  write_safetensors(path_, {&t, 1}, {{"k", "v"}});
  const std::string whole = read(path_);
  for (size_t size = 0; size < whole.size(); ++size) {
    std::ofstream(path_, std::ios::binary) << whole.substr(0, size);
    EXPECT_THROW(read_safetensors(path_), Error) << size;
  }
}

// ---- writing
// -----------------------------------------------------------------------------------------------------

TEST_F(SafeTensors, WhatCannotBeWritten) {
  const std::vector<float> values = {1, 2};
  const auto write = [&](std::vector<SafeTensorView> tensors, std::map<std::string, std::string> metadata = {}) {
    return [&, tensors = std::move(tensors), metadata = std::move(metadata)] {
      write_safetensors(path_, tensors, metadata);
    };
  };
  const SafeTensorView good = safe_tensor_view<float>("w", {2}, values);
  expect_error(write({good, good}), {path_, "\"w\"", "twice"});
  expect_error(write({safe_tensor_view<float>("__metadata__", {2}, values)}), {"__metadata__", "taken"});
  expect_error(write({safe_tensor_view<float>("w", {3}, values)}), {"\"w\"", "F32 [3]", "8 bytes"});
  expect_error(write({safe_tensor_view<float>("w", {-2}, values)}), {"\"w\"", "F32 [-2]"});
  expect_error(write({{"w", "F33", {2}, std::as_bytes(std::span(values))}}), {"\"w\"", "F33"});
  expect_error(write({safe_tensor_view<float>("\xff", {2}, values)}), {"JSON"});
  expect_error(write({good}, {{"k", "\xff"}}), {"JSON"});
  EXPECT_EQ(files_in_directory(), 0);
}

TEST_F(SafeTensors, FailuresNameThePathAndTheReason) {
  const std::vector<float> values(100000, 1.0f);
  const SafeTensorView t = safe_tensor_view<float>("w", {100000}, values);
  expect_error([&] { write_safetensors("/dev/full", {&t, 1}); }, {"/dev/full", "No space left"});
  const std::string nowhere = (dir_ / "no" / "x.safetensors").string();
  expect_error([&] { write_safetensors(nowhere, {&t, 1}); }, {nowhere, "No such file"});
}

// A limit on file sizes stands for the full disk: it needs no privileges.
TEST_F(SafeTensors, FailureHalfwayKeepsTheOldFile) {
  const std::vector<float> old_values = {42};
  const SafeTensorView old_tensor = safe_tensor_view<float>("old", {1}, old_values);
  write_safetensors(path_, {&old_tensor, 1});

  const std::vector<float> values(100000, 1.0f);
  const SafeTensorView t = safe_tensor_view<float>("w", {100000}, values);
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {64 * 1024, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  expect_error([&] { write_safetensors(path_, {&t, 1}); }, {path_, "File too large"});
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);

  EXPECT_EQ(read_safetensors(path_).get("old", "F32", {1}).elements<float>(), old_values);
  EXPECT_EQ(files_in_directory(), 1);
}

TEST_F(SafeTensors, FullDiskKeepsTheOldFile) {
  // A namespace of its own: the mount ends with this process and nobody else sees it.
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      mount("tmpfs", dir_.c_str(), "tmpfs", 0, "size=128k") != 0)
    GTEST_SKIP() << "mounting a small tmpfs is not permitted here";
  const std::vector<float> old_values = {42};
  const SafeTensorView old_tensor = safe_tensor_view<float>("old", {1}, old_values);
  write_safetensors(path_, {&old_tensor, 1});
  const std::vector<float> values(100000, 1.0f);
  const SafeTensorView t = safe_tensor_view<float>("w", {100000}, values);
  expect_error([&] { write_safetensors(path_, {&t, 1}); }, {path_, "No space left"});
  EXPECT_EQ(read_safetensors(path_).get("old", "F32", {1}).elements<float>(), old_values);
  EXPECT_EQ(files_in_directory(), 1);
  umount(dir_.c_str());
}

}  // namespace
}  // namespace pgad
