// Fade-in on CUDA: memory-bound; see map() in cuda_common.h.

#include "kernels/cuda_common.h"
#include "kernels/fade/impl.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

struct Mix {
  float t;
  __device__ float operator()(float a, float b) const { return (1.0f - t) * a + t * b; }
};
struct Fade {
  const float* t;
  __device__ Mix load() const { return {t[0]}; }
};

}  // namespace

void fade_cuda(Exec& exec, const FadeArgs<float>& p) { map(exec, "fade", Fade{p.t}, p.n, p.out, p.a, p.b); }

}  // namespace pgad::PGAD_CUDA_NAMESPACE
