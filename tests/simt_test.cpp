// The emulator of CUDA's threads: correct kernels give the right numbers in every order, and each planted bug is found
// by a checker: the emulator itself (it throws), the order of the threads (wrong numbers), guard bytes,
// AddressSanitizer or ThreadSanitizer. In a build with ThreadSanitizer every race must be reported, in any order, and
// correct kernels run without a report.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/simt_kernels.cu"

namespace {

using namespace pgad::cuda_emulated;

#if defined(__SANITIZE_THREAD__)
constexpr bool kThreadSanitizer = true;
#else
constexpr bool kThreadSanitizer = false;
#endif
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kAddressSanitizer = true;
#else
constexpr bool kAddressSanitizer = false;
#endif

constexpr float kGuard = -12345.0f;

simt::Stream stream;  // of all launches

// Floats between guards.
class Buffer {
 public:
  explicit Buffer(std::size_t n, float value = 0) : values_(n + 2 * kGuards, kGuard) { std::fill_n(data(), n, value); }
  explicit Buffer(const std::vector<float>& values) : Buffer(values.size()) {
    std::copy(values.begin(), values.end(), data());
  }
  float* data() { return values_.data() + kGuards; }
  float operator[](std::size_t i) const { return values_[i + kGuards]; }
  std::vector<float> values() const { return {values_.begin() + kGuards, values_.end() - kGuards}; }
  bool intact() const {
    for (std::size_t i = 0; i < kGuards; ++i)
      if (values_[i] != kGuard || values_[values_.size() - 1 - i] != kGuard) return false;
    return true;
  }

 private:
  static constexpr std::size_t kGuards = 16;
  std::vector<float> values_;
};

std::vector<float> random_values(std::size_t n, unsigned seed = 1) {
  std::mt19937 generator(seed);
  std::vector<float> values(n);
  for (float& v : values) v = static_cast<float>(static_cast<int>(generator() % 17) - 8);  // sums of these are exact
  return values;
}

// ThreadSanitizer needs a millisecond for each CUDA thread, and sees a race in whatever order.
std::vector<simt::Order> orders() {
  if (kThreadSanitizer) return {simt::Order::kForward, simt::Order::kReverse};
  return {std::begin(simt::kAllOrders), std::end(simt::kAllOrders)};
}

class SimtTest : public ::testing::Test {
 protected:
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "fast");
    simt::options() = {};
    simt::statistics() = {};
  }
  void TearDown() override { simt::options() = {}; }

  // Calls f in all orders, with copies that land late and at once.
  void in_all_orders(const std::function<void()>& f) {
    for (const simt::Order order : orders()) {
      for (const bool late : {true, false}) {
        SCOPED_TRACE(std::string(simt::name_of(order)) + (late ? ", late copies" : ""));
        if (kThreadSanitizer && late != (order == simt::Order::kForward)) continue;
        simt::options().order = order;
        simt::options().late_copies = late;
        f();
      }
    }
  }

  // A race: `right` runs the kernel and tells whether its results are. With ThreadSanitizer every order reports it;
  // without, the results are wrong in some order.
  void expect_race(const std::function<bool()>& right) {
    if (kThreadSanitizer) {
      for (const simt::Order order : orders()) {
        simt::options().order = order;
        EXPECT_EXIT(
            {
              right();
              std::exit(0);
            },
            ::testing::ExitedWithCode(66), "data race")
            << simt::name_of(order);
      }
      return;
    }
    bool always_right = true;
    in_all_orders([&] { always_right = right() && always_right; });
    EXPECT_FALSE(always_right);
  }

  void expect_error(const std::function<void()>& f, const std::vector<std::string>& words) {
    for (const simt::Order order : orders()) {
      simt::options().order = order;
      try {
        f();
        ADD_FAILURE() << "no error in order " << simt::name_of(order);
      } catch (const simt::Error& error) {
        for (const std::string& word : words)
          EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
      }
    }
  }
};

// ------------------------------------------------------------------------------------------------ what each kernel
// does

template <Bug bug>
bool block_sum_right() {
  const std::vector<float> x = random_values(150);
  Buffer sums(3);
  simt::launch("block_sum", block_sum<bug>, dim3(3), dim3(64), &stream, x.data(), sums.data(), 150);
  float expected[3] = {};
  for (std::size_t i = 0; i < x.size(); ++i) expected[i / 64] += x[i];
  return sums.intact() && sums[0] == expected[0] && sums[1] == expected[1] && sums[2] == expected[2];
}

