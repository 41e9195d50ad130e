// Pixelwise normalisation on CUDA: memory-bound. A group of lanes has a row, each of them K vectors of it in registers
// between the sum and its use. Longer rows (more than 128 vectors) go in tiles that are read twice.

#include "kernels/cuda_common.h"
#include "kernels/pixelnorm/impl.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

// Lanes' rows and their tiles. All lanes of a warp take part in every row, for the sums, with `live` false behind the
// last row.
template <int V, int K>
struct Rows {
  using Tile = Floats<V>[K];
  std::int64_t c;
  int lanes;
  std::int64_t row, step;
  bool live = false;

  __device__ Rows(std::int64_t columns, int lanes_)
      : c(columns), lanes(lanes_), row(global_thread() / lanes_), step(global_threads() / lanes_) {}

  // Calls f() for each of the group's rows.
  template <class F>
  __device__ void for_each(std::int64_t rows, const F& f) {
    const std::int64_t first_of_warp = static_cast<std::int64_t>(threadIdx.x % 32) / lanes;
    for (; row - first_of_warp < rows; row += step) {
      live = row < rows;
      f();
    }
  }
  __device__ std::int64_t width() const { return static_cast<std::int64_t>(K) * lanes * V; }
  __device__ bool one_tile() const { return c <= width(); }
  // Calls f(k, column) for the thread's vectors of the tile.
  template <class F>
  __device__ void in_tile(std::int64_t tile, const F& f) const {
    const int lane = static_cast<int>(threadIdx.x) % lanes;
#pragma unroll
    for (int k = 0; k < K; ++k) {
      const std::int64_t column = tile + (k * lanes + lane) * V;
      if (live && column < c) f(k, column);
    }
  }
  __device__ void read(const float* x, std::int64_t tile, Tile& v) const {
    in_tile(tile, [&](int k, std::int64_t column) { v[k] = load<V>(x + row * c + column); });
  }
};

template <int V>
__device__ float dot(const Floats<V>& a, const Floats<V>& b) {
  return sum_of(each<V>([](float x, float y) { return x * y; }, a, b));
}

__device__ float inverse_root(float square, std::int64_t c) {
  return 1.0f / sqrtf(square / static_cast<float>(c) + static_cast<float>(kPixelnormEpsilon));
}

template <int V, int K>
__global__ void __launch_bounds__(kBlock)
    pixelnorm_kernel(std::int64_t count, std::int64_t c, int lanes, const float* x, float* y, float* r) {
  Rows<V, K> rows(c, lanes);
  rows.for_each(count, [&] {
    typename Rows<V, K>::Tile v = {};
    float square = 0;
    for (std::int64_t tile = 0; tile < c; tile += rows.width()) {
      rows.read(x, tile, v);
      rows.in_tile(tile, [&](int k, std::int64_t) { square += dot(v[k], v[k]); });
    }
    const float inverse = inverse_root(group_sum(square, lanes), c);
    for (std::int64_t tile = 0; tile < c; tile += rows.width()) {
      if (!rows.one_tile()) rows.read(x, tile, v);
      rows.in_tile(tile, [&](int k, std::int64_t column) {
        store<V>(y + rows.row * c + column, each<V>([&](float u) { return u * inverse; }, v[k]));
      });
    }
    if (r != nullptr && rows.live && threadIdx.x % lanes == 0) r[rows.row] = inverse;
  });
}

template <int V, int K>
__global__ void __launch_bounds__(kBlock)
    pixelnorm_vjp_kernel(std::int64_t count, std::int64_t c, int lanes, const float* x, const float* dy, float* dx) {
  Rows<V, K> rows(c, lanes);
  rows.for_each(count, [&] {
    typename Rows<V, K>::Tile v = {}, d = {};
    float square = 0, product = 0;
    for (std::int64_t tile = 0; tile < c; tile += rows.width()) {
      rows.read(x, tile, v);
      rows.read(dy, tile, d);
      rows.in_tile(tile, [&](int k, std::int64_t) {
        square += dot(v[k], v[k]);
        product += dot(v[k], d[k]);
      });
    }
    const float inverse = inverse_root(group_sum(square, lanes), c);
    const float along = inverse * inverse * group_sum(product, lanes) / static_cast<float>(c);
    for (std::int64_t tile = 0; tile < c; tile += rows.width()) {
      if (!rows.one_tile()) {
        rows.read(x, tile, v);
        rows.read(dy, tile, d);
      }
      rows.in_tile(tile, [&](int k, std::int64_t column) {
        const auto gradient = [&](float u, float du) { return inverse * (du - u * along); };
        store<V>(dx + rows.row * c + column, each<V>(gradient, v[k], d[k]));
      });
    }
  });
}

