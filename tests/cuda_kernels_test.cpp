// The CUDA kernels of the memory-bound families, in emulation or on a GPU (test_device.h): against the reference, in
// every order of threads, twice for the same bits, with guard lines around each buffer and with unaligned buffers.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "engine/exec.h"
#include "engine/rng.h"
#include "kernels/adam/adam.h"
#include "kernels/bias_act/bias_act.h"
#include "kernels/conv2d_operand/conv2d_operand.h"
#include "kernels/cuda_workspace.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/extra_map/extra_map.h"
#include "kernels/fade/fade.h"
#include "kernels/l1/l1.h"
#include "kernels/latent_step/latent_step.h"
#include "kernels/minibatch_stddev/minibatch_stddev.h"
#include "kernels/pixelnorm/pixelnorm.h"
#include "kernels/random/random.h"
#include "kernels/reduction/reduction.h"
#include "kernels/resample2x/resample2x.h"
#include "simt/emulator.h"
#include "tests/emulation_coverage.h"
#include "tests/test_device.h"

namespace pgad::test {
namespace {

using Array = std::vector<float>;
using Arrays = std::vector<Array>;
using Pointers = std::vector<float*>;
using Call = std::function<void(Exec&, const Pointers&)>;

Array normal(std::int64_t n, std::uint64_t stream = 0) {
  Rng rng(11, stream);
  Array values(static_cast<std::size_t>(n));
  for (float& v : values) v = static_cast<float>(rng.normal());
  return values;
}
Array positive(std::int64_t n, std::uint64_t stream = 0) {
  Array values = normal(n, stream);
  for (float& v : values) v = v * v + 0.1f;
  return values;
}
// What a kernel must not read.
Array nothing(std::int64_t n) { return Array(static_cast<std::size_t>(n), std::nanf("")); }

// The arrays after the call, each begun `offset` floats behind an aligned address.
Arrays after(Exec& exec, const Arrays& before, const Call& call, std::int64_t offset) {
  std::vector<Tensor> tensors;
  Pointers pointers;
  for (const Array& a : before) {
    tensors.push_back(exec.empty({static_cast<std::int64_t>(a.size()) + offset}));
    exec.upload<float>(a, tensors.back(), offset);
    pointers.push_back(tensors.back().data<float>() + offset);
  }
  call(exec, pointers);
  Arrays result;
  for (std::size_t i = 0; i < before.size(); ++i)
    result.push_back(exec.read<float>(tensors[i], offset, static_cast<std::int64_t>(before[i].size())));
  return result;
}

class CudaKernels : public testing::Test {
 protected:
  CudaKernels() {
    reference_.guard_memory();
    emulated_.guard_memory();
  }
  ~CudaKernels() override { simt::options() = {}; }

  // All arrays after the call, results and inputs, against the reference's. The tolerance is relative to an array's
  // largest value, at least `scale`; 0: the same bits.
  void expect_equal(const std::string& what, const Arrays& before, double tolerance, const Call& call,
                    double scale = 1e-30) {
    const Arrays expected = after(reference_, before, call, 0);
    const auto run_in = [&](simt::Order order, std::int64_t offset) {
      simt::options().order = order;
      return after(emulated_, before, call, offset);
    };
    const Arrays first = run_in(simt::Order::kForward, 0);
    compare(what, first, expected, tolerance, scale);
    compare(what + ", unaligned", run_in(simt::Order::kReverse, 1), expected, tolerance, scale);
    for (const simt::Order order : simt::kAllOrders) {
      const Arrays again = run_in(order, 0);
      for (std::size_t i = 0; i < again.size(); ++i)
        EXPECT_EQ(std::memcmp(again[i].data(), first[i].data(), again[i].size() * sizeof(float)), 0)
            << what << ": other bits, array " << i << ", order " << simt::name_of(order);
    }
    EXPECT_EQ(emulated_.memory().overruns, 0u) << what;
    emulated_.trim();  // the emulator opens and closes all memory that is in use, for each launch
  }

  static void compare(const std::string& what, const Arrays& got, const Arrays& expected, double tolerance,
                      double scale) {
    for (std::size_t i = 0; i < got.size(); ++i) {
      double largest = scale, worst = 0;
      for (std::size_t j = 0; j < got[i].size(); ++j) {
        const double u = got[i][j], v = expected[i][j];
        if (std::isfinite(v)) largest = std::max(largest, std::fabs(v));
        if (std::isfinite(u) && std::isfinite(v))
          worst = std::max(worst, std::fabs(u - v));
        else
          EXPECT_TRUE(u == v || (std::isnan(u) && std::isnan(v))) << what << ": array " << i << " element " << j;
      }
      EXPECT_LE(worst, tolerance * largest) << what << ": array " << i;
    }
  }

