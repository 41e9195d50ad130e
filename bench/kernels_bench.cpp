// Google Benchmark of every kernel, at feature maps of a small net (16x32x32x32) and of ones beyond the caches
// (16x128x128x64, on a GPU 16x256x256x64 too); convolutions on a GPU at those of the preset pggan. Counters: GFLOP/s
// and GB/s by the least work the result takes (Cost), `machine`: what the machine does at best (copying as many bytes,
// or multiplying matrices, on a GPU by cuBLAS where it is installed), `share`: the time at that rate over the time
// taken. Convolutions and products stand beside the library's: on the CPU by its direct algorithm (conv2d_direct ...),
// whose operations are counted: Winograd's may exceed them; on a GPU cuDNN's and cuBLAS's (conv2d_cudnn ...), with what
// it takes to bring operands into the form that they want. On a GPU the time is that of many launches between two waits
// for the device; what is read may still lie in its cache from the launch before.
//   build/release/bench/kernels_bench --benchmark_filter=pixelnorm [--device cuda [--precision tf32]]

#include <benchmark/benchmark.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>

#include "engine/team.h"
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

std::unique_ptr<Exec> the_exec;
Exec& exec() { return *the_exec; }
bool on_cpu() { return exec().device().type == DeviceType::kCpu; }
bool on_gpu() { return exec().device().type == DeviceType::kCuda; }

float* filled(std::int64_t n) {  // kept for the whole program: addresses stay valid in Args
  static std::vector<Tensor> kept;
  static const std::vector<float> pattern = [] {
    std::vector<float> values(17 << 16);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 17) / 17 + 0.1f;
    return values;
  }();
  const Tensor& t = kept.emplace_back(exec().empty({n}));
  const auto size = static_cast<std::int64_t>(pattern.size());
  for (std::int64_t i = 0; i < n; i += size)
    exec().upload<float>(std::span(pattern).first(static_cast<std::size_t>(std::min(size, n - i))), t, i);
  return kept.back().data<float>();
}

// Seconds of one of `calls` calls in a row, the wait for the device included.
template <class Call>
double seconds_each(std::int64_t calls, const Call& call) {
  exec().synchronize();
  const auto t = std::chrono::steady_clock::now();
  for (std::int64_t i = 0; i < calls; ++i) call();
  exec().synchronize();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - t).count() / static_cast<double>(calls);
}

// So many calls that the wait after them does not count: on the CPU, and in emulation, there is none.
template <class Call>
std::int64_t calls_between_waits(const Call& call) {
  if (!on_gpu()) return 1;
  call();  // the first one may load or tune
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(5e-3 / seconds_each(1, call)), 1, 500);
}

template <class Call>
double median_seconds(const Call& call) {
  const std::int64_t calls = calls_between_waits(call);
  std::array<double, 9> times;
  for (double& time : times) time = seconds_each(calls, call);
  std::nth_element(times.begin(), times.begin() + 4, times.end());
  return times[4];
}

// The machine's rates. On the CPU they are measured beside each kernel, for they change from minute to minute on a
// shared machine; a GPU is nobody else's, and each is measured once. GB/s of copying, read and written bytes both
// counted, for about so many bytes in all: on the CPU with all threads, on a GPU by the affine kernel.
double copy_rate(double bytes) {
  static std::map<std::int64_t, std::pair<float*, float*>> buffers;
  static std::map<std::int64_t, double> known;
  std::int64_t n = 1 << 12;
  while (8.0 * static_cast<double>(n) < bytes) n *= 2;
  if (on_gpu() && known.contains(n)) return known[n];
  auto [at, made] = buffers.try_emplace(n);
  if (made) at->second = {filled(n), filled(n)};
  const auto [x, y] = at->second;
  if (!on_cpu()) {
    const UnaryArgs<float> copy{Unary::kAffine, n, x, y, 1.f, 0.f};
    return known[n] = 8.0 * static_cast<double>(n) / median_seconds([&] { run(kUnary, exec(), copy); }) / 1e9;
  }
  const int threads = exec().threads();
  return 8.0 * static_cast<double>(n) / median_seconds([&, x = x, y = y] {
           run_parts(threads, [&](int t) {
             std::memcpy(y + n * t / threads, x + n * t / threads,
                         static_cast<std::size_t>(n / threads) * sizeof(float));
           });
         }) /
         1e9;
}

