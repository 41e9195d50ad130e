// CUDA's convolutions and matrix products, in emulation or on a GPU (test_device.h), against the reference. Where
// operands are rounded to tf32 or bf16, the reference is given rounded ones: products of 11 or 8 bits of mantissa are
// exact in float32, so what may differ is the rounding of sums.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>

#include "kernels/conv2d/impl.h"
#include "kernels/matmul/impl.h"
#include "kernels/tuner.h"
#include "simt/emulator.h"
#include "tests/emulation_coverage.h"
#include "tests/test_device.h"

namespace pgad::test {
namespace {

using Floats = std::vector<float>;
constexpr Precision kPrecisions[] = {Precision::kFp32, Precision::kTf32, Precision::kBf16};
// Of the largest result. A GPU's tensor cores cut sums off where the emulator rounds; operands that were cut off
// instead of rounded would differ by more.
double tolerance(Precision precision) { return on_gpu() && precision != Precision::kFp32 ? 4e-5 : 1e-5; }

Floats random(std::int64_t count, std::uint32_t seed) {
  std::mt19937 bits(seed);
  Floats values(static_cast<std::size_t>(count));
  for (float& v : values) v = static_cast<float>(bits()) * 0x1p-31f - 1.0f;
  return values;
}

// To nearest; ties away from zero (tf32), to even (bf16).
Floats rounded(Floats values, Precision precision) {
  for (float& v : values) {
    const auto bits = std::bit_cast<std::uint32_t>(v);
    if (precision == Precision::kTf32) v = std::bit_cast<float>((bits + 0x1000u) & ~0x1fffu);
    if (precision == Precision::kBf16) v = std::bit_cast<float>((bits + 0x7fffu + (bits >> 16 & 1)) & 0xffff0000u);
  }
  return values;
}

double difference(const Floats& got, const Floats& want) {
  double worst = 0, largest = 1e-30;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double error = std::fabs(static_cast<double>(got[i]) - want[i]);
    if (std::isnan(error)) return error;
    worst = std::max(worst, error);
    largest = std::max(largest, std::fabs(static_cast<double>(want[i])));
  }
  return worst / largest;
}

struct Emulated : Exec {
  explicit Emulated(Precision precision) : Exec(test_device(), 1, Implementation::kFastest, precision) {
    guard_memory();
  }
  ~Emulated() { EXPECT_EQ(memory().overruns, 0u); }
};

enum Kind { kForward = 1, kBiasAct = 2, kDgrad = 4, kWgrad = 8, kAll = 15 };
constexpr Kind kKinds[] = {kForward, kBiasAct, kDgrad, kWgrad};

struct ConvCase {
  std::int64_t n, h, w, ci, co, k;
  bool upsampled = false;
  int kinds = kAll;