  Exec reference_{Device{}, 1, Implementation::kReference};
  Exec emulated_{test_device()};
};

const std::int64_t kSizes[] = {1, 3, 4, 5, 1030};
constexpr std::int64_t kBeyondOneGrid = 64 * 256 * 4 + 777;  // the emulator's 64 blocks go round

[[maybe_unused]] const auto* const coverage = testing::AddGlobalTestEnvironment(
    new EmulationCoverage([](std::string_view kernel) { return !is_product(kernel); }));

TEST_F(CudaKernels, Unary) {
  const auto run_one = [&](Unary op, std::int64_t n, bool in_place) {
    expect_equal("unary " + std::to_string(static_cast<int>(op)) + " of " + std::to_string(n),
                 {op == Unary::kSqrt ? positive(n) : normal(n), nothing(n)},
                 on_gpu() ? 6e-7 : 3e-7,  // CUDA's exponential and logarithms may be off by two units in the last place
                 [&](Exec& exec, const Pointers& p) {
                   run(kUnary, exec, UnaryArgs<float>{op, n, p[0], in_place ? p[0] : p[1], -1.5f, 0.25f});
                 });
  };
  for (int op = 0; op <= static_cast<int>(kLastUnary); ++op)
    for (const std::int64_t n : {5, 263}) run_one(static_cast<Unary>(op), n, n == 5);
  for (const std::int64_t n : kSizes) run_one(Unary::kAffine, n, false);
}

TEST_F(CudaKernels, UnaryOfExtremes) {
  const float inf = std::numeric_limits<float>::infinity();
  const Array x = {0.0f, -0.0f, 100.0f, -100.0f, 1e30f, -1e30f, inf, -inf, std::nanf("")};
  for (const Unary op : {Unary::kSign, Unary::kSigmoid, Unary::kSoftplus, Unary::kAbs})
    expect_equal("unary " + std::to_string(static_cast<int>(op)), {x, nothing(9)}, 1e-6,
                 [&](Exec& exec, const Pointers& p) {
                   run(kUnary, exec, UnaryArgs<float>{op, 9, p[0], p[1], 0, 0});
                 });
}

TEST_F(CudaKernels, Elementwise) {
  for (const std::int64_t n : kSizes) {
    const std::string of = " of " + std::to_string(n);
    const Arrays three = {normal(n, 0), normal(n, 1), nothing(n), {0.3f}};
    for (const Binary op : {Binary::kAxpby, Binary::kMul})
      expect_equal("binary" + of, three, 2e-7, [&](Exec& exec, const Pointers& p) {
        run(kBinary, exec, BinaryArgs<float>{op, n, p[0], p[1], n == 5 ? p[1] : p[2], 0.5f, -2.0f});
      });
    expect_equal("scale_by" + of, three, 2e-7, [&](Exec& exec, const Pointers& p) {
      run(kScaleBy, exec, ScaleByArgs<float>{n, p[0], p[3], n == 5 ? p[0] : p[2], 1, -2});
    });
    expect_equal("fill" + of, three, 0, [&](Exec& exec, const Pointers& p) {
      run(kFill, exec, FillArgs<float>{n, p[2], 2.5f});
    });
    expect_equal("act_grad" + of, three, 0, [&](Exec& exec, const Pointers& p) {
      run(kActGrad, exec, ActGradArgs<float>{n, p[0], p[1], p[2], 0.2f});
    });
    for (const float t : {0.0f, 0.3f, 1.0f})
      expect_equal("fade" + of, {normal(n, 0), normal(n, 1), nothing(n), {t}}, t == 0.3f ? 2e-7 : 0,
                   [&](Exec& exec, const Pointers& p) {
                     run(kFade, exec, FadeArgs<float>{n, p[0], p[1], p[3], p[2]});
                   });
  }
  const std::int64_t n = kBeyondOneGrid;
  expect_equal("binary, large", {normal(n, 0), normal(n, 1), nothing(n)}, 0, [&](Exec& exec, const Pointers& p) {
    run(kBinary, exec, BinaryArgs<float>{Binary::kMul, n, p[0], p[1], p[2], 0, 0});
  });
}

struct RowsCase {
  std::int64_t rows, c;
};
const RowsCase kRows[] = {{1, 1},  {3, 1},   {17, 2},  {7, 4},   {33, 8},  {9, 12},  {130, 33},
                          {6, 64}, {3, 129}, {2, 132}, {3, 511}, {5, 512}, {2, 516}, {1, 2050}};

TEST_F(CudaKernels, BiasAct) {
  for (const auto [rows, c] : kRows)
    for (const bool bias : {true, false})
      expect_equal(
          "bias_act " + std::to_string(rows) + "x" + std::to_string(c),
          {normal(rows * c), normal(c, 1), nothing(rows * c)}, 0,
          [rows = rows, c = c, bias](Exec& exec, const Pointers& p) {
            run(kBiasAct, exec, BiasActArgs<float>{rows, c, p[0], bias ? p[1] : nullptr, bias ? p[2] : p[0], 0.2f});
          });
}

TEST_F(CudaKernels, Pixelnorm) {
  for (const auto [rows_, c_] : kRows) {
    const std::int64_t rows = rows_, c = c_, n = rows * c;
    const std::string of = " " + std::to_string(rows) + "x" + std::to_string(c);
    Array x = normal(n);
    std::fill_n(x.begin(), c, 0.0f);  // a row of zeros
    const Arrays arrays = {x, normal(n, 1), nothing(n), nothing(rows), positive(rows)};
    const bool in_place = rows % 2 == 0;
    expect_equal("pixelnorm" + of, arrays, 1e-6, [&](Exec& exec, const Pointers& p) {
      run(kPixelnorm, exec, PixelnormArgs<float>{rows, c, p[0], in_place ? p[0] : p[2], in_place ? nullptr : p[3]});
    });
    // A row of zeros has r = 1e4, and would hide the others. One channel's gradient is nearly nothing.
    expect_equal(
        "pixelnorm_vjp" + of, {normal(n), normal(n, 1), nothing(n)}, 2e-6,
        [&](Exec& exec, const Pointers& p) {
          run(kPixelnormVjp, exec, PixelnormVjpArgs<float>{rows, c, p[0], p[1], p[2]});
        },
        1);
    expect_equal("pixelnorm_act_vjp" + of, arrays, 1e-6, [&](Exec& exec, const Pointers& p) {
      run(kPixelnormActVjp, exec, PixelnormActVjpArgs<float>{rows, c, p[0], p[4], p[1], p[2], 0.2f});
    });
  }
}

TEST_F(CudaKernels, RowsDoNotDependOnTheBatch) {
  for (const std::int64_t c : {3, 48, 512}) {
    const Array x = normal(200 * c);
    const auto first_row = [&](std::int64_t rows) {
      const Arrays all = after(
          emulated_, {Array(x.begin(), x.begin() + rows * c), nothing(rows * c)},
          [&](Exec& exec, const Pointers& p) {
            run(kPixelnorm, exec, PixelnormArgs<float>{rows, c, p[0], p[1], nullptr});
          },
          0);
      return Array(all[1].begin(), all[1].begin() + c);
    };
    EXPECT_EQ(first_row(1), first_row(200));
  }
  const std::int64_t m = 20000;
  const Array x = normal(5 * m), y = normal(5 * m, 1);
  const auto first_loss = [&](std::int64_t n) {
    return after(
        emulated_, {x, y, nothing(n), nothing(n * m)},
        [&](Exec& exec, const Pointers& p) {
          run(kL1, exec, L1Args<float>{n, m, p[0], p[1], p[2], p[3], 1, 1});
        },
        0)[2][0];
  };
  EXPECT_EQ(first_loss(1), first_loss(5));
}

TEST_F(CudaKernels, Resample2x) {
  const std::int64_t shapes[][4] = {{1, 1, 1, 1},   {3, 5, 7, 3},  {2, 4, 4, 4},    {1, 4, 4, 512}, {2, 3, 2, 33},
                                    {1, 2, 300, 3}, {40, 3, 1, 8}, {1, 1, 2, 1028}, {1, 1, 2, 301}};
  for (const auto& s : shapes) {
    const std::int64_t n = s[0], h = s[1], w = s[2], c = s[3], small = n * h * w * c;
    const std::string of = " " + std::to_string(h) + "x" + std::to_string(w) + "x" + std::to_string(c);
    expect_equal("upsample2x" + of, {normal(small), nothing(4 * small)}, 0, [&](Exec& exec, const Pointers& p) {
      run(kUpsample2x, exec, Resample2xArgs<float>{n, h, w, c, p[0], p[1], 0.5f});
    });
    expect_equal("sum_pool2x" + of, {normal(4 * small), nothing(small)}, 3e-7, [&](Exec& exec, const Pointers& p) {
      run(kSumPool2x, exec, Resample2xArgs<float>{n, h, w, c, p[0], p[1], 0.25f});
    });
  }
}

// Results of 16 bits are compared in pairs, as floats.
TEST_F(CudaKernels, Conv2dOperand) {
  const std::int64_t shapes[][4] = {{1, 2, 2, 1},  {3, 10, 14, 3}, {2, 8, 8, 4},  {1, 4, 6, 512},
                                    {2, 6, 4, 33}, {1, 2, 600, 3}, {40, 6, 2, 8}, {1, 2, 4, 1028}};
  for (const auto& s : shapes) {
    const std::int64_t n = s[0], h = s[1], w = s[2], c = s[3], count = n * h * w * c;
    const std::string of = str(" ", h, "x", w, "x", c);
    for (const auto& [doubled, bf16] : {std::pair(true, false), std::pair(false, true), std::pair(true, true)})
      expect_equal(str("conv2d_operand", of, doubled ? ", doubled" : "", bf16 ? ", bf16" : ""),
                   {normal(doubled ? count / 4 : count), nothing(bf16 ? count / 2 : count)}, 0,
                   [&, doubled = doubled, bf16 = bf16](Exec& exec, const Pointers& p) {
                     run(kConv2dOperand, exec, Conv2dOperandArgs<float>{n, h, w, c, doubled, bf16, p[0], p[1]});
                   });
  }
  // Ties, to even; the largest; what is too small.
  const Array x = {0x1.01p0f, 0x1.03p0f, -0x1.01p0f, 0x1.010002p0f, 0.0f, -0.0f, 0x1.fffffep127f, 0x1p-140f};
  expect_equal("conv2d_operand of ties", {x, nothing(4)}, 0, [&](Exec& exec, const Pointers& p) {
    run(kConv2dOperand, exec, Conv2dOperandArgs<float>{1, 1, 1, 8, false, true, p[0], p[1]});
  });
}

TEST_F(CudaKernels, ExtraMap) {
  const std::int64_t shapes[][4] = {{1, 1, 1, 1}, {4, 16, 3, 2}, {8, 16, 33, 1}, {5, 6, 4, 2}, {12, 16, 300, 3}};
  for (const auto& s : shapes) {
    const std::int64_t n = s[0], pixels = s[1], c = s[2], m = s[3], rows = n * pixels;
    const std::string of = " " + std::to_string(n) + "x" + std::to_string(pixels) + "x" + std::to_string(c);
    for (int which = 1; which < 4; ++which)
      expect_equal(
          "append_map" + of, {normal(rows * c), normal(m, 1), nothing(rows * (c + 1))}, 0,
          [&](Exec& exec, const Pointers& p) {
            run(kAppendMap, exec,
                AppendMapArgs<float>{n, pixels, c, m, which & 1 ? p[0] : nullptr, which & 2 ? p[1] : nullptr, p[2]});
          });
    expect_equal("drop_map" + of, {normal(rows * (c + 1)), nothing(rows * c)}, 0, [&](Exec& exec, const Pointers& p) {
      run(kDropMap, exec, DropMapArgs<float>{rows, c, p[0], p[1]});
    });
    expect_equal("sum_map" + of, {normal(rows * (c + 1)), nothing(m)}, 1e-6, [&](Exec& exec, const Pointers& p) {
      run(kSumMap, exec, SumMapArgs<float>{n, pixels, c, m, p[0], p[1]});
    });
  }
}

TEST_F(CudaKernels, L1) {
  const RowsCase shapes[] = {{1, 1}, {3, 3}, {5, 4}, {300, 7}, {2, 1024}, {3, 1025}, {2, 4096}, {2, 4100}, {3, 9999}};
  for (const auto [n_, m_] : shapes) {
    const std::int64_t n = n_, m = m_;
    const std::string of = " " + std::to_string(n) + "x" + std::to_string(m);
    Array x = normal(n * m, 0);
    const Array y = normal(n * m, 1);
    for (std::size_t i = 0; i < x.size(); i += 3) x[i] = y[i];
    expect_equal("l1" + of, {x, y, nothing(n), nothing(n * m)}, 1e-6, [&](Exec& exec, const Pointers& p) {
      run(kL1, exec, L1Args<float>{n, m, p[0], p[1], p[2], p[3], 0.3f, 0.7f});
    });
  }
}

TEST_F(CudaKernels, MinibatchStddev) {
  const std::int64_t shapes[][3] = {{1, 1, 1}, {2, 3, 5}, {4, 2, 48}, {3, 5, 1024}, {4, 2, 4100}, {16, 1, 1027}};
  for (const auto& s : shapes) {
    const std::int64_t g = s[0], m = s[1], p_ = s[2], n = g * m * p_;
    const std::string of = " " + std::to_string(g) + "x" + std::to_string(m) + "x" + std::to_string(p_);
    expect_equal("minibatch_stddev" + of, {normal(n), nothing(m)}, 2e-6, [&](Exec& exec, const Pointers& p) {
      run(kMinibatchStddev, exec, MinibatchStddevArgs<float>{g, m, p_, p[0], p[1]});
    });
    expect_equal("minibatch_stddev_vjp" + of, {normal(n), normal(m, 1), nothing(n)}, 5e-6,
                 [&](Exec& exec, const Pointers& p) {
                   run(kMinibatchStddevVjp, exec, MinibatchStddevVjpArgs<float>{g, m, p_, p[0], p[1], p[2]});
                 });
  }
}

TEST_F(CudaKernels, Reduction) {
  using Sizes = std::array<std::int64_t, 4>;
  const Sizes shapes[] = {{1, 1, 1, 1}, {3, 5, 7, 2}, {2, 2, 3, 36}};
  const auto check = [&](const Sizes& dims, int mask) {
    std::array<bool, 4> reduce;
    std::int64_t large = 1, small = 1;
    for (std::size_t d = 0; d < 4; ++d) {
      reduce[d] = (mask >> d & 1) != 0;
      large *= dims[d];
      if (!reduce[d]) small *= dims[d];
    }
    const std::string of = " " + std::to_string(dims[0]) + "x" + std::to_string(dims[1]) + "x" +
                           std::to_string(dims[2]) + "x" + std::to_string(dims[3]) + ", mask " + std::to_string(mask);
    // Of positive numbers: the relative error of a sum near zero says nothing.
    expect_equal("sum" + of, {positive(large), nothing(small)}, 1e-6, [&](Exec& exec, const Pointers& p) {
      run(kSum, exec, ReductionArgs<float>{dims, reduce, p[0], p[1], 0.5f});
    });
    expect_equal("broadcast" + of, {normal(small), nothing(large)}, 0, [&](Exec& exec, const Pointers& p) {
      run(kBroadcast, exec, ReductionArgs<float>{dims, reduce, p[0], p[1], 0.5f});
    });
  };
  for (const Sizes& dims : shapes)
    for (int mask = 0; mask < 16; ++mask) check(dims, mask);
  check({1, 1, 5000, 3}, 0b0100);   // a bias gradient: rows to few columns, in parts
  check({1, 1, 1500, 64}, 0b0100);  // to more
  check({1, 1, 3, 1030}, 0b0100);   // many columns
  check({2, 1, 2100, 8}, 0b0110);   // per sample, in parts
  check({1, 150, 40, 3}, 0b0100);   // more outer sums than blocks
  check({1, 1, 2, 9001}, 0b1000);   // long runs, in parts
  check({1, 1, 700, 5}, 0b1000);    // many short runs
  check({1, 1, 1, 70000}, 0b1000);  // all
}

TEST_F(CudaKernels, Adam) {
  for (const std::int64_t n : {1, 7, 512, 4099, 90000}) {
    Arrays arrays = {normal(n, 0), normal(n, 1), normal(n, 2), positive(n, 3)};
    arrays.push_back({0.01f, 1.5f, 20.0f});  // rate
    arrays.push_back({1.0f});                // gate
    const Call adam = [&](Exec& exec, const Pointers& p) {
      run(kAdam, exec, AdamArgs<float>{n, p[0], p[1], p[2], p[3], p[4], p[5], 0.5f, 0.99f, 1e-8f});
    };
    expect_equal("adam", arrays, 1e-6, adam);
    for (const float gate : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
      arrays.back()[0] = gate;
      expect_equal("adam behind a closed gate", arrays, 0, adam);
      const Arrays same = after(emulated_, arrays, adam, 0);
      for (std::size_t i = 0; i + 1 < same.size(); ++i) EXPECT_EQ(same[i], arrays[i]);
    }
    for (const float t : {0.001f, 1.0f}) {
      arrays.back()[0] = t;
      expect_equal("ema", arrays, 2e-7, [&](Exec& exec, const Pointers& p) {
        run(kEma, exec, EmaArgs<float>{n, p[0], p[1], p[5]});
      });
    }
  }
}

TEST_F(CudaKernels, SquaredNorm) {
  for (const std::int64_t n : {std::int64_t{1}, std::int64_t{5}, kNormChunk - 1, kNormChunk, 2 * kNormChunk + 3,
                               600 * kNormChunk}) {  // more chunks than threads that add them up
    Arrays arrays = {normal(n, 0), nothing(1)};
    const Call norm = [&](Exec& exec, const Pointers& p) {
      SquaredNormArgs<float> s = {n, p[0], p[1], nullptr};
      const Tensor partial = exec.empty({s.chunks()});
      s.partial = partial.data<float>();
      run(kSquaredNorm, exec, s);
    };
    expect_equal("squared_norm", arrays, 1e-6, norm);
    arrays[0][static_cast<std::size_t>(n / 2)] = std::nanf("");
    expect_equal("squared_norm of a NaN", arrays, 0, norm);
  }
}

TEST_F(CudaKernels, LatentStep) {
  for (const auto [n_, d_] : {RowsCase{1, 1}, RowsCase{3, 7}, RowsCase{5, 512}, RowsCase{70, 3}, RowsCase{2, 300}}) {
    const std::int64_t n = n_, d = d_, size = 37;
    Arrays arrays = {normal(n * d, 0),    normal(n * d, 1),    normal(n * d, 2),  positive(n * d, 3),
                     normal(n, 4),        normal(n, 5),        normal(n * d, 6),  positive(4 * n, 7),
                     normal(n * size, 8), normal(n * size, 9), normal(n * 4, 10), normal(n * 4, 11)};
    if (n > 2) {
      arrays[1][0] = std::nanf("");  // the first image's gradient
      arrays[4][1] = std::nanf("");  // the second's loss
      arrays[1][static_cast<std::size_t>(2 * d)] = std::numeric_limits<float>::infinity();
    }
    for (std::int64_t over = 3; over < n; over += 3) {  // images whose search is over, though their loss is better
      arrays[7][static_cast<std::size_t>(4 * over + 3)] = 0;
      arrays[4][static_cast<std::size_t>(over)] = arrays[5][static_cast<std::size_t>(over)] - 1;
    }
    expect_equal(
        "latent_step " + std::to_string(n) + "x" + std::to_string(d), arrays, 2e-6, [&](Exec& exec, const Pointers& p) {
          LatentStepArgs<float> s = {n, d, p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], 0.9f, 0.999f, 1e-8f, {}};
          s.companions[0] = {size, p[8], p[9]};
          s.companions[2] = {4, p[10], p[11]};
          run(kLatentStep, exec, s);
        });
  }
}

TEST_F(CudaKernels, DrawLatents) {
  for (const std::int64_t n : {1, 2, 3, 4, 5, 2050}) {
    for (const std::uint64_t stream : {std::uint64_t{5}, ~std::uint64_t{0} - 3})
      expect_equal("uniform", {nothing(n)}, 0, [&](Exec& exec, const Pointers& p) {
        run(kDrawLatents, exec, DrawLatentsArgs<float>{0x0123456789abcdefull, stream, n, true, p[0]});
      });
    expect_equal("normal", {nothing(n)}, 1.2e-7, [&](Exec& exec, const Pointers& p) {
      run(kDrawLatents, exec, DrawLatentsArgs<float>{42, 7, n, false, p[0]});
    });
  }
  const std::int64_t n = kBeyondOneGrid;
  expect_equal("uniform, large", {nothing(n)}, 0, [&](Exec& exec, const Pointers& p) {
    run(kDrawLatents, exec, DrawLatentsArgs<float>{42, 7, n, true, p[0]});
  });
}

// Blocks of the workspace stay where they are: captured graphs use them.
TEST_F(CudaKernels, WorkspaceKeepsItsBlocks) {
  float* const small = emulated_.library<CudaWorkspace>().get(emulated_, 100);
  EXPECT_EQ(emulated_.library<CudaWorkspace>().get(emulated_, 50), small);
  float* const large = emulated_.library<CudaWorkspace>().get(emulated_, 100000);
  EXPECT_NE(large, small);
  EXPECT_EQ(emulated_.library<CudaWorkspace>().get(emulated_, 100000), large);
}

}  // namespace
}  // namespace pgad::test