const MatmulArgs<float>& largest_product() {
  static const std::int64_t n = on_cpu() ? 768 : on_gpu() ? 8192 : 64;
  static const MatmulArgs<float> args{n, n, n, false, false, 1.f, filled(n * n), filled(n * n), filled(n * n)};
  return args;
}
bool by_cublas() {
  static const bool there = matmul_by_vendor(exec(), largest_product());
  return there;
}
double multiply_rate() {  // GFLOP/s
  static double known = 0;
  if (on_gpu() && known > 0) return known;
  const MatmulArgs<float>& args = largest_product();
  const double seconds = by_cublas() ? median_seconds([&] { matmul_by_vendor(exec(), args); })
                                     : median_seconds([&] { run(kMatmul, exec(), args); });
  return known = args.cost().flops / seconds / 1e9;
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

// A kernel that the device lacks, or that fails, is reported as an error; the others go on.
template <class Call>
void measure_calls(const std::string& name, const Call& call, const Cost& cost, double span) {
  auto* benchmark = benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    try {
      if (on_cpu()) {
        for (auto _ : state) call();
      } else {
        const std::int64_t calls = calls_between_waits(call);
        while (state.KeepRunningBatch(calls))
          state.SetIterationTime(static_cast<double>(calls) * seconds_each(calls, call));
      }
      report(state, cost, span);
    } catch (const std::exception& e) {
      state.SkipWithError(e.what());
    }
  });
  on_cpu() ? benchmark->UseRealTime() : benchmark->UseManualTime();
}

template <template <class> class Args>
void measure(const std::string& name, const Kernel<Args>& kernel, const Args<float>& args, double span = 0) {
  measure_calls(
      name, [&kernel, args] { run(kernel, exec(), args); }, args.cost(), span);
}

// library: false where there is none, or it has nothing for this.
template <class Args, class Library>
void measure_library(const std::string& name, const Args& args, const Library& library) {
  measure_calls(
      name,
      [args, library] {
        if (!library(exec(), args)) throw Error("no version: the library is not installed, or has nothing for this");
      },
      args.cost(), 0);
}
#ifdef PGAD_HAVE_CUDA
template <ConvPass kPass>
bool cudnn(Exec& e, const Conv2dArgs<float>& args) {
  return conv2d_cudnn(e, args, kPass);
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
  measure("squared_norm" + at, kSquaredNorm, SquaredNormArgs<float>{all, x, b, large});
  measure("l1" + at, kL1, L1Args<float>{n, side * side * c, x, y, b, z, 1.f, 1.f});
  measure("adam" + at, kAdam, AdamArgs<float>{all, x, y, z, large, filled(3), b, 0.f, 0.99f, 1e-8f});
  measure("ema" + at, kEma, EmaArgs<float>{all, x, y, b});
}

// doubled: x has half the side.
void measure_convolutions(std::int64_t n, std::int64_t side, std::int64_t ci, std::int64_t co, bool doubled) {
  const std::string at =
      str("/", n, "x", side, "x", side, "x", ci, ci == co ? "" : str("to", co), doubled ? "_doubled" : "");
  const std::int64_t pixels = n * side * side;
  float *x = filled(pixels * ci / (doubled ? 4 : 1)), *y = filled(pixels * co), *w = filled(9 * ci * co);
  float* bias = filled(co);
  Conv2dArgs<float> forward{n, side, side, ci, co, 3, 0.01f, x, w, y, doubled};
  Conv2dArgs<float> wgrad{n, side, side, ci, co, 3, 0.01f, x, y, filled(9 * ci * co), doubled};
  Conv2dArgs<float> dgrad{n, side, side, ci, co, 3, 0.01f, y, w, doubled ? filled(pixels * ci) : x};
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
#ifdef PGAD_HAVE_CUDA
  if (on_gpu()) {
    const Conv2dBiasActArgs<float> with_bias{forward, bias, 0.2f};
    measure_library("conv2d_cudnn" + at, forward, cudnn<ConvPass::kForward>);
    measure_library("conv2d_bias_act_cudnn" + at, with_bias, conv2d_bias_act_cudnn);
    measure_library("conv2d_bias_act_cudnn_fused" + at, with_bias, conv2d_bias_act_cudnn_fused);
    measure_library("conv2d_dgrad_cudnn" + at, dgrad, cudnn<ConvPass::kDgrad>);
    measure_library("conv2d_wgrad_cudnn" + at, wgrad, cudnn<ConvPass::kWgrad>);
  }
#endif
}