  std::int64_t pixels() const { return n * h * w; }
  std::int64_t x() const { return pixels() * ci / (upsampled ? 4 : 1); }
  std::int64_t weights() const { return co * k * k * ci; }
  std::int64_t a(Kind kind) const { return kind == kDgrad ? pixels() * co : x(); }
  std::int64_t b(Kind kind) const { return kind == kWgrad ? pixels() * co : weights(); }
  std::int64_t out(Kind kind) const { return kind == kWgrad ? weights() : pixels() * (kind == kDgrad ? ci : co); }
};

std::ostream& operator<<(std::ostream& out, const ConvCase& c) {
  return out << c.n << "x" << c.h << "x" << c.w << " " << c.ci << " to " << c.co << " k " << c.k
             << (c.upsampled ? " upsampled" : "");
}

Floats compute(Exec& exec, const ConvCase& c, Kind kind, const Floats& a, const Floats& b, const Floats& bias) {
  const Tensor ta = exec.from<float>(a, {c.a(kind)}), tb = exec.from<float>(b, {c.b(kind)});
  const Tensor tbias = exec.from<float>(bias, {c.co}), out = exec.empty({c.out(kind)});
  const Conv2dArgs<float> args{
      c.n, c.h, c.w, c.ci, c.co, c.k, 0.7f, ta.data<float>(), tb.data<float>(), out.data<float>(), c.upsampled};
  switch (kind) {
    case kForward:
      run(kConv2d, exec, args);
      break;
    case kBiasAct:
      run(kConv2dBiasAct, exec, Conv2dBiasActArgs<float>{args, tbias.data<float>(), 0.2f});
      break;
    case kDgrad:
      run(kConv2dDgrad, exec, args);
      break;
    default:
      run(kConv2dWgrad, exec, args);
  }
  return exec.read<float>(out);
}

// Each kind that the case asks for, in each precision; `each` is called with the device's own computation too.
template <class Each>
void for_each_computation(const ConvCase& c, const Each& each) {
  Exec reference(Device{}, 1, Implementation::kReference);
  for (const Precision precision : kPrecisions) {
    Emulated device(precision);
    for (const Kind kind : kKinds) {
      if ((c.kinds & kind) == 0 || (c.upsampled && kind == kDgrad)) continue;
      const Floats a = random(c.a(kind), 1), b = random(c.b(kind), 2), bias = random(c.co, 3);
      const Floats want = compute(reference, c, kind, rounded(a, precision), rounded(b, precision), bias);
      const auto on_device = [&] { return compute(device, c, kind, a, b, bias); };
      each(want, on_device, precision, str("kind ", kind, " precision ", static_cast<int>(precision), ": ", c));
    }
  }
}

void compare(const ConvCase& c) {
  for_each_computation(c, [](const Floats& want, const auto& on_device, Precision precision, const std::string& what) {
    EXPECT_LT(difference(on_device(), want), tolerance(precision)) << what;
  });
}

class CudaConv : public testing::Test {
 protected:
  void TearDown() override { simt::options() = {}; }
};

[[maybe_unused]] const auto* const coverage = testing::AddGlobalTestEnvironment(
    new EmulationCoverage([](std::string_view kernel) { return is_product(kernel) && kernel != "conv2d_prepare"; }));

TEST_F(CudaConv, EqualsReference) {
  const ConvCase cases[] = {
      {1, 1, 1, 1, 1, 1},
      {2, 5, 7, 3, 17, 3},
      {3, 6, 4, 5, 33, 5},
      {1, 9, 11, 33, 1, 1},
      {2, 7, 3, 64, 3, 1},
      {1, 5, 6, 1, 16, 3},
      {2, 3, 5, 32, 64, 3},
      {1, 12, 10, 4, 36, 3},
      {2, 1, 9, 8, 12, 3},
      {1, 6, 5, 12, 20, 5},
      {5, 4, 4, 65, 64, 3},
      {1, 9, 7, 128, 4, 1},
      {2, 8, 8, 16, 32, 3, true},
      {2, 6, 10, 17, 20, 3, true},
      {1, 2, 4, 32, 3, 1, true},
      {1, 4, 4, 512, 16, 3},
      {1, 4, 4, 16, 512, 3, false, kDgrad},
      {3, 16, 16, 3, 40, 1, false, kWgrad},  // a split depth
      {2, 32, 16, 16, 20, 3, false, kWgrad},
  };
  int i = 0;
  for (const ConvCase& c : cases) {
    simt::options().order = simt::kAllOrders[i % 4];
    simt::options().late_copies = i++ % 3 != 0;
    compare(c);
  }
}

// Problems that fill a GPU have larger tiles: 256 threads instead of 128. (Only the emulator knows; on a GPU they were
// chosen by the same code.)
void expect_large_tiles(const char* kernel) {
  if (on_gpu()) return;
  const auto& shapes = emulator_statistics().kernels[kernel].shapes;
  EXPECT_TRUE(std::any_of(shapes.begin(), shapes.end(), [](const auto& shape) { return std::get<3>(shape) == 256; }))
      << kernel;
}

TEST_F(CudaConv, LargeTilesEqualReference) {
  for (const ConvCase& c :
       {ConvCase{8, 32, 32, 4, 128, 3, false, kForward}, ConvCase{8, 32, 32, 128, 4, 3, false, kDgrad},
        ConvCase{1, 1, 3, 116, 1024, 3, false, kWgrad}})
    compare(c);
  for (const char* kernel : {"conv2d", "conv2d_dgrad", "conv2d_wgrad"}) expect_large_tiles(kernel);
}

// Whatever the order of threads and blocks and the time at which copies land. With guards, and a second time in the
// same Exec without taking more memory.
TEST_F(CudaConv, SameBitsInEveryOrder) {
  for (const ConvCase& c : {ConvCase{1, 4, 4, 132, 36, 3}, ConvCase{2, 5, 5, 7, 5, 3}, ConvCase{2, 20, 20, 3, 8, 1}})
    for_each_computation(c, [](const Floats&, const auto& on_device, Precision, const std::string& what) {
      const Floats first = on_device();
      for (const simt::Order order : simt::kAllOrders)
        for (const bool late : {false, true}) {
          simt::options().order = order;
          simt::options().late_copies = late;
          EXPECT_TRUE(on_device() == first) << what << " " << simt::name_of(order) << (late ? " late" : " eager");
        }
    });
}

TEST_F(CudaConv, SteadyStepTakesNoMemory) {
  Emulated device(Precision::kFp32);
  const ConvCase c{1, 4, 4, 512, 8, 3};
  const Floats a = random(c.a(kForward), 1), b = random(c.b(kForward), 2), bias = random(c.co, 3);
  const Floats first = compute(device, c, kForward, a, b, bias);
  const std::size_t free_bytes = device.runtime()->free_bytes();
  EXPECT_TRUE(compute(device, c, kForward, a, b, bias) == first);  // with the workspace as the first left it
  if (!on_gpu()) {
    EXPECT_GT(emulator_statistics().kernels["gemm_sum"].launches, 0);  // else there was no workspace
    EXPECT_EQ(device.runtime()->free_bytes(), free_bytes);             // a GPU has other users
  }
}

// Neither a larger batch's larger tiles nor a split depth may change an image's bits.
TEST_F(CudaConv, SameBitsInAnyBatch) {
  for (const Precision precision : kPrecisions) {
    Emulated device(precision);
    for (const ConvCase& all :
         {ConvCase{8, 32, 32, 4, 128, 3, false, kBiasAct}, ConvCase{5, 4, 4, 256, 20, 3}, ConvCase{3, 5, 7, 17, 5, 3}})
      for (const Kind kind : {kBiasAct, kDgrad}) {
        if ((all.kinds & kind) == 0) continue;
        ConvCase one = all;
        one.n = 1;
        const Floats a = random(all.a(kind), 1), b = random(all.b(kind), 2), bias = random(all.co, 3);
        const Floats together = compute(device, all, kind, a, b, bias);
        const std::int64_t image = all.n - 1;  // the last
        const Floats alone = compute(device, one, kind, {a.begin() + image * one.a(kind), a.end()}, b, bias);
        EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + image * one.out(kind)))
            << all << " kind " << kind << " precision " << static_cast<int>(precision);
      }
  }
}