template <Bug bug>
bool tree_sum_right() {
  const std::vector<float> x = random_values(128);
  Buffer sums(2);
  simt::launch("tree_sum", tree_sum<bug>, dim3(2), dim3(64), &stream, x.data(), sums.data());
  const float first = std::accumulate(x.begin(), x.begin() + 64, 0.0f);
  const float second = std::accumulate(x.begin() + 64, x.end(), 0.0f);
  if (bug == Bug::kPlainAdd) return sums.intact() && sums[0] == first + second;
  return sums.intact() && sums[0] == first && sums[1] == second;
}

template <Bug bug>
bool matmul_right() {
  constexpr std::size_t m = 16, n = 16, k = 48;
  const std::vector<float> a = random_values(m * k), b = random_values(k * n, 2);
  Buffer c(m * n);
  simt::launch("matmul_async", matmul_async<bug>, dim3(n / 16, m / 16), dim3(256), &stream, a.data(), b.data(),
               c.data(), static_cast<int>(n), static_cast<int>(k));
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < n; ++j) {
      float sum = 0;
      for (std::size_t l = 0; l < k; ++l) sum += a[i * k + l] * b[l * n + j];
      if (!(c[i * n + j] == sum)) return false;
    }
  return c.intact();
}

template <Bug bug>
bool refill_right() {
  const std::vector<float> x = random_values(3 * 64);
  Buffer out(64);
  simt::launch("refill", refill<bug>, dim3(1), dim3(64), &stream, x.data(), out.data(), 3);
  for (std::size_t t = 0; t < 64; ++t)
    if (!(out[t] == x[63 - t] + x[64 + 63 - t] + x[128 + 63 - t])) return false;
  return out.intact();
}

template <Bug bug>
bool reverse_warps_right() {
  const std::vector<float> x = random_values(128);
  Buffer out(128);
  simt::launch("reverse_warps", reverse_warps<bug>, dim3(1), dim3(128), &stream, x.data(), out.data());
  for (std::size_t t = 0; t < 128; ++t)
    if (!(out[t] == x[t / 32 * 32 + 31 - t % 32])) return false;
  return out.intact();
}

template <Bug bug>
bool transpose_right() {
  constexpr std::size_t rows = 37, columns = 45;
  const std::vector<float> in = random_values(rows * columns);
  Buffer out(rows * columns);
  simt::launch("transpose", transpose<bug>, dim3(2, 2), dim3(32, 2), &stream, in.data(), out.data(),
               static_cast<int>(rows), static_cast<int>(columns));
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c)
      if (!(out[c * rows + r] == in[r * columns + c])) return false;
  return out.intact();
}

template <Bug bug>
void run_scale_vectors() {
  alignas(16) float x[132] = {}, out[128] = {};
  for (int i = 0; i < 128; ++i) x[i] = static_cast<float>(i);
  simt::launch("scale_vectors", scale_vectors<bug>, dim3(1), dim3(32), &stream, x, out);
  for (int i = 0; i < 128; ++i) EXPECT_EQ(out[i], 4 * x[i]);
}

template <Bug bug>
std::vector<int> run_exchanges() {
  std::vector<int> x(32), out(3 * 32);
  std::iota(x.begin(), x.end(), 100);
  simt::launch("exchanges", exchanges<bug>, dim3(1), dim3(32), &stream, x.data(), out.data());
  return out;
}

__global__ void throwing(int thread) {
  if (threadIdx.x == static_cast<unsigned>(thread)) throw std::runtime_error("from a kernel");
  __syncthreads();
}

__global__ void too_much_shared() {
  SIMT_SHARED(float, large, [12][1024]);
  SIMT_SHARED(float, one_more, [1]);
  large[0][0] = one_more[0];
}

__global__ void before_the_start(int* overwritten) {
  SIMT_SHARED(int, first, [4]);
  SIMT_SHARED(int, second, [4]);
  int* p = second;
  first[0] = 0;
  p[-3] = *overwritten;
}

// Two instantiations of a function each have an array of their own.
template <class T>
__device__ T* scratch() {
  SIMT_SHARED(T, memory, [2]);
  return memory;
}
__global__ void scratches(double* out) {
  float* a = scratch<float>();
  double* b = scratch<double>();
  a[0] = 1, a[1] = 2, b[0] = 3, b[1] = 4;
  out[0] = a[0] + 10 * a[1] + 100 * b[0] + 1000 * b[1];
}

