// The extra map on CUDA. A row of c + 1 channels is never aligned, so accesses are of one float; the tensors are small
// (4 x 4 pixels).

#include "kernels/cuda_common.h"
#include "kernels/extra_map/impl.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

__global__ void __launch_bounds__(kBlock) append_map_kernel(std::int64_t rows, std::int64_t pixels, std::int64_t c,
                                                            std::int64_t m, const float* x, const float* s, float* y) {
  for (std::int64_t column = first_column(); column <= c; column += column_step())
    for (std::int64_t row = first_row(); row < rows; row += row_step()) {
      float v = 0;
      if (column < c) {
        if (x != nullptr) v = x[row * c + column];
      } else if (s != nullptr) {
        v = s[row / pixels % m];
      }
      y[row * (c + 1) + column] = v;
    }
}

__global__ void __launch_bounds__(kBlock) drop_map_kernel(std::int64_t rows, std::int64_t c, const float* y, float* x) {
  for (std::int64_t column = first_column(); column < c; column += column_step())
    for (std::int64_t row = first_row(); row < rows; row += row_step()) x[row * c + column] = y[row * (c + 1) + column];
}

struct GroupsOfMaps {
  std::int64_t n, pixels, c, m;
  const float* y;
  template <int V>
  __device__ float sum(std::int64_t j, std::int64_t i) const {
    const std::int64_t sample = j + i / pixels * m;  // the last sample of some groups may not exist
    return sample < n ? y[(sample * pixels + i % pixels + 1) * (c + 1) - 1] : 0.0f;
  }
};

}  // namespace

void append_map_cuda(Exec& exec, const AppendMapArgs<float>& p) {
  const RowGrid shape(exec, p.n * p.pixels, p.c + 1);
  simt::launch("append_map", append_map_kernel, shape.grid, shape.block, stream_of(exec), p.n * p.pixels, p.pixels, p.c,
               p.m, p.x, p.s, p.y);
}

void drop_map_cuda(Exec& exec, const DropMapArgs<float>& p) {
  const RowGrid shape(exec, p.rows, p.c);
  simt::launch("drop_map", drop_map_kernel, shape.grid, shape.block, stream_of(exec), p.rows, p.c, p.y, p.x);
}

void sum_map_cuda(Exec& exec, const SumMapArgs<float>& p) {
  segment_sums(exec, "sum_map", GroupsOfMaps{p.n, p.pixels, p.c, p.m, p.y}, false, p.m, ceil_div(p.n, p.m) * p.pixels,
               1.0, p.s);
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
