// Google Benchmark of single kernels: GFLOP/s for convolutions, GB/s (bytes read and written once) for the rest, with
// a copy of the same size as the bound of the memory-bound ones.
//   build/release/bench/kernels_bench --benchmark_filter=pixelnorm

#include <benchmark/benchmark.h>

#include <cstring>

#include "kernels/bias_act/bias_act.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/pixelnorm/pixelnorm.h"
#include "kernels/resample2x/resample2x.h"

namespace pgad {
namespace {

Tensor filled(Exec& exec, const Shape& shape) {
  const Tensor t = exec.zeros(shape);
  for (std::int64_t i = 0; i < t.numel(); ++i) t.data<float>()[i] = static_cast<float>(i % 17) / 17 - 0.4f;
  return t;
}

void bytes_per_second(benchmark::State& state, std::int64_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * bytes);
}

// Arguments: batch, side, channels.
void copy(benchmark::State& state) {
  Exec exec;
  const Shape shape = {state.range(0), state.range(1), state.range(1), state.range(2)};
  const Tensor x = filled(exec, shape), y = exec.empty(shape);
  for (auto _ : state) {
    std::memcpy(y.data<float>(), x.data<float>(), x.bytes());
    benchmark::ClobberMemory();
  }
  bytes_per_second(state, static_cast<std::int64_t>(2 * x.bytes()));
}

void pixelnorm(benchmark::State& state) {
  Exec exec;
  const Shape shape = {state.range(0), state.range(1), state.range(1), state.range(2)};
  const Tensor x = filled(exec, shape), y = exec.empty(shape);
  for (auto _ : state)
    run(kPixelnorm, exec, PixelnormArgs<float>{x.numel() / shape.back(), shape.back(), x.data<float>(), y.data<float>()});
  bytes_per_second(state, static_cast<std::int64_t>(2 * x.bytes()));
}

void bias_act(benchmark::State& state) {
  Exec exec;
  const Shape shape = {state.range(0), state.range(1), state.range(1), state.range(2)};
  const Tensor x = filled(exec, shape), b = filled(exec, {shape.back()}), y = exec.empty(shape);
  for (auto _ : state)
    run(kBiasAct, exec,
        BiasActArgs<float>{x.numel() / shape.back(), shape.back(), x.data<float>(), b.data<float>(), y.data<float>(), 0.2f});
  bytes_per_second(state, static_cast<std::int64_t>(2 * x.bytes()));
}

void upsample2x(benchmark::State& state) {
  Exec exec;
  const std::int64_t n = state.range(0), side = state.range(1), c = state.range(2);
  const Tensor x = filled(exec, {n, side, side, c}), y = exec.empty({n, 2 * side, 2 * side, c});
  for (auto _ : state)
    run(kUpsample2x, exec, Resample2xArgs<float>{n, side, side, c, x.data<float>(), y.data<float>(), 1.f});
  bytes_per_second(state, static_cast<std::int64_t>(5 * x.bytes()));
}

void convolution(benchmark::State& state, const Kernel<Conv2dArgs>& kernel, bool weights_are_output) {
  Exec exec;
  const std::int64_t n = state.range(0), side = state.range(1), c = state.range(2);
  const Tensor x = filled(exec, {n, side, side, c}), y = filled(exec, {n, side, side, c}), w = filled(exec, {c, 3, 3, c});
  for (auto _ : state)
    run(kernel, exec,
        Conv2dArgs<float>{n, side, side, c, c, 3, 0.1f, x.data<float>(), weights_are_output ? y.data<float>() : w.data<float>(),
                          weights_are_output ? w.data<float>() : y.data<float>()});
  const double flops = 2.0 * 9 * static_cast<double>(n * side * side * c * c);
  state.counters["GFLOP/s"] =
      benchmark::Counter(flops / 1e9, benchmark::Counter::kIsIterationInvariantRate);
}
void conv2d(benchmark::State& state) { convolution(state, kConv2d, false); }
void conv2d_dgrad(benchmark::State& state) { convolution(state, kConv2dDgrad, false); }
void conv2d_wgrad(benchmark::State& state) { convolution(state, kConv2dWgrad, true); }

void sizes(benchmark::internal::Benchmark* b) {
  b->Args({16, 8, 32})->Args({16, 32, 32})->Args({16, 64, 128})->UseRealTime();
}
BENCHMARK(copy)->Apply(sizes);
BENCHMARK(pixelnorm)->Apply(sizes);
BENCHMARK(bias_act)->Apply(sizes);
BENCHMARK(upsample2x)->Apply(sizes);
BENCHMARK(conv2d)->Apply(sizes);
BENCHMARK(conv2d_dgrad)->Apply(sizes);
BENCHMARK(conv2d_wgrad)->Apply(sizes);

}  // namespace
}  // namespace pgad

BENCHMARK_MAIN();
