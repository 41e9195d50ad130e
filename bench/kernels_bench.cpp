// Google Benchmark of every kernel, at feature maps of a small net (16x32x32x32) and of one beyond the core's caches
// (16x128x128x64). Counters: GFLOP/s and GB/s by the least work the result takes (Cost), `machine`: what the machine
// does at best (copying as many bytes, or multiplying matrices), `share`: the time at that rate over the time taken.
// Convolutions stand beside the direct algorithm of the library (conv2d_direct ...), whose operations are counted:
// Winograd's may exceed them.
//   build/release/bench/kernels_bench --benchmark_filter=pixelnorm

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <map>

#include "kernels/adam/adam.h"
#include "kernels/bias_act/bias_act.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/impl.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/extra_map/extra_map.h"
#include "kernels/fade/fade.h"
#include "kernels/l1/l1.h"
#include "kernels/latent_step/latent_step.h"
#include "kernels/matmul/matmul.h"
#include "kernels/minibatch_stddev/minibatch_stddev.h"
#include "kernels/pixelnorm/pixelnorm.h"
#include "kernels/reduction/reduction.h"
#include "kernels/resample2x/resample2x.h"

namespace pgad {
namespace {

Exec& exec() {
  static Exec e;
  return e;
}

float* filled(std::int64_t n) {  // kept for the whole program: addresses stay valid in Args
  static std::vector<Tensor> kept;
  kept.push_back(exec().empty({n}));
  for (std::int64_t i = 0; i < n; ++i) kept.back().data<float>()[i] = static_cast<float>(i % 17) / 17 + 0.1f;
  return kept.back().data<float>();
}

template <class Call>
double median_seconds(const Call& call) {
  std::array<double, 9> times;
  for (double& time : times) {
    const auto t = std::chrono::steady_clock::now();
    call();
    time = std::chrono::duration<double>(std::chrono::steady_clock::now() - t).count();
  }
  std::nth_element(times.begin(), times.begin() + 4, times.end());
  return times[4];
}

// The machine's rates are measured beside each kernel: they change from minute to minute on a shared machine.
// GB/s of copying, read and written bytes both counted, with all threads, for about so many bytes in all.
double copy_rate(double bytes) {
  static std::map<std::int64_t, std::pair<float*, float*>> buffers;
  std::int64_t n = 1 << 12;
  while (8.0 * static_cast<double>(n) < bytes) n *= 2;
  auto [at, made] = buffers.try_emplace(n);
  if (made) at->second = {filled(n), filled(n)};
  const auto [x, y] = at->second;
  const int threads = exec().threads();
  return 8.0 * static_cast<double>(n) / median_seconds([&, x = x, y = y] {
#pragma omp parallel for num_threads(threads)
           for (int t = 0; t < threads; ++t)
             std::memcpy(y + n * t / threads, x + n * t / threads,
                         static_cast<std::size_t>(n / threads) * sizeof(float));
         }) /
         1e9;
}

double multiply_rate() {  // GFLOP/s
  constexpr std::int64_t n = 768;
  static const MatmulArgs<float> args{n, n, n, false, false, 1.f, filled(n * n), filled(n * n), filled(n * n)};
  return 2.0 * n * n * n / median_seconds([&] { run(kMatmul, exec(), args); }) / 1e9;
}

// span: bytes from the first to the last one touched, where that is more than cost.bytes.
void report(benchmark::State& state, const Cost& cost, double span = 0) {
  const double copying = copy_rate(std::max(cost.bytes, span));
  const double multiplying = multiply_rate();
  const bool by_flops = cost.flops / multiplying > cost.bytes / copying;
  using benchmark::Counter;
  state.counters["GFLOP/s"] = Counter(cost.flops / 1e9, Counter::kIsIterationInvariantRate);
  state.counters["GB/s"] = Counter(cost.bytes / 1e9, Counter::kIsIterationInvariantRate);
  const double machine = by_flops ? multiplying : copying;
  state.counters["machine"] = machine;
  state.counters["share"] =
      Counter((by_flops ? cost.flops : cost.bytes) / 1e9 / machine, Counter::kIsIterationInvariantRate);
}

template <template <class> class Args>
void measure(const std::string& name, const Kernel<Args>& kernel, const Args<float>& args, double span = 0) {
  benchmark::RegisterBenchmark(name.c_str(), [&kernel, args, span](benchmark::State& state) {
    for (auto _ : state) run(kernel, exec(), args);
    report(state, args.cost(), span);
  })->UseRealTime();
}

#ifdef PGAD_HAVE_ONEDNN
void measure_direct(const std::string& name, void (*function)(Exec&, const Conv2dArgs<float>&),
                    Conv2dArgs<float> args) {
  args.prepared = nullptr;
  benchmark::RegisterBenchmark(name.c_str(), [function, args](benchmark::State& state) {
    for (auto _ : state) function(exec(), args);
    report(state, args.cost());
  })->UseRealTime();
}
#endif

void measure_maps(std::int64_t n, std::int64_t side, std::int64_t c) {
  const std::string at = str("/", n, "x", side, "x", side, "x", c);
  const std::int64_t rows = n * side * side, all = rows * c;
  float *x = filled(all), *y = filled(all), *z = filled(all), *b = filled(std::max(c, n)), *r = filled(rows);
  float* large = filled(std::max(4 * all, rows * (c + 1)));
  measure("unary_affine" + at, kUnary, UnaryArgs<float>{Unary::kAffine, all, x, z, 2.f, 1.f});
  measure("unary_abs" + at, kUnary, UnaryArgs<float>{Unary::kAbs, all, x, z, 0.f, 0.f});
  measure("unary_square" + at, kUnary, UnaryArgs<float>{Unary::kSquare, all, x, z, 0.f, 0.f});
  measure("binary_axpby" + at, kBinary, BinaryArgs<float>{Binary::kAxpby, all, x, y, z, 2.f, 3.f});
  measure("binary_mul" + at, kBinary, BinaryArgs<float>{Binary::kMul, all, x, y, z, 0.f, 0.f});
  measure("scale_by" + at, kScaleBy, ScaleByArgs<float>{all, x, b, z, 1.f, -1.f});
  measure("fill" + at, kFill, FillArgs<float>{all, z, 1.f});
  measure("fade" + at, kFade, FadeArgs<float>{all, x, y, b, z});
  measure("bias_act" + at, kBiasAct, BiasActArgs<float>{rows, c, x, b, z, 0.2f});
  measure("act_grad" + at, kActGrad, ActGradArgs<float>{all, x, y, z, 0.2f});
  measure("pixelnorm" + at, kPixelnorm, PixelnormArgs<float>{rows, c, x, z});
  measure("pixelnorm_vjp" + at, kPixelnormVjp, PixelnormVjpArgs<float>{rows, c, x, y, z});
  measure("pixelnorm_act_vjp" + at, kPixelnormActVjp, PixelnormActVjpArgs<float>{rows, c, x, r, y, z, 0.2f});
  measure("upsample2x" + at, kUpsample2x, Resample2xArgs<float>{n, side, side, c, x, large, 1.f});
  measure("sum_pool2x" + at, kSumPool2x, Resample2xArgs<float>{n, side, side, c, large, z, 0.25f});
  measure("sum_channels" + at, kSum, ReductionArgs<float>{{1, 1, rows, c}, {false, false, true, false}, x, b, 1.f});
  measure("sum_samples" + at, kSum,
          ReductionArgs<float>{{1, 1, n, side * side * c}, {false, false, false, true}, x, b, 1.f});
  measure("broadcast" + at, kBroadcast, ReductionArgs<float>{{1, 1, rows, c}, {false, false, false, true}, r, z, 1.f});
  measure("append_map" + at, kAppendMap, AppendMapArgs<float>{n, side * side, c, 1, x, b, large});
  measure("drop_map" + at, kDropMap, DropMapArgs<float>{rows, c, large, z});
  measure("sum_map" + at, kSumMap, SumMapArgs<float>{n, side * side, c, 1, large, b},
          4.0 * static_cast<double>(rows * (c + 1)));
  measure("minibatch_stddev" + at, kMinibatchStddev, MinibatchStddevArgs<float>{4, n / 4, side * side * c, x, b});
  measure("minibatch_stddev_vjp" + at, kMinibatchStddevVjp,
          MinibatchStddevVjpArgs<float>{4, n / 4, side * side * c, x, b, z});
  measure("squared_norm" + at, kSquaredNorm, SquaredNormArgs<float>{1, {{{all, x}}}, nullptr, b, large});
  measure("l1" + at, kL1, L1Args<float>{n, side * side * c, x, y, b, 1.f});
  measure("l1_vjp" + at, kL1Vjp, L1VjpArgs<float>{n, side * side * c, x, y, b, z, 1.f});
  measure("adam" + at, kAdam, AdamArgs<float>{1, {{{all, x, y, z, large}}}, filled(3), b, 0.f, 0.99f, 1e-8f});
  measure("ema" + at, kEma, EmaArgs<float>{1, {{{all, x, y}}}, b});
}

void measure_convolutions(std::int64_t n, std::int64_t side, std::int64_t c) {
  const std::string at = str("/", n, "x", side, "x", side, "x", c);
  const std::int64_t all = n * side * side * c;
  float *x = filled(all), *y = filled(all), *w = filled(9 * c * c), *bias = filled(c);
  Conv2dArgs<float> forward{n, side, side, c, c, 3, 0.01f, x, w, y};
  Conv2dArgs<float> wgrad{n, side, side, c, c, 3, 0.01f, x, y, filled(9 * c * c)};
  Conv2dArgs<float> dgrad = forward;
  for (const bool adjoint : {false, true}) {
    const std::int64_t floats = conv2d_prepared_floats(exec(), forward, adjoint);
    if (floats == 0) continue;
    const Conv2dPrepareArgs<float> prepare{forward, adjoint, filled(floats)};
    run(kConv2dPrepare, exec(), prepare);
    (adjoint ? dgrad : forward).prepared = prepare.prepared;
    measure(std::string(adjoint ? "conv2d_prepare_adjoint" : "conv2d_prepare") + at, kConv2dPrepare, prepare);
  }
  measure("conv2d" + at, kConv2d, forward);
  measure("conv2d_bias_act" + at, kConv2dBiasAct, Conv2dBiasActArgs<float>{forward, bias, 0.2f});
  measure("conv2d_dgrad" + at, kConv2dDgrad, dgrad);
  measure("conv2d_wgrad" + at, kConv2dWgrad, wgrad);
#ifdef PGAD_HAVE_ONEDNN
  measure_direct("conv2d_direct" + at, conv2d_onednn, forward);
  measure_direct("conv2d_dgrad_direct" + at, conv2d_dgrad_onednn, dgrad);
  measure_direct("conv2d_wgrad_direct" + at, conv2d_wgrad_onednn, wgrad);
#endif
}

void measure_the_rest() {
  for (const std::int64_t k : {32, 512})
    measure(
        str("matmul/16x", k, "x", 16 * k), kMatmul,
        MatmulArgs<float>{16, 16 * k, k, false, true, 0.1f, filled(16 * k), filled(16 * k * k), filled(16 * 16 * k)});
  constexpr std::int64_t n = 16, d = 512;
  float* loss = filled(n);
  measure("latent_step/16x512", kLatentStep,
          LatentStepArgs<float>{n, d, filled(n * d), filled(n * d), filled(n * d), filled(n * d), loss, filled(n),
                                filled(n * d), filled(3 * n), 0.9f, 0.999f, 1e-8f});
}

}  // namespace
}  // namespace pgad

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  pgad::measure_maps(16, 32, 32);
  pgad::measure_maps(16, 128, 64);
  for (const auto& [side, channels] : {std::pair{8, 32}, {32, 32}, {8, 128}, {32, 128}, {64, 128}})
    pgad::measure_convolutions(16, side, channels);
  pgad::measure_the_rest();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