// What a library is given makes the convolution that it stands for: doubled images doubled, bf16 rounded.
TEST_F(CudaConv, OperandsForLibrariesMakeTheSameConvolution) {
  Exec reference(Device{}, 1, Implementation::kReference);
  const auto read = [](Exec& exec, const void* from, std::int64_t count, bool bf16) {
    std::vector<std::uint16_t> halves(static_cast<std::size_t>(count));
    Floats values(halves.size());
    if (!bf16) {
      exec.runtime()->copy_out(values.data(), from, values.size() * sizeof(float));
      return values;
    }
    exec.runtime()->copy_out(halves.data(), from, halves.size() * sizeof(std::uint16_t));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = std::bit_cast<float>(static_cast<std::uint32_t>(halves[i]) << 16);
    return values;
  };
  int i = 0;
  for (const ConvCase& c :
       {ConvCase{2, 8, 6, 16, 12, 3, true}, ConvCase{1, 4, 4, 3, 5, 1, true}, ConvCase{3, 5, 7, 7, 9, 3}})
    for (const Precision precision : kPrecisions)
      for (const auto& [kind, pass] : {std::pair(kForward, ConvPass::kForward), std::pair(kDgrad, ConvPass::kDgrad),
                                       std::pair(kWgrad, ConvPass::kWgrad)}) {
        if (c.upsampled && kind == kDgrad) continue;
        simt::options().order = simt::kAllOrders[i++ % 4];
        Emulated device(precision);
        const Floats a = random(c.a(kind), 1), b = random(c.b(kind), 2), bias = random(c.co, 3);
        const Tensor ta = device.from<float>(a, {c.a(kind)}), tb = device.from<float>(b, {c.b(kind)});
        const LibraryOperands operands = library_operands(
            device, {c.n, c.h, c.w, c.ci, c.co, c.k, 1, ta.data<float>(), tb.data<float>(), nullptr, c.upsampled},
            pass);
        const bool bf16 = precision == Precision::kBf16;
        EXPECT_EQ(operands.a == ta.data<float>(), !bf16 && !c.upsampled);
        EXPECT_EQ(operands.b == tb.data<float>(), !bf16);
        ConvCase whole = c;
        whole.upsampled = false;
        const Floats got = compute(reference, whole, kind, read(device, operands.a, whole.a(kind), bf16),
                                   read(device, operands.b, whole.b(kind), bf16), bias);
        const Precision seen = bf16 ? precision : Precision::kFp32;  // tf32 is rounded by the library
        EXPECT_EQ(got, compute(reference, c, kind, rounded(a, seen), rounded(b, seen), bias)) << c << " kind " << kind;
      }
}

