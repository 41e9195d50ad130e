// Sums and broadcasts on CUDA. After merging neighbours, nearly all are of the form [outer, reduced, inner]:
//   inner = 1: sums of contiguous runs (segment_sums in cuda_common.h)
//   else:      sums of columns, e.g. a bias gradient's: a block takes some columns of a part of the rows; the parts'
//              sums are columns again
// The rest takes a slow path that finds each element's place by division.

#include "kernels/cuda_common.h"
#include "kernels/reduction/impl.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

// The large side as [outer, rows, columns] with the rows reduced, where it is that simple.
struct Box {
  std::int64_t outer = 1, rows = 1, columns = 1;
  bool simple = true;
  explicit Box(const ReductionArgs<float>& p) {
    for (std::size_t d = 0; d < 4; ++d) {
      if (p.dims[d] == 1) continue;
      if (p.reduce[d]) {
        simple = simple && columns == 1;
        rows *= p.dims[d];
      } else {
        (rows == 1 ? outer : columns) *= p.dims[d];
      }
    }
  }
};

// The place of the k-th element of a box in a larger one.
struct Walk {
  std::int64_t size[4], stride[4];
  __device__ std::int64_t operator()(std::int64_t k) const {
    std::int64_t at = 0;
#pragma unroll
    for (int d = 3; d >= 0; --d)
      if (size[d] > 1) {
        at += k % size[d] * stride[d];
        k /= size[d];
      }
    return at;
  }
};
// Of the kept (reduced) dimensions in the large side.
Walk walk(const ReductionArgs<float>& p, bool reduced) {
  Walk w = {};
  std::int64_t stride = 1;
  for (std::size_t d = 4; d-- > 0; stride *= p.dims[d]) {
    w.size[d] = p.reduce[d] == reduced ? p.dims[d] : 1;
    w.stride[d] = stride;
  }
  return w;
}

struct Scattered {
  const float* x;
  Walk kept, reduced;
  template <int V>
  __device__ float sum(std::int64_t k, std::int64_t j) const {
    return x[kept(k) + reduced(j)];
  }
};

// y[a, i, b] = alpha * sum over part i of the rows r of x[a, r, b]. blockDim = (columns / V, rows), powers of two.
template <int V>
__global__ void __launch_bounds__(kBlock)
    column_sums_kernel(const float* x, std::int64_t outer, std::int64_t rows, std::int64_t columns, std::int64_t part,
                       std::int64_t parts, double alpha, float* y) {
  constexpr int kAtOnce = 8;  // rows summed in float
  SIMT_SHARED(double, sums, [V][kBlock]);
  const int tx = static_cast<int>(blockDim.x), ty = static_cast<int>(blockDim.y);
  const int thread = static_cast<int>(threadIdx.y) * tx + static_cast<int>(threadIdx.x);
  for (std::int64_t a = blockIdx.z; a < outer; a += gridDim.z)
    for (std::int64_t i = blockIdx.y; i < parts; i += gridDim.y)
      for (std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * tx * V; first < columns;
           first += static_cast<std::int64_t>(gridDim.x) * tx * V) {
        const std::int64_t column = first + static_cast<int>(threadIdx.x) * V, end = min(rows, (i + 1) * part);
        double sum[V] = {};
        if (column < columns) {
          const float* from = x + a * rows * columns + column;
          for (std::int64_t row = i * part + threadIdx.y; row < end; row += kAtOnce * ty) {
            Floats<V> some = {};
#pragma unroll
            for (int k = 0; k < kAtOnce; ++k)
              if (row + k * ty < end) {
                const Floats<V> v = load<V>(from + (row + k * ty) * columns);
#pragma unroll
                for (int j = 0; j < V; ++j) some[j] += v[j];
              }
#pragma unroll
            for (int j = 0; j < V; ++j) sum[j] += static_cast<double>(some[j]);
          }
        }
#pragma unroll
        for (int j = 0; j < V; ++j) sums[j][thread] = sum[j];
        for (int half = ty / 2; half > 0; half /= 2) {
          __syncthreads();
          if (static_cast<int>(threadIdx.y) < half) {
#pragma unroll
            for (int j = 0; j < V; ++j) sums[j][thread] += sums[j][thread + half * tx];
          }
        }
        if (threadIdx.y == 0 && column < columns) {
          Floats<V> out;
#pragma unroll
          for (int j = 0; j < V; ++j) out[j] = static_cast<float>(alpha * sums[j][thread]);
          store<V>(y + (a * parts + i) * columns + column, out);
        }
        __syncthreads();  // the next round writes sums
      }
}

struct ColumnGrid {
  int tx, ty;
  std::int64_t part, parts;
  // A block has up to `widest` vectors of columns, and a thread at least 16 rows unless there are too many parts.
  ColumnGrid(std::int64_t vectors, std::int64_t rows, int widest, std::int64_t most_parts)
      : ty(power_of_two(rows, kBlock / power_of_two(vectors, widest))) {
    tx = power_of_two(vectors, kBlock / ty);
    part = std::max(std::int64_t{16} * ty, ceil_div(rows, most_parts));
    parts = ceil_div(rows, part);
  }
};

