#include "training/training_time.h"

#include <algorithm>
#include <cmath>

#include "training/schedule.h"

namespace pgad {
namespace {

// Of a kind's mean: what lies further back counts less and less.
constexpr double kRememberedTrainingSteps = 500;
constexpr double kExpectationWeight = 10;  // steps that an expectation counts for
constexpr double kLongStep = 2;            // times its kind's mean
// What a kernel call costs beside its arithmetic, in floating-point operations: some 30 us at 70 GFLOP/s, measured from
// 4x4 to 32x32 on two cores. In large networks it is nothing.
constexpr double kFlopsPerCall = 2e6;

}  // namespace

TrainingTime::TrainingTime(std::vector<Kind> kinds) {
  for (const Kind& kind : kinds) kinds_.push_back({kind});
}

// A long step (the first of a kind, which is recorded; one with a checkpoint) must not upset the mean of a kind that
// has few: what lies beyond is spread over all steps, whose number and not whose size it goes with.
void TrainingTime::step(std::size_t kind, double seconds) {
  Measured& k = kinds_.at(kind);
  const std::optional<double> before = expected(kind);
  if (k.done++ == 0) {
    k.seconds = before.value_or(seconds);
    k.weight = before ? kExpectationWeight : 0;
    if (before) seconds = std::max(seconds, *before);
  } else {
    const double usual = k.weight > 0 ? std::min(seconds, kLongStep * k.seconds) : seconds;
    k.weight = std::min(k.weight + 1, kRememberedTrainingSteps);
    k.seconds += (usual - k.seconds) / k.weight;
  }
  const double usual = std::min(seconds, k.done == 1 ? k.seconds : kLongStep * k.seconds);
  ++steps_;
  beyond_ += seconds - usual;
  k.kind.steps = std::max<std::int64_t>(0, k.kind.steps - 1);
}

// As measured; else from the measured kind before it, which is the nearest in size, or the one behind.
std::optional<double> TrainingTime::expected(std::size_t kind) const {
  const auto measured = [](const Measured& k) { return k.done > 0; };
  const auto at = kinds_.begin() + static_cast<std::ptrdiff_t>(kind);
  if (measured(*at)) return at->seconds;
  const auto before = std::find_if(std::make_reverse_iterator(at), kinds_.rend(), measured);
  const auto behind = std::find_if(at, kinds_.end(), measured);
  if (before == kinds_.rend() && behind == kinds_.end()) return std::nullopt;
  const Measured& known = before != kinds_.rend() ? *before : *behind;
  return known.seconds * at->kind.cost / known.kind.cost;
}

std::optional<double> TrainingTime::seconds_left() const {
  if (steps_ == 0) return std::nullopt;
  double seconds = 0;
  for (std::size_t i = 0; i < kinds_.size(); ++i)
    if (kinds_[i].kind.steps > 0)
      seconds += static_cast<double>(kinds_[i].kind.steps) * (*expected(i) + beyond_ / static_cast<double>(steps_));
  return seconds;
}

TrainingKinds training_kinds(const Config& config, const std::vector<StepEstimate>& estimates, std::int64_t images) {
  TrainingKinds result;
  const auto total = static_cast<std::int64_t>(std::llround(config.schedule.total_kimg * 1000));
  for (std::int64_t at = images; at < total;) {
    const Phase phase = phase_at(config.schedule, config.network.log2_resolution(), at);
    if (result.levels.empty() || result.levels.back() != phase.level) {
      const auto estimate = std::ranges::find(estimates, 1 << phase.level, &StepEstimate::side);
      PGAD_CHECK(estimate != estimates.end(), "no estimate for ", 1 << phase.level);
      result.levels.push_back(phase.level);
      result.kinds.push_back({0, estimate->flops + kFlopsPerCall * estimate->calls});
    }
    ++result.kinds.back().steps;
    at += phase.batch;
  }
  return result;
}

}  // namespace pgad
