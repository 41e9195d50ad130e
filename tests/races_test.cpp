// Every CUDA kernel once, at small shapes that still take several blocks and barriers: for ThreadSanitizer, which sees
// races between threads and between blocks in whatever order they run (and takes a millisecond for each thread). The
// results are checked by cuda_kernels_test and cuda_conv_test.

#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "kernels/adam/adam.h"
#include "kernels/conv2d_operand/conv2d_operand.h"
#include "kernels/l1/l1.h"
#include "kernels/latent_step/latent_step.h"
#include "kernels/random/random.h"
#include "simt/emulator.h"

namespace pgad::test {
namespace {

struct Races : testing::Test {
  Exec exec{Device{DeviceType::kCudaEmulated}, 1};
  Tensor tensor(const Shape& shape) {
    std::vector<float> values(static_cast<std::size_t>(shape.numel()));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 13) / 13 - 0.4f;
    return exec.from<float>(values, shape);
  }
  Var leaf(const Shape& shape) { return Var(exec, tensor(shape), true); }
  // The value and all gradients of the sum.
  void differentiate(const Var& y, std::initializer_list<Var> xs) {
    const std::vector<Var> leaves(xs);
    (void)grad(sum(y), leaves);
  }
};

TEST_F(Races, Elementwise) {
  const Var x = leaf({2, 3, 2, 5}), y = leaf({2, 3, 2, 5}), t = Var(exec, tensor({1}));
  differentiate(mul(abs(x), sigmoid(affine(y, 2, 1))), {x, y});
  differentiate(fade(x, y, t), {x, y});
  differentiate(scale_by(x, t, 1, -1), {x});
  differentiate(bias_act(x, leaf({5}), 0.2), {x});
  const Tensor loss = tensor({2}), dx = tensor({2, 3, 2, 5});
  run(kL1, exec,
      L1Args<float>{2, 30, x.value().data<float>(), y.value().data<float>(), loss.data<float>(), dx.data<float>(), 1,
                    1});
}

TEST_F(Races, FeatureMaps) {
  const Var x = leaf({4, 4, 4, 8});
  differentiate(pixelnorm(x), {x});
  differentiate(upsample2x(x), {x});
  differentiate(sum_pool2x(x, 0.25), {x});
  differentiate(minibatch_stddev(x, 2), {x});
  differentiate(append_map(x, leaf({2})), {x});
  differentiate(drop_map(x), {x});
  const Tensor operand = tensor({4, 8, 8, 8});
  for (const bool doubled : {true, false})
    run(kConv2dOperand, exec,
        Conv2dOperandArgs<float>{4, doubled ? 8 : 4, doubled ? 8 : 4, 8, doubled, true, x.value().data<float>(),
                                 operand.data<float>()});
}

TEST_F(Races, Reductions) {
  const Var x = leaf({2, 3, 2, 17});
  differentiate(sum_to(x, {1, 1, 1, 17}), {x});
  differentiate(sum_to(x, {2, 1, 1, 1}), {x});
  differentiate(sum_to(x, {1, 3, 2, 1}), {x});
  const Var long_rows = leaf({1, 5000});
  differentiate(sum_to(long_rows, {1, 1}), {long_rows});
  differentiate(sum(long_rows), {long_rows});
}

TEST_F(Races, ConvolutionsAndProducts) {
  for (const Precision precision : {Precision::kFp32, Precision::kTf32, Precision::kBf16}) {
    Exec e(Device{DeviceType::kCudaEmulated}, 1, Implementation::kFastest, precision);
    const auto make = [&](const Shape& shape) {
      return Var(e, e.from<float>(std::vector<float>(static_cast<std::size_t>(shape.numel()), 0.5f), shape), true);
    };
    for (const std::int64_t channels : {16, 3}) {
      const Var x = make({1, 4, 3, channels}), w = make({4, 3, 3, channels}), b = make({4});
      differentiate(conv2d_bias_act(x, w, b, 0.1, 0.2), {x, w});
    }
    const Var a = make({3, 600}), m = make({5, 600});
    (void)matmul(a, m, false, true, 0.1);
  }
}

TEST_F(Races, OptimizerAndSearch) {
  constexpr std::int64_t n = 1500, images = 3, d = 40;
  const Tensor w = tensor({n}), g = tensor({n}), m = tensor({n}), v = exec.zeros({n}), rate = tensor({3}),
               gate = exec.zeros({1}), partial = exec.zeros({8});
  run(kSquaredNorm, exec, SquaredNormArgs<float>{n, g.data<float>(), gate.data<float>(), partial.data<float>()});
  run(kAdam, exec,
      AdamArgs<float>{n, w.data<float>(), g.data<float>(), m.data<float>(), v.data<float>(), rate.data<float>(),
                      gate.data<float>(), 0.f, 0.99f, 1e-8f});
  run(kEma, exec, EmaArgs<float>{n, m.data<float>(), w.data<float>(), gate.data<float>()});
  const Tensor z = tensor({images, d}), zg = tensor({images, d}), zm = tensor({images, d}),
               zv = exec.zeros({images, d}), loss = tensor({images}), best = tensor({images}),
               best_z = tensor({images, d}), rates = tensor({images, 4});
  run(kLatentStep, exec,
      LatentStepArgs<float>{images, d, z.data<float>(), zg.data<float>(), zm.data<float>(), zv.data<float>(),
                            loss.data<float>(), best.data<float>(), best_z.data<float>(), rates.data<float>(), 0.9f,
                            0.999f, 1e-8f});
  for (const bool uniform : {true, false})
    run(kDrawLatents, exec, DrawLatentsArgs<float>{1, 2, n, uniform, w.data<float>()});
}

}  // namespace
}  // namespace pgad::test
