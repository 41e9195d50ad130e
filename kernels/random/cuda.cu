// Random latents on CUDA: a thread makes one Philox block, that is four numbers. The words are those of engine/rng.h;
// the rest is in double as there, so that floats differ by a rounding at most.

#include "kernels/cuda_common.h"
#include "kernels/random/impl.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

__device__ uint4 philox(std::uint64_t key, std::uint64_t stream, std::uint64_t index) {
  unsigned k0 = static_cast<unsigned>(key), k1 = static_cast<unsigned>(key >> 32);
  uint4 c = make_uint4(static_cast<unsigned>(index), static_cast<unsigned>(index >> 32), static_cast<unsigned>(stream),
                       static_cast<unsigned>(stream >> 32));
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    c = make_uint4(__umulhi(0xCD9E8D57u, c.z) ^ c.y ^ k0, 0xCD9E8D57u * c.z, __umulhi(0xD2511F53u, c.x) ^ c.w ^ k1,
                   0xD2511F53u * c.x);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}

__device__ double unit_interval(unsigned word) { return (static_cast<double>(word >> 8) + 0.5) / 16777216.0; }

// Sine and cosine of 2 pi u. CUDA's for multiples of pi need no reduction of large arguments, hence no stack.
__device__ void sine_cosine(double u, double* sine, double* cosine) {
#ifdef __CUDACC__
  sincospi(2 * u, sine, cosine);
#else
  *sine = std::sin(6.283185307179586 * u);
  *cosine = std::cos(6.283185307179586 * u);
#endif
}

__device__ void draw(unsigned a, unsigned b, bool uniform, float* first, float* second) {
  if (uniform) {
    *first = static_cast<float>(2 * unit_interval(a) - 1);
    *second = static_cast<float>(2 * unit_interval(b) - 1);
  } else {
    double sine, cosine;
    sine_cosine(unit_interval(b), &sine, &cosine);
    const double radius = sqrt(-2.0 * log(unit_interval(a)));
    *first = static_cast<float>(radius * cosine);
    *second = static_cast<float>(radius * sine);
  }
}

__global__ void __launch_bounds__(kBlock)
    draw_latents_kernel(std::uint64_t key, std::uint64_t stream, std::int64_t n, bool uniform, bool four, float* out) {
  for (std::int64_t i = global_thread(); 4 * i < n; i += global_threads()) {
    const uint4 words = philox(key, stream, static_cast<std::uint64_t>(i));
    Floats<4> v;
    draw(words.x, words.y, uniform, &v[0], &v[1]);
    draw(words.z, words.w, uniform, &v[2], &v[3]);
    if (four && 4 * i + 4 <= n) {
      store<4>(out + 4 * i, v);
    } else {
#pragma unroll
      for (int k = 0; k < 4; ++k)
        if (4 * i + k < n) out[4 * i + k] = v[k];
    }
  }
}

}  // namespace

void draw_latents_cuda(Exec& exec, const DrawLatentsArgs<float>& p) {
  simt::launch("draw_latents", draw_latents_kernel, blocks_for(exec, ceil_div(p.n, 4 * kBlock)), kBlock,
               stream_of(exec), p.key, p.stream, p.n, p.uniform, aligned(p.out), p.out);
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
