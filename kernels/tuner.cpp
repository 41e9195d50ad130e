#include "kernels/tuner.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace pgad {
namespace {

constexpr int kRounds = 5, kCallsPerRound = 10;

// How far versions may differ, as a share of the result's largest magnitude: other orders of summation, and in reduced
// precision the rounding of operands.
double tolerance_of(Precision precision) {
  return precision == Precision::kFp32 ? 1e-4 : precision == Precision::kTf32 ? 4e-3 : 3e-2;
}

bool agree(const std::vector<float>& a, const std::vector<float>& b, double tolerance) {
  double largest = 0, worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::fabs(static_cast<double>(a[i])));
    const double difference = std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
    worst = std::isfinite(difference) ? std::max(worst, difference) : INFINITY;
  }
  return worst <= tolerance * largest;
}

}  // namespace

Tuner::Choice Tuner::measure(Exec& exec, const std::vector<Call>& calls, const float* out, std::int64_t n) {
  using Clock = std::chrono::steady_clock;
  Choice choice;
  std::vector<float> first(static_cast<std::size_t>(n)), other(first.size());
  double best = 0;
  for (const auto& [name, call] : calls) {
    if (!call()) continue;
    auto& result = choice.microseconds.empty() ? first : other;
    exec.runtime()->copy_out(result.data(), out, result.size() * sizeof(float));
    if (&result == &other && !agree(first, other, tolerance_of(exec.precision()))) continue;
    std::vector<double> rounds;
    for (int round = 0; round < kRounds; ++round) {
      const auto begin = Clock::now();
      for (int i = 0; i < kCallsPerRound; ++i) call();
      exec.synchronize();
      rounds.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count() / kCallsPerRound);
    }
    std::nth_element(rounds.begin(), rounds.begin() + kRounds / 2, rounds.end());
    const double time = rounds[kRounds / 2];
    if (choice.microseconds.empty() || time < best) {
      best = time;
      choice.version = name;
    }
    choice.microseconds.emplace_back(name, time);
  }
  return choice;
}

}  // namespace pgad