__global__ void use_blocks(unsigned* out) {  // which thread of which block is this?
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] += block * 100 + thread;
}

// ---------------------------------------------------------------------------------------------------- correct kernels

TEST_F(SimtTest, ReductionIsRightInAllOrders) {
  in_all_orders([] {
    EXPECT_TRUE(block_sum_right<Bug::kNone>());
    EXPECT_TRUE(tree_sum_right<Bug::kNone>());
  });
}

TEST_F(SimtTest, MatmulWithAsyncCopiesIsRightInAllOrders) {
  in_all_orders([] { EXPECT_TRUE(matmul_right<Bug::kNone>()); });
}

TEST_F(SimtTest, SharedMemoryIsReusedRightlyInAllOrders) {
  in_all_orders([] {
    EXPECT_TRUE(refill_right<Bug::kNone>());
    EXPECT_TRUE(reverse_warps_right<Bug::kNone>());
    EXPECT_TRUE(transpose_right<Bug::kNone>());
    run_scale_vectors<Bug::kNone>();
  });
}

TEST_F(SimtTest, LanesExchangeAsTheManualSays) {
  in_all_orders([] {
    const std::vector<int> out = run_exchanges<Bug::kNone>();
    for (int lane = 0; lane < 32; ++lane) {
      const auto at = [&](int row) { return out[static_cast<std::size_t>(row * 32 + lane)]; };
      EXPECT_EQ(at(0), 100 + (lane ^ 3)) << lane;
      EXPECT_EQ(at(1), 100 + (lane ^ 16)) << lane;
      EXPECT_EQ(at(2), 100 + (lane ^ 8)) << lane;
    }
  });
}

TEST_F(SimtTest, MatrixInstructionsMatchPlainLoops) {
  const std::vector<float> a = random_values(256), b = random_values(128, 2), d0 = random_values(128, 3);
  in_all_orders([&] {
    for (const bool b_rows : {false, true}) {
      Buffer d(d0);
      simt::launch("mma_bf16", mma_bf16, dim3(1), dim3(32), &stream, a.data(), b.data(), d.data(), b_rows);
      for (std::size_t i = 0; i < 16; ++i)
        for (std::size_t j = 0; j < 8; ++j) {
          float sum = d0[i * 8 + j];
          for (std::size_t k = 0; k < 16; ++k) sum += a[i * 16 + k] * b[k * 8 + j];
          EXPECT_EQ(d[i * 8 + j], sum) << i << " " << j;
        }
    }
    Buffer d(d0);
    simt::launch("mma_tf32", mma_tf32, dim3(1), dim3(32), &stream, a.data(), b.data(), d.data());
    for (std::size_t i = 0; i < 16; ++i)
      for (std::size_t j = 0; j < 8; ++j) {
        float sum = d0[i * 8 + j];
        for (std::size_t k = 0; k < 8; ++k) sum += a[i * 8 + k] * b[k * 8 + j];
        EXPECT_EQ(d[i * 8 + j], sum) << i << " " << j;
      }
  });
}

TEST_F(SimtTest, MatricesAreTransposedByLdmatrix) {
  std::vector<std::uint16_t> in(256);
  std::iota(in.begin(), in.end(), std::uint16_t{0});
  in_all_orders([&] {
    std::vector<std::uint32_t> out(128);
    simt::launch("transpose_fragments", transpose_fragments, dim3(1), dim3(32), &stream, in.data(), out.data());
    for (std::size_t lane = 0; lane < 32; ++lane)
      for (std::size_t i = 0; i < 4; ++i) {
        const std::size_t low = (i * 8 + 2 * (lane % 4)) * 8 + lane / 4;  // row 2t of matrix i, column g
        EXPECT_EQ(out[lane * 4 + i], low | (low + 8) << 16);
      }
  });
}

TEST_F(SimtTest, RoundsToBf16AndTf32) {
  EXPECT_EQ(ptx::pack_bf16(1.0f, -2.0f), 0xc0003f80u);
  EXPECT_EQ(ptx::to_bf16(std::bit_cast<float>(0x3f808000u)), 0x3f80);  // a tie goes to the even one
  EXPECT_EQ(ptx::to_bf16(std::bit_cast<float>(0x3f818000u)), 0x3f82);
  EXPECT_EQ(ptx::to_bf16(std::bit_cast<float>(0x3f808001u)), 0x3f81);
  EXPECT_EQ(ptx::to_bf16(3.4e38f), 0x7f80);
  EXPECT_EQ(ptx::to_bf16(std::nanf("")), 0x7fff);
  EXPECT_EQ(ptx::to_tf32(std::bit_cast<float>(0x3f801000u)), 0x3f802000u);  // a tie goes away from zero
  EXPECT_EQ(ptx::to_tf32(std::bit_cast<float>(0xbf801000u)), 0xbf802000u);
  EXPECT_EQ(ptx::to_tf32(std::bit_cast<float>(0x3f800fffu)), 0x3f800000u);
}