#ifdef PGAD_HAVE_CUDA
// The column for GPUs is the tuner's choice, not one version.
TEST_F(CudaConv, EveryConvolutionAndProductIsTuned) {
  EXPECT_EQ(kConv2d.cuda, conv2d_chosen);
  EXPECT_EQ(kConv2dBiasAct.cuda, conv2d_bias_act_chosen);
  EXPECT_EQ(kConv2dDgrad.cuda, conv2d_dgrad_chosen);
  EXPECT_EQ(kConv2dWgrad.cuda, conv2d_wgrad_chosen);
  EXPECT_EQ(kMatmul.cuda, matmul_chosen);
}

// Each version that is there, alone: also the libraries', which nothing but a GPU can run.
TEST_F(CudaConv, LibrariesEqualReference) {
  if (test_device().type != DeviceType::kCuda) GTEST_SKIP() << "libraries cannot be emulated";
  Exec reference(Device{}, 1, Implementation::kReference);
  std::string absent;
  for (const ConvCase& c :
       {ConvCase{2, 16, 16, 64, 32, 3}, ConvCase{2, 16, 16, 32, 64, 3, true}, ConvCase{2, 8, 8, 64, 8, 1}})
    for (const Precision precision : kPrecisions) {
      Emulated device(precision);
      const auto check = [&](const char* name, Kind kind, const auto& run_library) {
        const Floats a = random(c.a(kind), 1), b = random(c.b(kind), 2), bias = random(c.co, 3);
        const Tensor ta = device.from<float>(a, {c.a(kind)}), tb = device.from<float>(b, {c.b(kind)});
        const Tensor tbias = device.from<float>(bias, {c.co}), out = device.empty({c.out(kind)});
        const Conv2dArgs<float> args{
            c.n, c.h, c.w, c.ci, c.co, c.k, 0.7f, ta.data<float>(), tb.data<float>(), out.data<float>(), c.upsampled};
        if (!run_library(args, tbias.data<float>())) {
          absent += str(" ", name, " kind ", kind, " precision ", static_cast<int>(precision), ": ", c, ";");
          return;
        }
        // Winograd's algorithm in fp32, and roundings of a library's own in the others, cost digits.
        EXPECT_LT(difference(device.read<float>(out),
                             compute(reference, c, kind, rounded(a, precision), rounded(b, precision), bias)),
                  precision == Precision::kFp32 ? 1e-4 : 2e-3)
            << name << " kind " << kind << " precision " << static_cast<int>(precision) << ": " << c;
      };
      using Args = Conv2dArgs<float>;
      check("cuDNN", kForward,
            [&](const Args& s, const float*) { return conv2d_cudnn(device, s, ConvPass::kForward); });
      check("cuDNN", kBiasAct, [&](const Args& s, const float* bias) {
        return conv2d_bias_act_cudnn(device, {s, bias, 0.2f});
      });
      check("cuDNN fused", kBiasAct, [&](const Args& s, const float* bias) {
        return conv2d_bias_act_cudnn_fused(device, {s, bias, 0.2f});
      });
      if (!c.upsampled)
        check("cuDNN", kDgrad, [&](const Args& s, const float*) { return conv2d_cudnn(device, s, ConvPass::kDgrad); });
      check("cuDNN", kWgrad, [&](const Args& s, const float*) { return conv2d_cudnn(device, s, ConvPass::kWgrad); });
    }
  if (!absent.empty()) GTEST_SKIP() << "a library is not installed, or has nothing for:" << absent;
}
#endif

