#include <cmath>

#include "kernels/l1/impl.h"
#include "kernels/parallel.h"

namespace pgad {
namespace {

constexpr std::int64_t kDistancePiece =
    4096;  // elements added up in a fixed order; a constant, so threads don't change sums

inline double distance(const float* x, const float* y, float* dx, std::int64_t n, float beta) {
  return lane_sum<double>(n, [&](std::int64_t i) {
    dx[i] = beta * ((x[i] > y[i] ? 1.f : 0.f) - (x[i] < y[i] ? 1.f : 0.f));
    return static_cast<double>(std::fabs(x[i] - y[i]));
  });
}

}  // namespace

void l1_cpu(Exec& exec, const L1Args<float>& p) {
  vector_for(exec, p.n, std::max<std::int64_t>(1, kGrain / p.m), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      double sum = 0;
      for (std::int64_t j = 0; j < p.m; j += kDistancePiece) {
        const std::int64_t at = n * p.m + j;
        sum += distance(p.x + at, p.y + at, p.dx + at, std::min(kDistancePiece, p.m - j), p.beta);
      }
      p.loss[n] = static_cast<float>(static_cast<double>(p.alpha) * sum);
    }
  });
}

}  // namespace pgad
