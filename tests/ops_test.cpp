// Every op of autograd/ops.h: derivatives of first and second order in double, and the fast float version of its
// kernels against the reference, with guard lines around each buffer.

#include <gtest/gtest.h>

#include <cctype>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "autograd/op.h"
#include "kernels/l1/l1.h"
#include "tests/gradcheck.h"

namespace pgad::test {
namespace {

struct OpCase {
  const char* name;
  Function op;
  std::vector<Shape> small;               // for finite differences
  std::vector<std::vector<Shape>> large;  // for parity: odd sizes, tails, one row, more than one thread's share
  bool twice = true;                      // false: a function of a sign only, nothing to differentiate
};

void PrintTo(const OpCase& c, std::ostream* out) { *out << c.name; }

Var one(Exec& exec, DType dtype, double value) {
  const double as_double[] = {value};
  const float as_float[] = {static_cast<float>(value)};
  return Var(exec, dtype == DType::kF64 ? exec.from<double>(as_double, {1}) : exec.from<float>(as_float, {1}));
}
Var one_like(const Var& x, double value) { return one(x.exec(), x.dtype(), value); }

// Positive, for roots and quotients.
Var positive(const Var& x) { return affine(square(x), 1, 0.5); }

std::vector<OpCase> cases() {
  const std::vector<Shape> one_small = {{2, 3}};
  const std::vector<std::vector<Shape>> one_large = {{{1, 1}}, {{7, 13}}, {{257, 129}}};
  const std::vector<Shape> two_small = {{2, 3}, {2, 3}};
  const std::vector<std::vector<Shape>> two_large = {{{1, 1}, {1, 1}}, {{7, 13}, {7, 13}}, {{257, 129}, {257, 129}}};
  const auto unary = [&](const char* name, Function f) { return OpCase{name, std::move(f), one_small, one_large}; };
  const auto binary = [&](const char* name, Function f) { return OpCase{name, std::move(f), two_small, two_large}; };
  return {
      unary("affine", [](auto v) { return affine(v[0], -1.5, 0.25); }),
      unary("scale", [](auto v) { return scale(v[0], 0.5); }),
      unary("abs", [](auto v) { return abs(v[0]); }),
      unary("square", [](auto v) { return square(v[0]); }),
      unary("sqrt", [](auto v) { return sqrt(positive(v[0])); }),
      unary("reciprocal", [](auto v) { return reciprocal(positive(v[0])); }),
      unary("sigmoid", [](auto v) { return sigmoid(v[0]); }),
      unary("softplus", [](auto v) { return softplus(v[0]); }),
      unary("sign", [](auto v) { return mul(sign(v[0]), v[0]); }),
      unary("reshape", [](auto v) { return reshape(square(v[0]), {v[0].shape().numel()}); }),
      unary("scale_by", [](auto v) { return scale_by(v[0], one_like(v[0], 0.3), 1, -2); }),
      binary("axpby", [](auto v) { return axpby(v[0], v[1], 0.5, -2); }),
      unary("mean", [](auto v) { return mean(v[0]); }),
      binary("add", [](auto v) { return add(v[0], v[1]); }),
      binary("sub", [](auto v) { return sub(v[0], v[1]); }),
      binary("mul", [](auto v) { return mul(v[0], v[1]); }),
      binary("fade", [](auto v) { return fade(v[0], v[1], one_like(v[0], 0.3)); }),
      binary("act_grad", [](auto v) { return act_grad(v[0], v[1], 0.2); }),
      {"sum_all", [](auto v) { return sum(v[0], 0.1); }, {{2, 3, 2}}, {{{3, 5, 7}}, {{64, 33, 65}}}},
      {"sum_rows",
       [](auto v) {
         return sum_to(v[0], {1, v[0].shape()[1]}, 0.5);
       },
       {{4, 3}},
       {{{1, 5}}, {{31, 7}}, {{1000, 130}}}},
      {"sum_columns",
       [](auto v) {
         return sum_to(v[0], {v[0].shape()[0], 1});
       },
       {{4, 3}},
       {{{5, 1}}, {{31, 7}}, {{20, 9001}}}},
      {"sum_middle",
       [](auto v) {
         return sum_to(v[0], {v[0].shape()[0], 1, v[0].shape()[2]});
       },
       {{2, 3, 2}},
       {{{3, 5, 7}}, {{9, 200, 70}}}},
      {"sum_alternate",
       [](auto v) {
         return sum_to(v[0], {1, v[0].shape()[1], 1});
       },
       {{2, 3, 2}},
       {{{3, 5, 7}}, {{9, 20, 70}}}},
      {"sum_per_sample",
       [](auto v) { return sum_per_sample(v[0]); },
       {{2, 2, 2, 2}},
       {{{3, 5, 7, 2}}, {{16, 32, 32, 3}}}},
      {"broadcast_rows",
       [](auto v) {
         return broadcast_to(v[0], {5, v[0].shape()[1]}, 0.5);
       },
       {{1, 3}},
       {{{1, 7}}, {{1, 3000}}}},
      {"broadcast_columns",
       [](auto v) {
         return broadcast_to(v[0], {v[0].shape()[0], 9});
       },
       {{3, 1}},
       {{{7, 1}}, {{3000, 1}}}},
      {"broadcast_middle",
       [](auto v) {
         return broadcast_to(v[0], {v[0].shape()[0], 5, v[0].shape()[2]});
       },
       {{2, 1, 3}},
       {{{3, 1, 7}}, {{90, 1, 100}}}},
      {"matmul",
       [](auto v) { return matmul(v[0], v[1], false, false, 0.7); },
       {{2, 3}, {3, 4}},
       {{{1, 1}, {1, 1}}, {{17, 33}, {33, 9}}, {{64, 512}, {512, 130}}}},
      {"matmul_ta",
       [](auto v) { return matmul(v[0], v[1], true, false, 0.7); },
       {{3, 2}, {3, 4}},
       {{{33, 17}, {33, 9}}}},
      {"matmul_tb",
       [](auto v) { return matmul(v[0], v[1], false, true, 0.7); },
       {{2, 3}, {4, 3}},
       {{{17, 33}, {9, 33}}}},
      {"matmul_ta_tb",
       [](auto v) { return matmul(v[0], v[1], true, true, 0.7); },
       {{3, 2}, {4, 3}},
       {{{33, 17}, {9, 33}}}},
      {"conv2d_3",
       [](auto v) { return conv2d(v[0], v[1], 0.4); },
       {{2, 3, 4, 2}, {3, 3, 3, 2}},
       {{{1, 4, 4, 1}, {1, 3, 3, 1}},
        {{3, 5, 7, 3}, {17, 3, 3, 3}},
        {{2, 8, 8, 33}, {32, 3, 3, 33}},
        {{4, 16, 16, 16}, {5, 3, 3, 16}},
        {{1, 9, 11, 17}, {33, 3, 3, 17}},
        {{3, 13, 8, 40}, {70, 3, 3, 40}},
        {{2, 16, 16, 128}, {128, 3, 3, 128}}}},
      {"conv2d_1",
       [](auto v) { return conv2d(v[0], v[1], 0.4); },
       {{2, 3, 2, 2}, {3, 1, 1, 2}},
       {{{3, 5, 7, 1}, {32, 1, 1, 1}}, {{2, 8, 8, 33}, {1, 1, 1, 33}}, {{2, 8, 8, 32}, {3, 1, 1, 32}}}},
      {"conv2d_bias_act",
       [](auto v) { return conv2d_bias_act(v[0], v[1], v[2], 0.4, 0.2); },
       {{2, 3, 4, 2}, {3, 3, 3, 2}, {3}},
       {{{1, 4, 4, 1}, {1, 3, 3, 1}, {1}},
        {{3, 5, 7, 3}, {17, 3, 3, 3}, {17}},
        {{2, 8, 8, 33}, {32, 3, 3, 33}, {32}},
        {{3, 5, 7, 1}, {32, 1, 1, 1}, {32}},
        {{1, 9, 11, 17}, {33, 3, 3, 17}, {33}},
        {{3, 13, 8, 40}, {70, 3, 3, 40}, {70}}}},
      {"conv2d_bias",
       [](auto v) { return conv2d_bias_act(v[0], v[1], v[2], 0.4, 1); },
       {{2, 3, 2, 2}, {3, 1, 1, 2}, {3}},
       {{{2, 8, 8, 33}, {1, 1, 1, 33}, {1}}, {{2, 8, 8, 32}, {3, 1, 1, 32}, {3}}}},
      {"conv2d_bias_act_pixelnorm",
       [](auto v) { return conv2d_bias_act_pixelnorm(v[0], v[1], v[2], 0.4, 0.2); },
       {{2, 3, 4, 2}, {3, 3, 3, 2}, {3}},
       {{{1, 4, 4, 1}, {5, 3, 3, 1}, {5}},
        {{3, 5, 7, 3}, {17, 3, 3, 3}, {17}},
        {{1, 9, 11, 17}, {33, 3, 3, 17}, {33}}}},
      {"upsample2x_conv2d_bias_act_pixelnorm",
       [](auto v) { return upsample2x_conv2d_bias_act_pixelnorm(v[0], v[1], v[2], 0.4, 0.2); },
       {{2, 2, 3, 2}, {3, 3, 3, 2}, {3}},
       {{{1, 2, 2, 1}, {5, 3, 3, 1}, {5}},
        {{3, 5, 7, 3}, {17, 3, 3, 3}, {17}},
        {{1, 5, 6, 17}, {33, 3, 3, 17}, {33}},
        {{2, 8, 4, 32}, {32, 3, 3, 32}, {32}}}},
      {"conv2d_dgrad",
       [](auto v) { return conv2d_dgrad(v[0], v[1], 0.4); },
       {{2, 3, 4, 3}, {3, 3, 3, 2}},
       {{{3, 5, 7, 17}, {17, 3, 3, 3}},
        {{2, 8, 8, 32}, {32, 3, 3, 33}},
        {{3, 5, 7, 32}, {32, 1, 1, 1}},
        {{2, 8, 8, 1}, {1, 1, 1, 33}},
        {{2, 8, 8, 5}, {5, 3, 3, 16}},
        {{1, 9, 11, 33}, {33, 3, 3, 17}},
        {{3, 13, 8, 70}, {70, 3, 3, 40}},
        {{2, 16, 16, 128}, {128, 3, 3, 128}}}},
      {"conv2d_wgrad",
       [](auto v) { return conv2d_wgrad(v[0], v[1], 3, 0.4); },
       {{2, 3, 4, 2}, {2, 3, 4, 3}},
       {{{3, 5, 7, 3}, {3, 5, 7, 17}},
        {{2, 8, 8, 33}, {2, 8, 8, 32}},
        {{2, 8, 8, 16}, {2, 8, 8, 5}},
        {{1, 9, 11, 17}, {1, 9, 11, 33}},
        {{3, 13, 8, 40}, {3, 13, 8, 70}},
        {{2, 16, 16, 128}, {2, 16, 16, 128}}}},
      {"conv2d_wgrad_1",
       [](auto v) { return conv2d_wgrad(v[0], v[1], 1, 0.4); },
       {{2, 3, 2, 2}, {2, 3, 2, 3}},
       {{{3, 5, 7, 1}, {3, 5, 7, 32}}, {{2, 8, 8, 32}, {2, 8, 8, 1}}}},
      {"upsample2x",
       [](auto v) { return upsample2x(v[0], 0.5); },
       {{1, 2, 3, 2}},
       {{{1, 1, 1, 1}}, {{3, 5, 7, 3}}, {{2, 16, 16, 33}}}},
      {"sum_pool2x",
       [](auto v) { return sum_pool2x(v[0], 0.25); },
       {{1, 2, 4, 2}},
       {{{1, 2, 2, 1}}, {{3, 6, 10, 3}}, {{2, 32, 32, 33}}}},
      {"bias_act",
       [](auto v) { return bias_act(v[0], v[1], 0.2); },
       {{1, 2, 2, 3}, {3}},
       {{{1, 1, 1, 1}, {1}}, {{3, 5, 7, 17}, {17}}, {{2, 32, 32, 33}, {33}}}},
      {"bias_linear", [](auto v) { return bias_act(v[0], v[1], 1); }, {{4, 3}, {3}}, {{{5, 3}, {3}}}},
      {"pixelnorm",
       [](auto v) { return pixelnorm(v[0]); },
       {{1, 2, 2, 4}},
       {{{1, 1, 1, 1}}, {{3, 5, 7, 17}}, {{2, 32, 32, 33}}}},
      {"minibatch_stddev",
       [](auto v) { return minibatch_stddev(v[0], 2); },
       {{6, 1, 2, 2}},
       {{{8, 4, 4, 3}}, {{8, 4, 4, 67}}, {{2, 4, 4, 5}}}},
      {"append_map",
       [](auto v) { return append_map(v[0], v[1]); },
       {{4, 1, 2, 2}, {2}},
       {{{4, 4, 4, 3}, {2}}, {{8, 4, 4, 33}, {1}}}},
      {"drop_map", [](auto v) { return drop_map(v[0]); }, {{2, 1, 2, 3}}, {{{2, 4, 4, 33}}}},
      {"sum_map", [](auto v) { return sum_map(v[0], 2); }, {{4, 1, 2, 3}}, {{{4, 4, 4, 33}}}},
  };
}

class Ops : public testing::TestWithParam<OpCase> {};

TEST_P(Ops, Derivatives) {
  Exec exec;
  exec.guard_memory();
  const OpCase& c = GetParam();
  check_derivatives(c.name, exec, c.op, c.small);
  EXPECT_EQ(exec.memory().overruns, 0u);
}

// Value and gradients in float against the reference's: same inputs, so differences are the rounding of sums.
void expect_equals_reference(const OpCase& c, Exec& exec) {
  exec.guard_memory();
  for (const auto& shapes : c.large) {
    const auto results = [&](Exec& e) {
      std::vector<Var> leaves;
      for (std::size_t i = 0; i < shapes.size(); ++i)
        leaves.emplace_back(e, random_tensor(e, shapes[i], i, DType::kF32), true);
      const Var y = c.op(leaves);
      const Var w(e, random_tensor(e, y.shape(), 100, DType::kF32));
      std::vector<Var> all = grad(sum(mul(w, y)), leaves);
      all.push_back(y);
      std::vector<std::vector<float>> values;
      for (const Var& v : all) values.push_back(e.read<float>(v.value()));
      return values;
    };
    Exec reference(Device{}, 1, Implementation::kReference);
    reference.guard_memory();
    const auto a = results(exec), b = results(reference);
    for (std::size_t i = 0; i < a.size(); ++i) {
      double largest = 1e-3, worst = 0;
      for (std::size_t j = 0; j < a[i].size(); ++j) {
        const double u = a[i][j], v = b[i][j];
        largest = std::max(largest, std::fabs(v));
        worst = std::max(worst, std::fabs(u - v));
      }
      EXPECT_LE(worst / largest, 2e-5) << c.name << " of " << shapes[0] << ", result " << i;
    }
    EXPECT_EQ(exec.memory().overruns, 0u) << c.name;
    EXPECT_EQ(reference.memory().overruns, 0u) << c.name;
  }
}

TEST_P(Ops, FastEqualsReference) {
  Exec exec(Device{}, 2);
  expect_equals_reference(GetParam(), exec);
}

// The CUDA kernels, executed on the CPU.
TEST_P(Ops, EmulatedEqualsReference) {
  if (!kEmulation) GTEST_SKIP() << kNoEmulation;
  Exec exec(Device{DeviceType::kCudaEmulated});
  expect_equals_reference(GetParam(), exec);
}

// Sums do not depend on the number of threads, and no result on the run. (Only convolution's weight gradients, sums
// over the batch, are split by threads: the same bits for the same number of them.)
TEST_P(Ops, SameBitsEachRun) {
  const OpCase& c = GetParam();
  const std::string name = c.name;
  const bool by_threads = name.find("conv2d") != std::string::npos;
  std::vector<std::vector<float>> runs;
  for (const int threads : by_threads ? std::vector{2, 2, 2} : std::vector{1, 2, 3, 2}) {
    Exec exec(Device{}, threads);
    std::vector<Var> leaves;
    const auto& shapes = c.large.back();
    for (std::size_t i = 0; i < shapes.size(); ++i)
      leaves.emplace_back(exec, random_tensor(exec, shapes[i], i, DType::kF32), true);
    const Var y = c.op(leaves);
    std::vector<float> bits;
    const auto append = [&](const Var& v) {
      bits.insert(bits.end(), v.value().data<float>(), v.value().data<float>() + v.value().numel());
    };
    append(y);
    for (const Var& g : grad(sum(y), leaves)) append(g);
    runs.push_back(bits);
  }
  for (std::size_t i = 1; i < runs.size(); ++i) EXPECT_EQ(runs[i], runs[0]) << "run " << i;
}

INSTANTIATE_TEST_SUITE_P(All, Ops, testing::ValuesIn(cases()), [](const auto& test) { return test.param.name; });

// An op that nobody wrote a case for would be tested by nothing else.
TEST(OpsTable, KnowsEveryOpOfTheHeader) {
  std::ifstream header(PGAD_SOURCE_DIR "/autograd/ops.h"), source(PGAD_SOURCE_DIR "/tests/ops_test.cpp");
  std::string table((std::istreambuf_iterator<char>(source)), {});
  table = table.substr(table.find("std::vector<OpCase> cases()"));
  table.resize(table.find("INSTANTIATE_TEST_SUITE_P"));
  const auto called = [&](const std::string& name) {
    for (std::size_t at = 0; (at = table.find(name + "(", at)) != std::string::npos; ++at)
      if (const char before = table[at - 1]; std::isalnum(before) == 0 && before != '_') return true;
    return false;
  };
  int seen = 0;
  for (std::string line; std::getline(header, line);) {
    if (!line.starts_with("Var ")) continue;
    const std::string name = line.substr(4, line.find('(') - 4);
    if (name == "constant" || name == "constant_like") continue;  // no inputs
    ++seen;
    EXPECT_TRUE(called(name)) << "no case calls " << name;
  }
  EXPECT_GT(seen, 35);
}

TEST(Grad, GuardLinesSeeAnOverrun) {
  Exec exec;
  exec.guard_memory();
  {
    const Tensor t = exec.empty({3});
    t.data<float>()[3] = 1.f;  // one past the end, inside the block's padding
  }
  EXPECT_EQ(exec.memory().overruns, 1u);
}

TEST(Grad, ZeroWhereIndependent) {
  Exec exec;
  const Var x(exec, random_tensor(exec, {3}, 0), true), y(exec, random_tensor(exec, {2}, 1), true);
  const Var xs[] = {y};
  const Var g = grad(sum(square(x)), xs)[0];
  EXPECT_EQ(g.shape(), Shape({2}));
  EXPECT_EQ(g.value().data<double>()[0], 0.0);
}

// Several values with gradients of their own: those of the sum of their products.
TEST(Grad, SeedsOfSeveralValues) {
  Exec exec;
  const Var x(exec, random_tensor(exec, {2, 3}, 0), true);
  const Var y = square(x), z = mul(y, x);  // z is made from y, and both have a seed
  const Var values[] = {y, z, y};
  const Var seeds[] = {Var(exec, random_tensor(exec, {2, 3}, 1)), Var(exec, random_tensor(exec, {2, 3}, 2)),
                       Var(exec, random_tensor(exec, {2, 3}, 3))};
  const Var xs[] = {x};
  const Var several = grad(values, seeds, xs)[0];
  const Var whole = add(mul(add(seeds[0], seeds[2]), y), mul(seeds[1], z));
  const Var expected = grad(sum(whole), xs)[0];
  for (int i = 0; i < 6; ++i)
    EXPECT_NEAR(several.value().data<double>()[i], expected.value().data<double>()[i], 1e-12) << i;
  EXPECT_THROW(grad(std::span<const Var>(values, 1), std::span<const Var>(seeds, 2), xs), Error);
}

// What nobody needs is not computed, and what is needed has the same bits without it.
TEST(Grad, FormulasGiveWhatIsNeeded) {
  Exec exec;
  const Var a(exec, random_tensor(exec, {30}, 0), true), b(exec, random_tensor(exec, {30}, 1), true);
  const Var in[] = {a, b};
  const auto formula = [](std::span<const Var> v) { return mul(sigmoid(v[0]), square(v[1])); };
  const Var dout = constant_like(a, 1);
  const std::vector<Var> both = vjp_of(formula, in, dout);
  for (const std::vector<char>& needs : {std::vector<char>{1, 0}, {0, 1}}) {
    const std::vector<Var> one = vjp_of(formula, in, dout, needs);
    for (std::size_t i = 0; i < 2; ++i) {
      ASSERT_EQ(one[i].defined(), needs[i] != 0);
      if (needs[i] == 0) continue;
      EXPECT_EQ(exec.read<double>(one[i].value()), exec.read<double>(both[i].value()));
    }
  }
  // Also of higher order: the gradient in a depends on b.
  const char first[] = {1, 0};
  const HistoryScope on(true);
  const Var da = vjp_of(formula, in, dout, first)[0];
  const Var in_b = grad(sum(da), std::span<const Var>(&b, 1))[0];
  EXPECT_NE(exec.read<double>(in_b.value()), std::vector<double>(30, 0.0));
}

TEST(Grad, ReleasedGraphsGiveTheirMemoryBack) {
  std::vector<std::vector<double>> gradients;
  for (const bool release : {false, true}) {
    Exec exec;
    const Var x(exec, random_tensor(exec, {1000}, 0), true);
    Var y = x;
    for (int i = 0; i < 20; ++i) y = sigmoid(y);
    const Var seed = constant_like(y, 1), xs[] = {x};
    const auto before = exec.memory().live_bytes;
    const Var g = (release ? grad_and_release(std::span<const Var>(&y, 1), std::span<const Var>(&seed, 1), xs)
                           : grad(y, xs, false, seed))[0];
    gradients.push_back(exec.read<double>(g.value()));
    if (release) {
      EXPECT_LT(exec.memory().live_bytes, before);
      EXPECT_THROW(grad(sum(y), xs), Error);
      EXPECT_NO_THROW(grad(sum(square(x)), xs));
    }
  }
  EXPECT_EQ(gradients[0], gradients[1]);
}

// The search's losses with their gradients; on CUDA: cuda_kernels_test.
TEST(L1, FastEqualsReference) {
  for (const auto& [n, m] : {std::pair{1, 1}, {3, 17}, {5, 4096}, {2, 4097}, {64, 3000}}) {
    std::vector<std::vector<float>> losses, gradients;
    for (const auto implementation : {Implementation::kReference, Implementation::kFastest})
      for (const int threads : {1, 2, 3}) {
        Exec exec(Device{}, threads, implementation);
        exec.guard_memory();
        const Tensor x = random_tensor(exec, {n, m}, 1, DType::kF32), y = random_tensor(exec, {n, m}, 2, DType::kF32);
        for (std::int64_t i = 0; i < x.numel(); i += 3) y.data<float>()[i] = x.data<float>()[i];
        {
          const Tensor loss = exec.empty({n}), dx = exec.empty({n, m});
          run(kL1, exec,
              L1Args<float>{n, m, x.data<float>(), y.data<float>(), loss.data<float>(), dx.data<float>(), 0.3f, -2.f});
          losses.push_back(exec.read<float>(loss));
          gradients.push_back(exec.read<float>(dx));
        }
        EXPECT_EQ(exec.memory().overruns, 0u);
      }
    for (std::size_t i = 1; i < losses.size(); ++i) {
      EXPECT_EQ(gradients[i], gradients[0]);
      for (std::size_t j = 0; j < losses[0].size(); ++j)
        EXPECT_NEAR(losses[i][j], losses[0][j], 1e-6 * losses[0][j]) << n << " x " << m;
    }
    EXPECT_EQ(losses[3], losses[4]);  // the same bits for any number of threads
    EXPECT_EQ(losses[3], losses[5]);
    EXPECT_EQ(gradients[0][0], 0.f);
  }
}

TEST(Grad, HigherOrders) {  // d^4/dx^4 of x^4 = 24, with reuse of x
  Exec exec;
  Var x(exec, exec.from<double>(std::vector<double>{1.5}, {1}), true);
  const Var xs[] = {x};
  Var y = mul(mul(x, x), mul(x, x));
  for (int order = 0; order < 4; ++order) y = grad(y, xs, true)[0];
  EXPECT_NEAR(y.item(), 24.0, 1e-12);
}

TEST(Grad, GradientInAnInnerValue) {  // targets may depend on each other
  Exec exec;
  const Var x(exec, exec.from<double>(std::vector<double>{3.0}, {1}), true);
  const Var y = square(x);
  const Var both[] = {x, y};
  const auto g = grad(mul(x, y), both);
  EXPECT_NEAR(g[0].item(), 27.0, 1e-12);  // total derivative of x^3
  EXPECT_NEAR(g[1].item(), 3.0, 1e-12);
}

// A graph may be built by several threads, one after the other: here the leaf by one that made many nodes before.
TEST(Grad, OfLeavesMadeOnAnotherThread) {
  Exec exec;
  Var x;
  std::thread([&] {
    for (int i = 0; i < 1000; ++i) x = Var(exec, exec.from<double>(std::vector<double>{2.0}, {1}), true);
  }).join();
  std::thread([&] {
    const Var xs[] = {x};
    const Var first = grad(mul(square(x), x), xs, true)[0];
    EXPECT_NEAR(first.item(), 12.0, 1e-12);
    EXPECT_NEAR(grad(first, xs)[0].item(), 12.0, 1e-12);
  }).join();
}

TEST(Grad, ErrorsNameWhatIsWrong) {
  Exec exec;
  const Var x(exec, exec.zeros({2})), y(exec, exec.zeros({3}));
  EXPECT_THROW(add(x, y), Error);
  const Var xs[] = {x};
  EXPECT_THROW(grad(sum(x), xs), Error);
  EXPECT_THROW(conv2d(reshape(x, {1, 1, 1, 2}), reshape(y, {1, 1, 1, 3})), Error);
}

}  // namespace
}  // namespace pgad::test
