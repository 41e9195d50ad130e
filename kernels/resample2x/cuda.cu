// Doubling and 2x2 sums on CUDA: memory-bound. A block walks the small side's image rows, its threads their pixels and
// channels.

#include "kernels/cuda_common.h"
#include "kernels/resample2x/impl.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

template <int V>
__global__ void __launch_bounds__(kBlock)
    upsample2x_kernel(std::int64_t rows, std::int64_t w, std::int64_t c, const float* x, float* y, float alpha) {
  const auto scaled = [alpha](float v) { return alpha * v; };
  for (std::int64_t row = blockIdx.x; row < rows; row += gridDim.x)
    for (std::int64_t j = threadIdx.y; j < w; j += blockDim.y)
      for (std::int64_t k = threadIdx.x * V; k < c; k += blockDim.x * V) {
        const Floats<V> v = each<V>(scaled, load<V>(x + (row * w + j) * c + k));
        float* upper = y + (4 * row * w + 2 * j) * c + k;
        float* lower = upper + 2 * w * c;
        store<V>(upper, v);
        store<V>(upper + c, v);
        store<V>(lower, v);
        store<V>(lower + c, v);
      }
}

template <int V>
__global__ void __launch_bounds__(kBlock)
    sum_pool2x_kernel(std::int64_t rows, std::int64_t w, std::int64_t c, const float* x, float* y, float alpha) {
  const auto sum = [alpha](float p, float q, float r, float s) { return alpha * ((p + q) + (r + s)); };
  for (std::int64_t row = blockIdx.x; row < rows; row += gridDim.x)
    for (std::int64_t j = threadIdx.y; j < w; j += blockDim.y)
      for (std::int64_t k = threadIdx.x * V; k < c; k += blockDim.x * V) {
        const float* upper = x + (4 * row * w + 2 * j) * c + k;
        const float* lower = upper + 2 * w * c;
        store<V>(y + (row * w + j) * c + k,
                 each<V>(sum, load<V>(upper), load<V>(upper + c), load<V>(lower), load<V>(lower + c)));
      }
}

// `kernel` for V = 4 and V = 1.
using Resample2xKernel = void (*)(std::int64_t, std::int64_t, std::int64_t, const float*, float*, float);
void resample2x(Exec& exec, const char* name, Resample2xKernel by_fours, Resample2xKernel by_ones,
                const Resample2xArgs<float>& p) {
  const bool four = by_four(p.c, p.x, p.y);
  const std::int64_t columns = std::min<std::int64_t>(kBlock, std::max<std::int64_t>(1, four ? p.c / 4 : p.c));
  const std::int64_t pixels = std::clamp<std::int64_t>(p.w, 1, kBlock / columns);
  simt::launch(name, four ? by_fours : by_ones, blocks_for(exec, p.n * p.h),
               dim3(static_cast<unsigned>(columns), static_cast<unsigned>(pixels)), stream_of(exec), p.n * p.h, p.w,
               p.c, p.x, p.y, p.alpha);
}

}  // namespace

void upsample2x_cuda(Exec& exec, const Resample2xArgs<float>& p) {
  resample2x(exec, "upsample2x", upsample2x_kernel<4>, upsample2x_kernel<1>, p);
}

void sum_pool2x_cuda(Exec& exec, const Resample2xArgs<float>& p) {
  resample2x(exec, "sum_pool2x", sum_pool2x_kernel<4>, sum_pool2x_kernel<1>, p);
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
