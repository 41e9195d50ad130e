#include "apps/profile.h"

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "kernels/elementwise/elementwise.h"
#include "kernels/kernel.h"
#include "kernels/matmul/matmul.h"

namespace pgad {
namespace {

constexpr double kSeconds = 0.2;  // of each measurement

// Seconds per call, the fastest of many.
template <class Call>
double fastest(const Call& call) {
  using Clock = std::chrono::steady_clock;
  call();
  double best = 1e30;
  const auto begin = Clock::now();
  while (std::chrono::duration<double>(Clock::now() - begin).count() < kSeconds) {
    const auto t = Clock::now();
    call();
    best = std::min(best, std::chrono::duration<double>(Clock::now() - t).count());
  }
  return best;
}

// Beyond the caches of a CPU, or a GPU; small in emulation, where rates mean nothing.
std::int64_t by_device(const Exec& exec, std::int64_t cpu, std::int64_t gpu, std::int64_t emulated) {
  const DeviceType type = exec.device().type;
  return type == DeviceType::kCpu ? cpu : type == DeviceType::kCuda ? gpu : emulated;
}

double copy_gigabytes_per_second(Exec& exec) {
  const std::int64_t n = by_device(exec, 16 << 20, 128 << 20, 1 << 12);
  const Tensor a = exec.zeros({n}), b = exec.zeros({n});
  const double seconds = fastest([&] {
    run(kUnary, exec, UnaryArgs<float>{Unary::kAffine, n, a.data<float>(), b.data<float>(), 1.f, 0.f});
    exec.synchronize();
  });
  return 2.0 * static_cast<double>(n) * sizeof(float) / seconds / 1e9;
}

// By cuBLAS where there is one: our own product is one of those that are to be measured.
double matmul_gigaflops(Exec& exec, std::string* whose) {
  const std::int64_t n = by_device(exec, 768, 8192, 64);
  const Tensor a = exec.zeros({n, n}), b = exec.zeros({n, n}), c = exec.zeros({n, n});
  const MatmulArgs<float> args{n, n, n, false, false, 1.f, a.data<float>(), b.data<float>(), c.data<float>()};
  const bool by_vendor = matmul_by_vendor(exec, args);
  *whose = by_vendor ? " (cuBLAS)" : exec.runtime() ? " (our own product)" : "";
  const double seconds = fastest([&] {
    if (!by_vendor || !matmul_by_vendor(exec, args)) run(kMatmul, exec, args);
    exec.synchronize();
  });
  return 2.0 * static_cast<double>(n * n * n) / seconds / 1e9;
}

}  // namespace

std::string profile_table(StepGraph& step, Exec& exec, int rounds) {
  const auto lines = step.profile(rounds);
  std::string whose;
  const double copy = copy_gigabytes_per_second(exec), multiply = matmul_gigaflops(exec, &whose);
  double all = 0;
  int calls = 0;
  for (const auto& line : lines) {
    all += line.milliseconds;
    calls += line.calls;
  }
  char text[512];
  std::snprintf(
      text, sizeof text,
      "%d calls, %.3f ms a step, %d threads. Machine: copying %.1f GB/s, multiplying matrices%s %.0f GFLOP/s.\n"
      "Bound: the time at these rates over the time taken (convolutions may exceed 1: Winograd's algorithm\n"
      "needs fewer operations than are counted; so may what stays in the caches).\n\n"
      "%-22s %-28s %6s %10s %6s %8s %7s %6s\n",
      calls, all, exec.threads(), copy, whose.c_str(), multiply, "kernel", "shape", "calls", "ms", "share", "GFLOP/s",
      "GB/s", "bound");
  std::string table = text;
  for (const auto& line : lines) {
    const double seconds = line.milliseconds / 1e3;
    const double bound = std::max(line.cost.bytes / (copy * 1e9), line.cost.flops / (multiply * 1e9)) / seconds;
    std::snprintf(text, sizeof text, "%-22s %-28s %6d %10.3f %5.1f%% %8.1f %7.1f %6.2f\n", line.kernel.c_str(),
                  line.label.c_str(), line.calls, line.milliseconds, 100 * line.milliseconds / all,
                  line.cost.flops / seconds / 1e9, line.cost.bytes / seconds / 1e9, bound);
    table += text;
  }
  return table;
}

}  // namespace pgad
