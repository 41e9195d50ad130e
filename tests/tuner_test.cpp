// Choosing kernels by measurement: what may be chosen, what is kept, and what a file of choices does.

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "engine/step_graph.h"
#include "images/atomic_file.h"
#include "model/tuning_file.h"
#include "tests/temp_dir.h"

namespace pgad::test {
namespace {

struct Job {
  Tensor out;
  float value;
  std::string label() const { return "a shape"; }
};

int slow_runs = 0, fast_runs = 0;

void write(Exec& exec, const Job& job, float value) {
  exec.runtime()->copy_in(job.out.data<float>(), &value, sizeof value);
}
bool slow(Exec& exec, const Job& job) {
  ++slow_runs;
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  write(exec, job, job.value);
  return true;
}
bool fast(Exec& exec, const Job& job) {
  ++fast_runs;
  write(exec, job, job.value * 1.00001f);  // another order of summation
  return true;
}
bool wrong(Exec& exec, const Job& job) {
  write(exec, job, job.value * 1.1f);
  return true;
}
bool not_a_number(Exec& exec, const Job& job) {
  write(exec, job, NAN);
  return true;
}
bool missing(Exec&, const Job&) { return false; }

constexpr Version<Job> kVersions[] = {
    {"hand-written", slow}, {"wrong", wrong}, {"not a number", not_a_number}, {"missing", missing}, {"fast", fast}};

float run(Exec& exec, const Job& job, std::span<const Version<Job>> versions = kVersions) {
  exec.library<Tuner>().run<Job>(exec, "job", job, versions, job.out.data<float>(), 1);
  return exec.read<float>(job.out)[0];
}

struct TunerTest : testing::Test {
  Exec exec{Device{DeviceType::kCudaEmulated}, 1};
  Job job{exec.zeros({1}), 3};
  void SetUp() override { slow_runs = fast_runs = 0; }
};

TEST_F(TunerTest, WithoutMeasuringTheHandWrittenVersionServes) {
  EXPECT_EQ(run(exec, job), 3.f);
  EXPECT_EQ(slow_runs, 1);
  EXPECT_EQ(fast_runs, 0);
  EXPECT_TRUE(exec.library<Tuner>().choices.empty());
}

TEST_F(TunerTest, TheFastestThatAgreesIsChosenOnce) {
  exec.library<Tuner>().measuring = true;
  run(exec, job);
  const Tuner::Choice& choice = exec.library<Tuner>().choices.at({"job", "a shape  fp32"});
  EXPECT_EQ(choice.version, "fast");
  ASSERT_EQ(choice.microseconds.size(), 2u);  // the wrong and the missing are out
  EXPECT_GT(choice.microseconds[0].second, choice.microseconds[1].second);
  slow_runs = fast_runs = 0;
  EXPECT_NEAR(run(exec, job), 3, 1e-3);
  EXPECT_EQ(slow_runs, 0);
  EXPECT_EQ(fast_runs, 1);
}

TEST_F(TunerTest, AChosenVersionThatIsGoneIsReplaced) {
  exec.library<Tuner>().choices[{"job", "a shape  fp32"}].version = "missing";
  EXPECT_EQ(run(exec, job), 3.f);
  exec.library<Tuner>().choices[{"job", "a shape  fp32"}].version = "of another release";
  EXPECT_EQ(run(exec, job), 3.f);
  EXPECT_THROW(run(exec, job, std::span(kVersions).subspan(3, 1)), Error);
}

TEST_F(TunerTest, FilesKeepChoicesByGpu) {
  const TempDir dir;
  const std::string path = dir / "tuning.json";
  write_file_atomically(
      path, R"({"another GPU": [{"kernel": "k", "shape": "s", "version": "v", "microseconds": {"v": 1}}]})");
  load_tuning(exec, path);
  run(exec, job);
  save_tuning(exec, path);
  const std::string table = tuning_table(path);
  for (const char* part : {"another GPU", "cuda-emulated", "hand-written", "fast", "a shape"})
    EXPECT_NE(table.find(part), std::string::npos) << part << " in\n" << table;

  Exec later(Device{DeviceType::kCudaEmulated}, 1);
  load_tuning(later, path);
  const auto& choices = later.library<Tuner>().choices;
  ASSERT_EQ(choices.size(), 1u);
  EXPECT_EQ(choices.begin()->second.version, "fast");
  EXPECT_EQ(choices.begin()->second.microseconds.size(), 2u);
}

TEST_F(TunerTest, BadFilesAreNamed) {
  const TempDir dir;
  const std::string path = dir / "tuning.json";
  for (const char* text : {"no json", "[]", R"({"cuda-emulated": [{"kernel": "k"}]})", R"({"cuda-emulated": [3]})"}) {
    write_file_atomically(path, text);
    try {
      load_tuning(exec, path);
      FAIL() << text;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(path), std::string::npos) << e.what();
    }
  }
  EXPECT_THROW(tuning_table(dir / "none"), Error);
}

TEST(Tuner, TheCpuHasNone) {
  Exec exec;
  EXPECT_NO_THROW(load_tuning(exec, "/nonexistent/tuning.json"));
  EXPECT_NO_THROW(save_tuning(exec, "/nonexistent/tuning.json"));
}

}  // namespace
}  // namespace pgad::test