template <int V, int K>
__global__ void __launch_bounds__(kBlock)
    pixelnorm_act_vjp_kernel(std::int64_t count, std::int64_t c, int lanes, const float* y, const float* r,
                             const float* dy, float* dx, float slope) {
  Rows<V, K> rows(c, lanes);
  rows.for_each(count, [&] {
    typename Rows<V, K>::Tile v = {}, d = {};
    float product = 0;
    for (std::int64_t tile = 0; tile < c; tile += rows.width()) {
      rows.read(y, tile, v);
      rows.read(dy, tile, d);
      rows.in_tile(tile, [&](int k, std::int64_t) { product += dot(v[k], d[k]); });
    }
    const float mean = group_sum(product, lanes) / static_cast<float>(c);
    const float inverse = rows.live ? r[rows.row] : 0.0f;
    for (std::int64_t tile = 0; tile < c; tile += rows.width()) {
      if (!rows.one_tile()) {
        rows.read(y, tile, v);
        rows.read(dy, tile, d);
      }
      rows.in_tile(tile, [&](int k, std::int64_t column) {
        const auto gradient = [&](float u, float du) { return (u > 0 ? 1.0f : slope) * inverse * (du - u * mean); };
        store<V>(dx + rows.row * c + column, each<V>(gradient, v[k], d[k]));
      });
    }
  });
}

// Calls launch(V, K, grid, lanes) with V and K as constants.
template <class F>
void choose(const Exec& exec, std::int64_t rows, std::int64_t c, bool four, const F& launch) {
  with_width(four, [&](auto width) {
    const std::int64_t vectors = c / width;
    const int lanes = power_of_two(vectors, 32);
    const unsigned grid = blocks_for(exec, ceil_div(rows, kBlock / lanes));
    if (vectors <= 32)
      launch(width, std::integral_constant<int, 1>(), grid, lanes);
    else
      launch(width, std::integral_constant<int, 4>(), grid, lanes);
  });
}

}  // namespace

void pixelnorm_cuda(Exec& exec, const PixelnormArgs<float>& s) {
  choose(exec, s.rows, s.c, by_four(s.c, s.x, s.y), [&](auto v, auto k, unsigned grid, int lanes) {
    simt::launch("pixelnorm", pixelnorm_kernel<v(), k()>, grid, kBlock, stream_of(exec), s.rows, s.c, lanes, s.x, s.y,
                 s.r);
  });
}

void pixelnorm_vjp_cuda(Exec& exec, const PixelnormVjpArgs<float>& s) {
  choose(exec, s.rows, s.c, by_four(s.c, s.x, s.dy, s.dx), [&](auto v, auto k, unsigned grid, int lanes) {
    simt::launch("pixelnorm_vjp", pixelnorm_vjp_kernel<v(), k()>, grid, kBlock, stream_of(exec), s.rows, s.c, lanes,
                 s.x, s.dy, s.dx);
  });
}

void pixelnorm_act_vjp_cuda(Exec& exec, const PixelnormActVjpArgs<float>& s) {
  choose(exec, s.rows, s.c, by_four(s.c, s.y, s.dy, s.dx), [&](auto v, auto k, unsigned grid, int lanes) {
    simt::launch("pixelnorm_act_vjp", pixelnorm_act_vjp_kernel<v(), k()>, grid, kBlock, stream_of(exec), s.rows, s.c,
                 lanes, s.y, s.r, s.dy, s.dx, s.slope);
  });
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
