// Allocator, step graph, random numbers.

#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "engine/rng.h"
#include "engine/step_graph.h"

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