TEST_F(SimtTest, EveryThreadRunsOnce) {
  in_all_orders([] {
    std::vector<unsigned> out(12 * 16);
    simt::launch("use_blocks", use_blocks, dim3(2, 3, 2), dim3(4, 2, 2), &stream, out.data());
    for (unsigned i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], i / 16 * 100 + i % 16);
  });
}

TEST_F(SimtTest, InstantiationsHaveTheirOwnSharedArrays) {
  double out = 0;
  simt::launch("scratches", scratches, dim3(1), dim3(1), &stream, &out);
  EXPECT_EQ(out, 4321);
}

// --------------------------------------------------------------------------------------------------- streams, launches

TEST_F(SimtTest, ACapturedStreamListsItsWorkWithoutRunningIt) {
  const std::vector<float> x(128, 1.0f);
  std::vector<float> sums(2);
  simt::Stream captured;
  captured.begin_capture();
  run_block_sum(x.data(), sums.data(), 128, &captured);
  captured.submit([&] { sums[1] += sums[0]; });
  const auto work = captured.end_capture();
  ASSERT_EQ(work.size(), 2u);
  EXPECT_EQ(sums[0], 0);
  EXPECT_EQ(simt::statistics().launches, 0);
  for (const auto& step : work) step();
  EXPECT_EQ(sums[0], 64);
  EXPECT_EQ(sums[1], 128);
  run_block_sum(x.data(), sums.data(), 128, &captured);
  EXPECT_EQ(sums[1], 64);
}

TEST_F(SimtTest, LaunchesOfSeveralThreadsExcludeEachOther) {
  const std::vector<float> x(128, 1.0f);
  std::vector<std::vector<float>> sums(2, std::vector<float>(2));
  std::vector<std::thread> threads;
  for (auto& mine : sums)
    threads.emplace_back([&] {
      simt::Stream own;
      for (int i = 0; i < (kThreadSanitizer ? 3 : 100); ++i) run_block_sum(x.data(), mine.data(), 128, &own);
    });
  for (std::thread& thread : threads) thread.join();
  for (const auto& mine : sums) EXPECT_EQ(mine, (std::vector<float>{64, 64}));
}

TEST_F(SimtTest, StatisticsTellKernelsShapesAndOrders) {
  in_all_orders([] { EXPECT_TRUE(block_sum_right<Bug::kNone>()); });
  const int launches = kThreadSanitizer ? 2 : 8;
  EXPECT_EQ(simt::statistics().launches, launches);
  const simt::KernelStatistics& kernel = simt::statistics().kernels.at("block_sum");
  EXPECT_EQ(kernel.launches, launches);
  EXPECT_EQ(kernel.shapes.size(), 1u);
  EXPECT_EQ(kernel.orders.size(), orders().size());
}

TEST_F(SimtTest, ImpossibleLaunchesAreRefused) {
  unsigned out = 0;
  const auto launch = [&](dim3 grid, dim3 block) {
    simt::launch("use_blocks", use_blocks, grid, block, &stream, &out);
  };
  expect_error([&] { launch(dim3(1), dim3(1025)); }, {"use_blocks", "block is too large"});
  expect_error([&] { launch(dim3(1), dim3(1, 1, 65)); }, {"block is too large"});
  expect_error([&] { launch(dim3(0), dim3(1)); }, {"a dimension is 0"});
  expect_error([&] { launch(dim3(1), dim3(1, 0)); }, {"a dimension is 0"});
  expect_error([&] { launch(dim3(1, 65536), dim3(1)); }, {"grid is too large"});
  expect_error([&] { simt::launch("too_much_shared", too_much_shared, dim3(1), dim3(1), &stream); },
               {"one_more", "49156 bytes"});
}

TEST_F(SimtTest, AKernelsExceptionComesOutOfTheLaunch) {
  in_all_orders([] {
    EXPECT_THROW(simt::launch("throwing", throwing, dim3(3), dim3(64), &stream, 33), std::runtime_error);
    EXPECT_TRUE(block_sum_right<Bug::kNone>());  // the abandoned threads leave nothing behind
  });
}

