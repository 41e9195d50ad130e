// L1 distance on CUDA: memory-bound. A sample's sum is made in parts (segment_sums in cuda_common.h).

#include "kernels/cuda_common.h"
#include "kernels/l1/impl.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

struct Distances {
  const float *x, *y;
  std::int64_t m;
  template <int V>
  __device__ float sum(std::int64_t n, std::int64_t j) const {
    const auto distance = [](float a, float b) { return fabsf(a - b); };
    return sum_of(each<V>(distance, load<V>(x + n * m + j), load<V>(y + n * m + j)));
  }
};

template <int V>
__global__ void __launch_bounds__(kBlock) l1_vjp_kernel(std::int64_t n, std::int64_t m, const float* x, const float* y,
                                                        const float* d, float* dx, float alpha) {
  for (std::int64_t row = first_row(); row < n; row += row_step()) {
    const float factor = alpha * d[row];
    const auto gradient = [factor](float a, float b) {
      return factor * (static_cast<float>(a > b) - static_cast<float>(a < b));
    };
    for (std::int64_t column = first_column() * V; column < m; column += column_step() * V) {
      const std::int64_t at = row * m + column;
      store<V>(dx + at, each<V>(gradient, load<V>(x + at), load<V>(y + at)));
    }
  }
}

}  // namespace

void l1_cuda(Exec& exec, const L1Args<float>& p) {
  segment_sums(exec, "l1", Distances{p.x, p.y, p.m}, by_four(p.m, p.x, p.y), p.n, p.m, static_cast<double>(p.alpha),
               p.loss);
}

void l1_vjp_cuda(Exec& exec, const L1VjpArgs<float>& p) {
  with_width(by_four(p.m, p.x, p.y, p.dx), [&](auto width) {
    constexpr int V = width;
    const RowGrid shape(exec, p.n, p.m / V);
    simt::launch("l1_vjp", l1_vjp_kernel<V>, shape.grid, shape.block, 0, stream_of(exec), p.n, p.m, p.x, p.y, p.d, p.dx,
                 p.alpha);
  });
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
