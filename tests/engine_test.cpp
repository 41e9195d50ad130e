// Allocator, step graph, random numbers.

#include <gtest/gtest.h>

#include <filesystem>
#include <iterator>
#include <thread>

#include "autograd/ops.h"
#include "engine/rng.h"
#include "engine/step_graph.h"
#include "kernels/kernel.h"

namespace pgad::test {
namespace {

TEST(Allocator, FreedBlocksServeAgain) {
  Exec exec;
  { const Tensor t = exec.empty({1000}); }
  const auto before = exec.memory().system_allocations;
  { const Tensor t = exec.empty({1000}); }
  { const Tensor t = exec.empty({998}); }  // the same size class
  EXPECT_EQ(exec.memory().system_allocations, before);
  EXPECT_EQ(exec.memory().live_bytes, 0u);
  EXPECT_GT(exec.memory().reserved_bytes, 0u);
  exec.trim();
  EXPECT_EQ(exec.memory().reserved_bytes, 0u);
}

TEST(Allocator, PeakCountsWhatLivesTogether) {
  Exec exec;
  {
    const Tensor a = exec.empty({1 << 20});
    const Tensor b = exec.empty({1 << 20});
  }
  { const Tensor c = exec.empty({1 << 20}); }
  EXPECT_GE(exec.memory().peak_bytes, 2u << 22);
  EXPECT_LT(exec.memory().peak_bytes, (2u << 22) + (1u << 20));
}

TEST(Tensor, ViewsShareMemory) {
  Exec exec;
  const Tensor all = exec.from<float>(std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7}, {8});
  const Tensor part = all.view(2, {2, 2}), inner = part.view(1, {3});
  EXPECT_EQ(exec.read<float>(part), (std::vector<float>{2, 3, 4, 5}));
  EXPECT_EQ(exec.read<float>(inner), (std::vector<float>{3, 4, 5}));
  EXPECT_EQ(inner.first(), 3);
  exec.clear(inner);
  EXPECT_EQ(exec.read<float>(all), (std::vector<float>{0, 1, 2, 0, 0, 0, 6, 7}));
  EXPECT_EQ(part.reshaped({4}).address(), part.address());
  EXPECT_THROW(all.view(6, {3}), Error);
  EXPECT_THROW(all.view(-1, {3}), Error);
  EXPECT_THROW(part.view(2, {3}), Error);
}

TEST(StepGraph, ReplaysFollowTheInputs) {
  Exec exec;
  const Tensor x = exec.from<float>(std::vector<float>{1, 2, 3}, {3});
  Var y;
  StepGraph graph(exec, [&] {
    const Var v(exec, x, true);
    const Var vs[] = {v};
    y = grad(sum(mul(square(v), v)), vs)[0];  // 3 x^2
  });
  EXPECT_FLOAT_EQ(y.value().data<float>()[1], 12);
  x.data<float>()[1] = 5;
  const auto before = exec.memory().requests;
  // Other work between replays must not disturb the graph's memory.
  for (int i = 0; i < 10; ++i) {
    const Tensor t = exec.zeros({3});
  }
  graph.replay();
  EXPECT_FLOAT_EQ(y.value().data<float>()[1], 75);
  EXPECT_FLOAT_EQ(y.value().data<float>()[0], 3);
  EXPECT_EQ(exec.memory().requests, before + 10);
}

TEST(StepGraph, AnExceptionLeavesTheExecUsable) {
  Exec exec;
  EXPECT_THROW(StepGraph(exec, [] { throw Error("no"); }), Error);
  EXPECT_FALSE(exec.recording());
  StepGraph again(exec, [&] { add(Var(exec, exec.empty({2})), Var(exec, exec.empty({2}))); });
  EXPECT_EQ(again.size(), 1u);
}

TEST(StepGraph, AnExceptionInUnrecordedWorkLeavesTheRecordingOn) {
  Exec exec;
  const Tensor x = exec.zeros({2});
  const StepGraph graph(exec, [&] {
    EXPECT_THROW(exec.without_recording([] { throw Error("no"); }), Error);
    EXPECT_TRUE(exec.recording());
    add(Var(exec, x), Var(exec, x));
  });
  EXPECT_EQ(graph.size(), 1u);
}

// The recorded calls still use the blocks that nothing holds.
TEST(StepGraph, TrimmingInARecordedStepKeepsItsMemory) {
  Exec exec;
  { const Tensor cached = exec.empty({1 << 16}); }
  const Tensor x = exec.zeros({1 << 10});
  const StepGraph graph(exec, [&] {
    add(Var(exec, x), Var(exec, x));
    const std::size_t before = exec.memory().reserved_bytes;
    exec.trim();
    EXPECT_EQ(before - exec.memory().reserved_bytes, std::size_t{4} << 16)
        << "all that was cached outside, and no more";
  });
}

// On a thread of its own, which has no helpers yet.
TEST(Threads, AnExecOfOneRunsOnOneBesideAnExecOfTwo) {
  std::thread([] {
    const auto running = [] {
      return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                           std::filesystem::directory_iterator());
    };
    Exec one(Device{}, 1), two(Device{}, 2);
    const auto multiply = [](Exec& exec) {
      const Var x(exec, exec.zeros({512, 512}));
      matmul(x, x);
    };
    const auto before = running();
    multiply(one);
    EXPECT_EQ(running(), before);
    multiply(two);
    EXPECT_EQ(running(), before + 1);
  }).join();
}

// Known answers of Random123 1.09's test vectors (philox4x32-10).
TEST(Rng, PhiloxKnownAnswers) {
  EXPECT_EQ(philox(0, 0, 0), (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox(~0ull, ~0ull, ~0ull), (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, Moments) {
  Rng rng(5, 6);
  double sum = 0, square = 0, uniform = 0;
  constexpr int kCount = 100000;
  for (int i = 0; i < kCount; ++i) {
    const double v = rng.normal();
    sum += v;
    square += v * v;
    const double u = rng.uniform();
    ASSERT_GT(u, 0);
    ASSERT_LT(u, 1);
    uniform += u;
  }
  EXPECT_NEAR(sum / kCount, 0, 0.02);
  EXPECT_NEAR(square / kCount, 1, 0.02);
  EXPECT_NEAR(uniform / kCount, 0.5, 0.005);
}

TEST(Device, Names) {
  EXPECT_NO_THROW(parse_device("auto"));
  EXPECT_NO_THROW(parse_device("cpu"));
  EXPECT_THROW(parse_device("gpu"), UsageError);
}

}  // namespace
}  // namespace pgad::test