// -------------------------------------------------------------------------------------------- bugs the emulator throws

TEST_F(SimtTest, FindsWrongMask) {
  expect_error([] { run_exchanges<Bug::kWrongMask>(); }, {"exchanges", "not in its own mask", "simt_kernels.cu:"});
  expect_error([] { run_exchanges<Bug::kSourceOutsideMask>(); }, {"reads lane 20, which is not in the mask 0xffff"});
}

TEST_F(SimtTest, FindsDivergentShuffle) {
  expect_error([] { run_exchanges<Bug::kDivergentShuffle>(); }, {"divergent warp", "waits in __shfl_xor_sync"});
}

TEST_F(SimtTest, FindsDivergentBarrier) {
  expect_error([] { transpose_right<Bug::kDivergentBarrier>(); }, {"transpose", "divergent barrier"});
  expect_error([] { transpose_right<Bug::kEarlyExit>(); }, {"transpose", "the kernel"});
}

TEST_F(SimtTest, ReportsDeadlock) {
  expect_error([] { run_exchanges<Bug::kDeadlock>(); },
               {"deadlock", "16 of 32 threads, the first (0,0,0), are in __syncthreads",
                "16 of 32 threads, the first (16,0,0), are in __syncwarp"});
}

TEST_F(SimtTest, FindsMisalignedVectorLoad) {
  expect_error([] { run_scale_vectors<Bug::kMisalignedLoad>(); },
               {"load4", "not a multiple of 16", "simt_kernels.cu:"});
}

TEST_F(SimtTest, FindsSharedOverrun) {
  int value = 1;
  const auto before = [&] { simt::launch("before", before_the_start, dim3(1), dim3(1), &stream, &value); };
  if (kAddressSanitizer) {
    EXPECT_DEATH(block_sum_right<Bug::kSharedOverrun>(), "index 2 out of bounds|use-after-poison");
    EXPECT_DEATH(before(), "use-after-poison|out of bounds");
    return;
  }
  expect_error([] { block_sum_right<Bug::kSharedOverrun>(); }, {"red zone", "0 bytes after the end", "'partial'"});
  expect_error(before, {"red zone", "12 bytes before the start of shared array 'second'"});
}

// ------------------------------------------------------------------------ bugs that numbers, guards or sanitizers find

TEST_F(SimtTest, FindsGlobalOverrun) {
  EXPECT_FALSE(block_sum_right<Bug::kGlobalOverrun>());  // by the guards
  if (kAddressSanitizer) {
    const std::vector<float> x(64);
    std::vector<float> sums(1);
    EXPECT_DEATH(simt::launch("block_sum", block_sum<Bug::kGlobalOverrun>, dim3(1), dim3(64), &stream, x.data(),
                              sums.data(), 64),
                 "heap-buffer-overflow");
  }
}

TEST_F(SimtTest, FindsUninitializedSharedMemory) {
  in_all_orders([] { EXPECT_FALSE(tree_sum_right<Bug::kUninitialized>()); });
}

TEST_F(SimtTest, FindsAsyncWaitOneTooFew) {
  EXPECT_FALSE(matmul_right<Bug::kWaitOneTooFew>());
  simt::options().late_copies = false;
  EXPECT_TRUE(matmul_right<Bug::kWaitOneTooFew>());  // why copies land late
}

TEST_F(SimtTest, FindsMissingBarrierInReduction) {
  expect_race(block_sum_right<Bug::kMissingBarrier>);
  expect_race(tree_sum_right<Bug::kMissingBarrier>);
}

TEST_F(SimtTest, FindsMissingBarrierInDoubleBuffer) { expect_race(matmul_right<Bug::kMissingBarrier>); }

TEST_F(SimtTest, FindsMissingBarrierBeforeRefill) {
  expect_race(refill_right<Bug::kMissingBarrierBeforeRefill>);
  expect_race(matmul_right<Bug::kMissingBarrierBeforeRefill>);
}

TEST_F(SimtTest, FindsMissingSyncwarp) { expect_race(reverse_warps_right<Bug::kMissingSyncwarp>); }

TEST_F(SimtTest, FindsPlainAddBetweenBlocks) {
  if (kThreadSanitizer)
    expect_race(tree_sum_right<Bug::kPlainAdd>);
  else
    in_all_orders([] { EXPECT_TRUE(tree_sum_right<Bug::kPlainAdd>()); });  // no order shows it
}

}  // namespace
