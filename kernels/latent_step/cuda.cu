// The search's step on CUDA: one launch, a block per image. All of it is a few kilobytes of an image, except for
// companions of an image's size, which are copied only when the image got better.

#include "kernels/cuda_common.h"
#include "kernels/latent_step/impl.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

using Companion = LatentStepArgs<float>::Companion;

struct Latents {
  std::int64_t n, d;
  float* z;
  const float* g;
  float *m, *v;
  const float* loss;
  float *best_loss, *best_z;
  const float* rate;
  float beta1, beta2, epsilon;
  Companion companions[4];
};

// By all threads of the block.
__device__ void copy_row(float* to, const float* from, std::int64_t size) {
  const std::int64_t vectors = aligned(to, from) ? size / 4 : 0;
  for (std::int64_t i = threadIdx.x; i < vectors; i += kBlock) store<4>(to + 4 * i, load<4>(from + 4 * i));
  for (std::int64_t i = 4 * vectors + threadIdx.x; i < size; i += kBlock) to[i] = from[i];
}

// A thread owns the elements threadIdx.x + i kBlock of z, m, v.
__global__ void __launch_bounds__(kBlock) latent_step_kernel(const __grid_constant__ Latents s) {
  for (std::int64_t n = blockIdx.x; n < s.n; n += gridDim.x) {
    const float* rate = s.rate + 4 * n;
    if (rate[3] == 0) continue;
    float *z = s.z + n * s.d, *m = s.m + n * s.d, *v = s.v + n * s.d;
    const float* g = s.g + n * s.d;
    const float loss = s.loss[n];
    const bool better = loss < s.best_loss[n];
    if (better) {
      copy_row(s.best_z + n * s.d, z, s.d);
#pragma unroll
      for (int k = 0; k < 4; ++k) {
        const std::int64_t size = s.companions[k].size;
        if (size > 0) copy_row(s.companions[k].best + n * size, s.companions[k].now + n * size, size);
      }
    }
    double norm = 0;
    for (std::int64_t i = threadIdx.x; i < s.d; i += kBlock) norm += static_cast<double>(g[i]) * g[i];
    norm = block_sum(norm);  // after it z has been copied and best_loss read by all
    if (better && threadIdx.x == 0) s.best_loss[n] = loss;
    if (!is_finite(norm)) continue;
    const float lr = rate[0], c1 = rate[1], c2 = rate[2];
    double square = 0;
    for (std::int64_t i = threadIdx.x; i < s.d; i += kBlock) {
      m[i] = s.beta1 * m[i] + (1.0f - s.beta1) * g[i];
      v[i] = s.beta2 * v[i] + (1.0f - s.beta2) * g[i] * g[i];
      z[i] -= lr * (m[i] * c1) / (sqrtf(v[i] * c2) + s.epsilon);
      square += static_cast<double>(z[i]) * z[i];
    }
    const float scale = static_cast<float>(sqrt(static_cast<double>(s.d) / block_sum(square)));
    for (std::int64_t i = threadIdx.x; i < s.d; i += kBlock) z[i] *= scale;
  }
}

}  // namespace

void latent_step_cuda(Exec& exec, const LatentStepArgs<float>& s) {
  Latents latents = {s.n,         s.d,      s.z,    s.g,     s.m,     s.v,       s.loss,
                     s.best_loss, s.best_z, s.rate, s.beta1, s.beta2, s.epsilon, {}};
  static_assert(std::size(decltype(s.companions){}) == std::size(decltype(latents.companions){}));
  std::copy(s.companions.begin(), s.companions.end(), latents.companions);
  simt::launch("latent_step", latent_step_kernel, blocks_for(exec, s.n), kBlock, stream_of(exec), latents);
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
