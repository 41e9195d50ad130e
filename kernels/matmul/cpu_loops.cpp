// For builds without oneDNN.

#include "kernels/matmul/impl.h"
#include "kernels/parallel.h"
#include "kernels/workspace.h"

namespace pgad {
namespace {

PGAD_SIMD void add_scaled(float* c, const float* b, std::int64_t n, float v) {
#pragma omp simd
  for (std::int64_t j = 0; j < n; ++j) c[j] += v * b[j];
}

}  // namespace

void matmul_loops(Exec& exec, const MatmulArgs<float>& s) {
  const float* b = s.b;
  if (s.tb) {
    float* transposed = exec.library<Workspace>().get(s.k * s.n);
    for (std::int64_t j = 0; j < s.n; ++j)
      for (std::int64_t l = 0; l < s.k; ++l) transposed[l * s.n + j] = s.b[j * s.k + l];
    b = transposed;
  }
  parallel_for(exec, s.m, std::max<std::int64_t>(1, kGrain / (s.n * s.k)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      float* c = s.c + i * s.n;
      for (std::int64_t j = 0; j < s.n; ++j) c[j] = 0.f;
      for (std::int64_t l = 0; l < s.k; ++l)
        add_scaled(c, b + l * s.n, s.n, s.alpha * (s.ta ? s.a[l * s.m + i] : s.a[i * s.k + l]));
    }
  });
}

}  // namespace pgad