struct MatmulCase {
  std::int64_t m, n, k;
};

Floats compute(Exec& exec, const MatmulCase& c, bool ta, bool tb, const Floats& a, const Floats& b) {
  const Tensor at = exec.from<float>(a, {c.m * c.k}), bt = exec.from<float>(b, {c.k * c.n}),
               out = exec.empty({c.m, c.n});
  run(kMatmul, exec,
      MatmulArgs<float>{c.m, c.n, c.k, ta, tb, -1.3f, at.data<float>(), bt.data<float>(), out.data<float>()});
  return exec.read<float>(out);
}

void compare(const MatmulCase& c) {
  Exec reference(Device{}, 1, Implementation::kReference);
  for (const Precision precision : kPrecisions) {
    Emulated device(precision);
    const Floats a = random(c.m * c.k, 1), b = random(c.k * c.n, 2);
    for (const bool ta : {false, true})
      for (const bool tb : {false, true}) {
        const Floats want = compute(reference, c, ta, tb, rounded(a, precision), rounded(b, precision));
        const Floats got = compute(device, c, ta, tb, a, b);
        EXPECT_LT(difference(got, want), tolerance(precision))
            << c.m << "x" << c.n << "x" << c.k << " ta " << ta << " tb " << tb << " precision "
            << static_cast<int>(precision);
        if (c.m < 1000) {
          EXPECT_TRUE(compute(device, c, ta, tb, a, b) == got);
        }
      }
  }
}

class CudaMatmul : public CudaConv {};

TEST_F(CudaMatmul, EqualsReference) {
  int i = 0;
  for (const MatmulCase& c : {MatmulCase{1, 1, 1}, MatmulCase{16, 1, 1}, MatmulCase{1, 33, 7}, MatmulCase{16, 64, 128},
                              MatmulCase{16, 1, 2048}, MatmulCase{64, 36, 16}, MatmulCase{65, 68, 20},
                              MatmulCase{3, 17, 600}, MatmulCase{132, 8, 1}, MatmulCase{20, 132, 516}}) {
    simt::options().order = simt::kAllOrders[i % 4];
    simt::options().late_copies = i++ % 3 != 0;
    compare(c);
  }
}

TEST_F(CudaMatmul, LargeTilesEqualReference) {
  compare(MatmulCase{1020, 964, 12});
  expect_large_tiles("matmul");
}

// A row's sum does not depend on the rows beside it.
TEST_F(CudaMatmul, SameBitsAmongAnyRows) {
  for (const Precision precision : kPrecisions) {
    Emulated device(precision);
    for (const MatmulCase& all : {MatmulCase{5, 40, 2048}, MatmulCase{1100, 900, 40}, MatmulCase{9, 5, 33}}) {
      const Floats a = random(all.m * all.k, 1), b = random(all.k * all.n, 2);
      const Floats together = compute(device, all, false, true, a, b);
      const Floats alone = compute(device, MatmulCase{1, all.n, all.k}, false, true, {a.end() - all.k, a.end()}, b);
      EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.end() - all.n));
    }
  }
}

// A split product of many rows is made piece by piece.
TEST_F(CudaMatmul, PiecesJoin) {
  Emulated device(Precision::kFp32);
  const MatmulCase all{16480, 32, 512}, some{3, 32, 512};
  const Floats a = random(all.m * all.k, 1), b = random(all.k * all.n, 2);
  const auto pieces = [] { return on_gpu() ? 0 : emulator_statistics().kernels["gemm_sum"].launches; };
  const std::int64_t before = pieces();
  const Floats together = compute(device, all, false, false, a, b);
  EXPECT_EQ(pieces(), on_gpu() ? 0 : before + 2);
  for (const std::int64_t first : {std::int64_t{0}, all.m / 2, all.m - some.m}) {
    const Floats alone =
        compute(device, some, false, false, {a.begin() + first * all.k, a.begin() + (first + some.m) * all.k}, b);
    EXPECT_TRUE(std::equal(alone.begin(), alone.end(), together.begin() + first * all.n)) << first;
  }
}

}  // namespace
}  // namespace pgad::test
