// Convolutions by Winograd's algorithm, for each instruction set that this machine has, against the
// reference.

#include "kernels/conv2d/winograd.h"

#include <gtest/gtest.h>

#include <cmath>
#include <iostream>

#include "engine/rng.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/impl.h"

namespace pgad::test {
namespace {

class Winograd : public testing::TestWithParam<Isa> {};

Tensor random(Exec& exec, const Shape& shape, std::uint64_t stream) {
  const Tensor t = exec.empty(shape);
  Rng rng(5, stream);
  for (float& v : t.span<float>()) v = static_cast<float>(rng.normal());
  return t;
}

// The largest difference, in units of the largest value.
double difference(const Tensor& a, const Tensor& b) {
  double most = 0, largest = 0;
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    most = std::max(most, std::fabs(static_cast<double>(a.data<float>()[i]) - b.data<float>()[i]));
    largest = std::max(largest, std::fabs(static_cast<double>(b.data<float>()[i])));
  }
  return most / largest;
}

TEST_P(Winograd, EqualsReference) {
  if (GetParam() > machine_isa()) GTEST_SKIP() << "this machine has no " << isa_name(GetParam());
  struct Case {
    std::int64_t n, h, w, ci, co;
  };
  for (const Case& c : {Case{1, 8, 8, 16, 16}, Case{1, 9, 11, 17, 33}, Case{3, 13, 8, 40, 70}, Case{5, 16, 16, 24, 96},
                        Case{2, 17, 33, 129, 20}, Case{2, 32, 32, 64, 64}}) {
    Exec exec({}, 2, Implementation::kFastest, Precision::kFp32, GetParam()),
        reference({}, 2, Implementation::kReference);
    exec.guard_memory();
    const Tensor x = random(exec, {c.n, c.h, c.w, c.ci}, 1), w = random(exec, {c.co, 3, 3, c.ci}, 2);
    const Tensor y = random(exec, {c.n, c.h, c.w, c.co}, 3), bias = random(exec, {c.co}, 4);
    // kernel(exec, args) with a, b -> out, by the reference and by Winograd.
    const auto compare = [&](const char* what, const Tensor& a, const Tensor& b, const Shape& shape, int kind) {
      const Tensor want = exec.empty(shape), got = exec.empty(shape);
      Conv2dArgs<float> args{c.n, c.h, c.w, c.ci, c.co, 3, 0.7f, a.data<float>(), b.data<float>(), want.data<float>()};
      const auto compute = [&](Exec& e) {
        switch (kind) {
          case 0:
            return run(kConv2d, e, args);
          case 1:
            return run(kConv2dBiasAct, e, Conv2dBiasActArgs<float>{args, bias.data<float>(), 0.2f});
          case 2:
            return run(kConv2dDgrad, e, args);
          default:
            return run(kConv2dWgrad, e, args);
        }
      };
      compute(reference);
      args.out = got.data<float>();
      Tensor prepared;
      if (kind < 3) {
        const std::int64_t floats = conv2d_prepared_floats(exec, args, kind == 2);
        ASSERT_GT(floats, 0);
        prepared = exec.empty({floats});
        run(kConv2dPrepare, exec, Conv2dPrepareArgs<float>{args, kind == 2, prepared.data<float>()});
        args.prepared = prepared.data<float>();
      }
      compute(exec);
      EXPECT_LT(difference(got, want), 5e-6) << isa_name(GetParam()) << " " << what << " " << args.label();
    };
    compare("conv2d", x, w, {c.n, c.h, c.w, c.co}, 0);
    compare("conv2d_bias_act", x, w, {c.n, c.h, c.w, c.co}, 1);
    compare("dgrad", y, w, {c.n, c.h, c.w, c.ci}, 2);
    compare("wgrad", x, y, {c.co, 3, 3, c.ci}, 3);
    EXPECT_EQ(exec.memory().overruns, 0u);
  }
}

// A tile's result does not depend on the tiles beside it, or scores would depend on the batch.
TEST_P(Winograd, SameBitsInAnyBatch) {
  if (GetParam() > machine_isa()) GTEST_SKIP() << "this machine has no " << isa_name(GetParam());
  Exec exec({}, 2, Implementation::kFastest, Precision::kFp32, GetParam());
  constexpr std::int64_t n = 5, side = 12, c = 24;
  const Tensor x = random(exec, {n, side, side, c}, 1), w = random(exec, {c, 3, 3, c}, 2);
  const Tensor all = exec.empty(x.shape()), one = exec.empty({1, side, side, c});
  const auto conv = [&](std::int64_t count, const float* from, const Tensor& to) {
    Conv2dArgs<float> args{count, side, side, c, c, 3, 1.f, from, w.data<float>(), to.data<float>()};
    const Tensor prepared = exec.empty({conv2d_prepared_floats(exec, args, false)});
    run(kConv2dPrepare, exec, Conv2dPrepareArgs<float>{args, false, prepared.data<float>()});
    args.prepared = prepared.data<float>();
    run(kConv2d, exec, args);
  };
  conv(n, x.data<float>(), all);
  for (std::int64_t i = 0; i < n; ++i) {
    conv(1, x.data<float>() + i * one.numel(), one);
    EXPECT_TRUE(std::equal(one.data<float>(), one.data<float>() + one.numel(), all.data<float>() + i * one.numel()))
        << i;
  }
}

// Root mean square errors against double, at 128 channels. docs/performance.md quotes what this test prints.
TEST_P(Winograd, ErrorIsAboutTwiceTheDirectAlgorithms) {
  if (GetParam() > machine_isa()) GTEST_SKIP() << "this machine has no " << isa_name(GetParam());
  Exec exec({}, 2, Implementation::kFastest, Precision::kFp32, GetParam());
  constexpr std::int64_t side = 16, c = 128;
  const Tensor x = random(exec, {1, side, side, c}, 1), w = random(exec, {c, 3, 3, c}, 2);
  const auto widened = [&](const Tensor& t) {
    const Tensor wide = exec.empty(t.shape(), DType::kF64);
    std::copy_n(t.data<float>(), t.numel(), wide.data<double>());
    return wide;
  };
  const Tensor x64 = widened(x), w64 = widened(w), exact = exec.empty(x.shape(), DType::kF64);
  run(kConv2d, exec,
      Conv2dArgs<double>{1, side, side, c, c, 3, 1.0, x64.data<double>(), w64.data<double>(), exact.data<double>()});
  const Tensor y = exec.empty(x.shape());
  Conv2dArgs<float> args{1, side, side, c, c, 3, 1.f, x.data<float>(), w.data<float>(), y.data<float>()};
  const auto error = [&] {
    double square = 0, size = 0;
    for (std::int64_t i = 0; i < y.numel(); ++i) {
      square += std::pow(y.data<float>()[i] - exact.data<double>()[i], 2);
      size += std::pow(exact.data<double>()[i], 2);
    }
    return std::sqrt(square / size);
  };
  const Tensor weights = exec.empty({direct_weight_floats(args, false)});
  direct_weights(exec, args, false, weights.data<float>());
  args.prepared = weights.data<float>();
  conv2d_direct(exec, args, nullptr, 1.f);
  const double direct = error();
  const Tensor prepared = exec.empty({conv2d_prepared_floats(exec, args, false)});
  run(kConv2dPrepare, exec, Conv2dPrepareArgs<float>{args, false, prepared.data<float>()});
  args.prepared = prepared.data<float>();
  run(kConv2d, exec, args);
  const double ours = error();
  std::cout << isa_name(GetParam()) << ": relative error " << ours << ", direct " << direct << "\n";
  EXPECT_LT(ours, 3 * direct);
}

INSTANTIATE_TEST_SUITE_P(Isas, Winograd, testing::Values(Isa::kBaseline, Isa::kAvx2, Isa::kAvx512),
                         [](const auto& v) { return std::string(isa_name(v.param)); });

}  // namespace
}  // namespace pgad::test
