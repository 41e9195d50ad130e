#include "kernels/fade/impl.h"
#include "kernels/parallel.h"

namespace pgad {
namespace {

inline void fade(std::int64_t n, const float* a, const float* b, float* out, float t) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) out[i] = (1.f - t) * a[i] + t * b[i];
}

}  // namespace

void fade_cpu(Exec& exec, const FadeArgs<float>& p) {
  vector_for(exec, p.n, kGrain, [&](std::int64_t begin, std::int64_t end) {
    fade(end - begin, p.a + begin, p.b + begin, p.out + begin, p.t[0]);
  });
}

}  // namespace pgad
