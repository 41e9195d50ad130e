// pgad_infer info and generate: what a model is, and what it draws.

#include "tests/programs.h"

namespace pgad::test {
namespace {

TEST(ShowModelProgram, ShowsTheInstructionSetAndLowersIt) {
  const Words info = {"info", "--model", shared().model};
  const char* const before = std::getenv("PGAD_ISA");
  const std::string kept = before != nullptr ? before : "";
  for (const Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512}) {
    ::setenv("PGAD_ISA", isa_name(isa), 1);
    if (isa <= machine_isa())
      EXPECT_TRUE(ended(infer(info), 0, {str("instruction set   ", isa_name(isa), " (this machine has ")}));
#if defined(__x86_64__)
    else
      EXPECT_TRUE(refused(infer(info), 2, {"PGAD_ISA", isa_name(isa), isa_name(machine_isa())}));
#endif
  }
  ::setenv("PGAD_ISA", "mmx", 1);
  EXPECT_TRUE(refused(infer(info), 2, {"PGAD_ISA", "'mmx'", "expected"}));
  before != nullptr ? ::setenv("PGAD_ISA", kept.c_str(), 1) : ::unsetenv("PGAD_ISA");
}

TEST(ShowModelProgram, ShowsDataSpeedAndPictures) {
  const Words info = {"info", "--model", shared().model, "--threads", "1"};
  const ProcessResult plain = infer(info), timed = infer(info + Words{"--speed"});
  for (const char* said : {" KiB", "drawn from ", "held out", "regions "})
    EXPECT_NE(plain.out.find(said), std::string::npos) << said << "\n" << plain.out;
  EXPECT_EQ(plain.out.find("speed "), std::string::npos);
  EXPECT_NE(timed.out.find(" ms for a picture of 8x8 alone, on "), std::string::npos) << timed.out;
  EXPECT_EQ(plain.out.find("images that it draws"), std::string::npos);
  // In characters where there are no colours; two columns a pixel and one between images, so that four of 8x8 fit.
  const std::string binary = std::string(PGAD_BINARY_DIR) + "/apps/pgad_infer";
  Words drawn = {"/usr/bin/env", "COLUMNS=70", binary};
  drawn.insert(drawn.end(), info.begin(), info.end());
  drawn.push_back("--pictures");
  const ProcessResult text = run_process(drawn);
  const auto at = text.out.find("images that it draws\n");
  ASSERT_NE(at, std::string::npos) << text.out;
  std::istringstream lines(text.out.substr(text.out.find('\n', at) + 1));
  std::string line;
  for (int y = 0; y < 8; ++y) {
    std::getline(lines, line);
    EXPECT_EQ(line.size(), 4u * 16 + 3) << line;
    EXPECT_EQ(line.find_first_not_of(" .:-=+*#%@"), std::string::npos) << line;
  }
  std::getline(lines, line);
  EXPECT_TRUE(line.empty()) << line;
  std::string command = binary;
  for (const std::string& word : info) command += " " + word;
  const auto on_terminal = [&](const std::string& variable) {
    return run_process({"/usr/bin/env", "TERM=xterm", variable, "script", "-qec", command, "/dev/null"}).out;
  };
  if (on_terminal("A=b").empty()) GTEST_SKIP() << "no terminals here (script -qec)";
  EXPECT_NE(on_terminal("A=b").find("\033[38;2;"), std::string::npos);
  EXPECT_EQ(on_terminal("NO_COLOR=1").find('\033'), std::string::npos);
}

TEST(ShowModelProgram, GeneratesFromLatents) {
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
    EXPECT_EQ(one.values[i], three.values[i]);
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

TEST(ShowModelProgram, GeneratesTheSameForASeed) {
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

}  // namespace
}  // namespace pgad::test