void measure_product(const std::string& at, const MatmulArgs<float>& args) {
  measure("matmul" + at, kMatmul, args);
  if (on_gpu()) measure_library("matmul_cublas" + at, args, matmul_by_vendor);
}

void measure_the_rest() {
  for (const std::int64_t k : {32, 512})
    measure_product(str("/16x", k, "x", 16 * k),
                    {16, 16 * k, k, false, true, 0.1f, filled(16 * k), filled(16 * k * k), filled(16 * 16 * k)});
  if (on_gpu()) measure_product("/8192x8192x8192", largest_product());
  constexpr std::int64_t n = 16, d = 512;
  float* loss = filled(n);
  measure("latent_step/16x512", kLatentStep,
          LatentStepArgs<float>{n, d, filled(n * d), filled(n * d), filled(n * d), filled(n * d), loss, filled(n),
                                filled(n * d), filled(4 * n), 0.9f, 0.999f, 1e-8f});
}

}  // namespace
}  // namespace pgad

int main(int argc, char** argv) {
  std::string device = "cpu", precision = "fp32";
  CLI::App app("Times every kernel. Other options: Google Benchmark's (--benchmark_filter=REGEX, ...).");
  app.add_option("--device", device, "cpu, cuda, cuda:N or cuda-emulated");
  app.add_option("--precision", precision, "of convolutions and matrix products on a GPU: fp32, tf32 or bf16");
  app.allow_extras();
  CLI11_PARSE(app, argc, argv);
  std::vector<std::string> rest = app.remaining();
  std::vector<char*> rest_argv = {argv[0]};
  for (std::string& word : rest) rest_argv.push_back(word.data());
  int rest_argc = static_cast<int>(rest_argv.size());
  benchmark::Initialize(&rest_argc, rest_argv.data());
  if (benchmark::ReportUnrecognizedArguments(rest_argc, rest_argv.data())) return 2;

  using namespace pgad;
  try {
    the_exec = std::make_unique<Exec>(parse_device(device), 0, Implementation::kFastest, parse_precision(precision));
    benchmark::AddCustomContext("device", exec().description());
    benchmark::AddCustomContext("precision", precision);
    if (!on_cpu())
      benchmark::AddCustomContext("share of products", by_cublas() ? "of cuBLAS's rate" : "of our own product's rate");
    using Shapes = std::vector<std::pair<std::int64_t, std::int64_t>>;  // side, channels
    struct Block {
      std::int64_t n, side, ci, co;
    };
    switch (exec().device().type) {
      case DeviceType::kCpu:
        for (const auto& [side, c] : Shapes{{32, 32}, {128, 64}}) measure_maps(16, side, c);
        for (const auto& [side, c] : Shapes{{8, 32}, {32, 32}, {8, 128}, {32, 128}, {64, 128}})
          measure_convolutions(16, side, c, c, false);
        break;
      case DeviceType::kCuda:
        for (const auto& [side, c] : Shapes{{32, 32}, {128, 64}, {256, 64}}) measure_maps(16, side, c);
        // The preset pggan's largest blocks, at the batches that step_bench is given for their sizes: a block's first
        // convolution in the generator, and the others. Then the preset tiny's.
        for (const auto& [n, side, ci, co] :
             {Block{64, 32, 512, 512}, Block{32, 64, 256, 256}, Block{16, 128, 128, 128}, Block{8, 256, 64, 64},
              Block{4, 512, 32, 32}, Block{4, 1024, 16, 16}, Block{32, 64, 512, 256}, Block{8, 256, 128, 64},
              Block{4, 1024, 32, 16}})
          measure_convolutions(n, side, ci, co, ci != co);
        for (const auto& [n, side, ci, co] : {Block{64, 8, 512, 512}, Block{16, 32, 32, 32}, Block{16, 64, 128, 128}})
          measure_convolutions(n, side, ci, co, false);
        break;
      case DeviceType::kCudaEmulated:  // whether it runs at all; its times mean nothing
        measure_maps(4, 4, 8);
        measure_convolutions(4, 8, 8, 8, false);
        measure_convolutions(2, 8, 8, 4, true);
        break;
    }
    measure_the_rest();
    benchmark::RunSpecifiedBenchmarks();
  } catch (const std::exception& e) {
    std::cerr << "kernels_bench: " << e.what() << "\n";
    return 1;
  }
  return 0;
}