template <int V>
void launch_column_sums(Exec& exec, const ColumnGrid& g, const float* x, std::int64_t outer, std::int64_t rows,
                        std::int64_t columns, double alpha, float* y) {
  const dim3 grid(blocks_for(exec, ceil_div(columns / V, g.tx)), blocks_for(exec, g.parts), blocks_for(exec, outer));
  const dim3 block(static_cast<unsigned>(g.tx), static_cast<unsigned>(g.ty));
  simt::launch("sum", column_sums_kernel<V>, grid, block, stream_of(exec), x, outer, rows, columns, g.part, g.parts,
               alpha, y);
}

void column_sums(Exec& exec, const float* x, std::int64_t outer, std::int64_t rows, std::int64_t columns, double alpha,
                 float* y) {
  with_width(by_four(columns, x, y), [&](auto width) {
    constexpr int V = width;
    const ColumnGrid grid(columns / V, rows, 32, 512);
    if (grid.parts == 1) {
      launch_column_sums<V>(exec, grid, x, outer, rows, columns, alpha, y);
    } else {
      float* sums = exec.library<CudaWorkspace>().get(exec, outer * grid.parts * columns);
      launch_column_sums<V>(exec, grid, x, outer, rows, columns, 1.0, sums);
      // In one part, of few columns: more blocks.
      const ColumnGrid rest(columns / V, grid.parts, 4, 1);
      launch_column_sums<V>(exec, rest, sums, outer, grid.parts, columns, alpha, y);
    }
  });
}

// y[a, r, b] = alpha x[a, b], as rows of `columns`.
template <int V>
__global__ void __launch_bounds__(kBlock) broadcast_rows_kernel(const float* x, std::int64_t outer, std::int64_t rows,
                                                                std::int64_t columns, float alpha, float* y) {
  for (std::int64_t column = first_column() * V; column < columns; column += column_step() * V)
    for (std::int64_t row = first_row(); row < outer * rows; row += row_step()) {
      const std::int64_t a = outer == 1 ? 0 : row / rows;
      store<V>(y + row * columns + column,
               each<V>([alpha](float v) { return alpha * v; }, load<V>(x + a * columns + column)));
    }
}

// y[a, r] = alpha x[a].
template <int V>
__global__ void __launch_bounds__(kBlock)
    broadcast_runs_kernel(const float* x, std::int64_t outer, std::int64_t run, float alpha, float* y) {
  for (std::int64_t a = first_row(); a < outer; a += row_step()) {
    Floats<V> v;
#pragma unroll
    for (int k = 0; k < V; ++k) v[k] = alpha * x[a];
    for (std::int64_t r = first_column() * V; r < run; r += column_step() * V) store<V>(y + a * run + r, v);
  }
}

__global__ void __launch_bounds__(kBlock)
    broadcast_scattered_kernel(const float* x, std::int64_t small, std::int64_t copies, Walk kept, Walk reduced,
                               float alpha, float* y) {
  for (std::int64_t i = global_thread(); i < small * copies; i += global_threads())
    y[kept(i / copies) + reduced(i % copies)] = alpha * x[i / copies];
}

std::int64_t count_of(const Walk& w) { return w.size[0] * w.size[1] * w.size[2] * w.size[3]; }

}  // namespace

void sum_cuda(Exec& exec, const ReductionArgs<float>& p) {
  const Box box(p);
  const double alpha = static_cast<double>(p.alpha);
  if (!box.simple) {
    const Walk kept = walk(p, false), reduced = walk(p, true);
    segment_sums(exec, "sum", Scattered{p.x, kept, reduced}, false, count_of(kept), count_of(reduced), alpha, p.y);
  } else if (box.columns == 1) {
    segment_sums(exec, "sum", Elements{p.x, box.rows}, by_four(box.rows, p.x), box.outer, box.rows, alpha, p.y);
  } else {
    column_sums(exec, p.x, box.outer, box.rows, box.columns, alpha, p.y);
  }
}

void broadcast_cuda(Exec& exec, const ReductionArgs<float>& p) {
  const Box box(p);
  if (!box.simple) {
    const Walk kept = walk(p, false), reduced = walk(p, true);
    const std::int64_t small = count_of(kept), copies = count_of(reduced);
    simt::launch("broadcast", broadcast_scattered_kernel, blocks_for(exec, ceil_div(small * copies, kBlock)), kBlock,
                 stream_of(exec), p.x, small, copies, kept, reduced, p.alpha, p.y);
  } else if (box.columns == 1) {
    with_width(by_four(box.rows, p.y), [&](auto width) {
      constexpr int V = width;
      const RowGrid shape(exec, box.outer, box.rows / V);
      simt::launch("broadcast", broadcast_runs_kernel<V>, shape.grid, shape.block, stream_of(exec), p.x, box.outer,
                   box.rows, p.alpha, p.y);
    });
  } else {
    with_width(by_four(box.columns, p.x, p.y), [&](auto width) {
      constexpr int V = width;
      const RowGrid shape(exec, box.outer * box.rows, box.columns / V);
      simt::launch("broadcast", broadcast_rows_kernel<V>, shape.grid, shape.block, stream_of(exec), p.x, box.outer,
                   box.rows, box.columns, p.alpha, p.y);
    });
  }
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
