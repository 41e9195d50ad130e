#pragma once
// c[m, n] = epilogue(sum over k of a[m, k] b[k, n]): the one main loop of all convolutions and matrix products on a
// GPU.
//
// A *matrix* says where its elements lie, as lines and the places along a line, where neighbours in memory are
// neighbours. It makes states of indices, moves them on, and gives an element's address, null for a zero:
//   Line line(int) const; Place place(int) const; void advance(Line&, int) const; void advance(Place&, int) const;
//   const float* at(const Line&, const Place&) const;
// So what costs divisions is done once a thread, and the main loop only moves on. Numbers of lines and places are less
// than 2^31; addresses are 64-bit. An *operand* is a matrix and which of the two the depth k runs along; only states of
// that one are moved on.
//
// A block makes a tile of kRows x kColumns results. Per kDepth of k it brings a tile of each operand into shared
// memory, laid out as the matrix is: [row][k] if the depth runs along lines ("depth last"), else [k][row]. There are
// kStages such pairs: one is multiplied while the others are filled.
//
// The class of *products* (Fp32Products here, two more in cuda_gemm_mma.h) chooses the shared tiles' element type,
// pitch and number, multiplies a pair of tiles with add(), and hands out its sums with for_each(). Its sums run in the
// order of k, whatever the size of the tile: which size is chosen changes no bit.
//
// Where there are too few tiles to fill the GPU, the depth is split over blocks (blockIdx.z); each writes its partial
// sums to a workspace, and a second kernel adds them up in order: no atomics, the same bits every time. How it is split
// changes bits, so a caller who promises rows that do not depend on each other must not let it depend on their number.

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "kernels/cuda_common.h"
#include "kernels/cuda_gemm_mma.h"
#include "simt/simt.h"

namespace pgad::PGAD_CUDA_NAMESPACE::gemm {

template <class Matrix_, bool kDepthLast_>
struct Operand {
  using Matrix = Matrix_;
  static constexpr bool kDepthLast = kDepthLast_;
  Matrix matrix;
};

// [lines][width], row-major.
struct Plain {
  using Line = int;
  struct Place {
    int at;
  };
  const float* data;
  int lines, width;

  __device__ Line line(int i) const { return i; }
  __device__ Place place(int i) const { return {i}; }
  __device__ void advance(Line& l, int step) const { l += step; }
  __device__ void advance(Place& p, int step) const { p.at += step; }
  __device__ const float* at(const Line& l, const Place& p) const {
    return l < lines && p.at < width ? data + static_cast<std::int64_t>(l) * width + p.at : nullptr;
  }
};

struct Epilogue {
  float* out;  // [rows][columns]
  float alpha;
  const float* bias;  // [columns]; null: neither bias nor activation
  float slope;        // of the leaky ReLU
  __device__ float operator()(float sum, int column) const {
    const float y = alpha * sum;
    if (bias == nullptr) return y;
    const float z = y + bias[column];
    return z > 0.0f ? z : slope * z;
  }
};

// Plain float32. The threads form a grid over the tile; each has kM rows and four columns.
template <int kRows, int kColumns, int kDepth, int kThreads, bool kADepthLast, bool kBDepthLast>
class Fp32Products {
 public:
  using Element = float;
  static constexpr int kStages = 3;
  // With the depth last, eight neighbouring threads read 16 bytes each at 20 floats' distance: different banks.
  static constexpr __host__ __device__ int pitch(bool depth_last, int rows) {
    return depth_last ? kDepth + 4 : rows + 8;
  }

  __device__ __forceinline__ void add(const float* a, const float* b) {
#pragma unroll
    for (int k = 0; k < kDepth; k += 4) {
      float fa[4][kM], fb[4][kN];
      read<kADepthLast, kRows, kAcrossRows>(a, k, thread_row(), fa);
      read<kBDepthLast, kColumns, kAcrossColumns>(b, k, thread_column(), fb);
#pragma unroll
      for (int l = 0; l < 4; ++l)
#pragma unroll
        for (int i = 0; i < kM; ++i)
#pragma unroll
          for (int j = 0; j < kN; ++j) sums_[i][j] += fa[l][i] * fb[l][j];
    }
  }

  // f(row, column, sum) for each of the thread's sums.
  template <class F>
  __device__ __forceinline__ void for_each(const F& f) const {
#pragma unroll
    for (int i = 0; i < kM; ++i)
#pragma unroll
      for (int j = 0; j < kN; ++j)
        f(index<kADepthLast, kAcrossRows>(thread_row(), i), index<kBDepthLast, kAcrossColumns>(thread_column(), j),
          sums_[i][j]);
  }

 private:
  static constexpr int kN = 4, kAcrossColumns = kColumns / kN;
  static constexpr int kAcrossRows = kThreads / kAcrossColumns, kM = kRows / kAcrossRows;
  static_assert(kM % 4 == 0 && kM * kAcrossRows == kRows && kAcrossRows * kAcrossColumns == kThreads);

  static __device__ __forceinline__ int thread_row() { return static_cast<int>(threadIdx.x) / kAcrossColumns; }
  static __device__ __forceinline__ int thread_column() { return static_cast<int>(threadIdx.x) % kAcrossColumns; }

  // The i-th row (column) of the thread's: neighbours where shared memory has them side by side, for reading four at
  // once; else far apart, so that neighbouring threads have neighbours.
  template <bool kDepthLast, int kAcross>
  static __device__ __forceinline__ int index(int thread, int i) {
    return kDepthLast ? thread + i * kAcross : (thread + i / 4 * kAcross) * 4 + i % 4;
  }

  // The thread's rows (columns) at k to k + 3, 16 bytes at a time.
  template <bool kDepthLast, int kWidth, int kAcross, int kCount>
  static __device__ __forceinline__ void read(const float* tile, int k, int thread, float (&to)[4][kCount]) {
    constexpr int kPitch = pitch(kDepthLast, kWidth);
    if constexpr (kDepthLast) {
#pragma unroll
      for (int i = 0; i < kCount; ++i) {
        const float4 v = simt::load4(tile + index<true, kAcross>(thread, i) * kPitch + k);
        to[0][i] = v.x, to[1][i] = v.y, to[2][i] = v.z, to[3][i] = v.w;
      }
    } else {
#pragma unroll
      for (int l = 0; l < 4; ++l)
#pragma unroll
        for (int i = 0; i < kCount; i += 4) {
          const float4 v = simt::load4(tile + (k + l) * kPitch + index<false, kAcross>(thread, i));
          to[l][i] = v.x, to[l][i + 1] = v.y, to[l][i + 2] = v.z, to[l][i + 3] = v.w;
        }
    }
  }

  float sums_[kM][kN] = {};
};

// Brings one operand's tiles into shared memory. Its threads stand along the lines, kGroup elements each; a thread has
// the same places of kSlots lines. Float tiles are copied by cp.async; bf16 tiles pass through registers, since they
// are converted: begin() reads them, finish() stores them. Copies have landed when the thread has waited for them.
template <class Operand, class Products, int kRows, int kDepth, int kGroup, int kThreads>
class Loader {
 public:
  using Element = typename Products::Element;
  static constexpr int kElements = (Operand::kDepthLast ? kRows : kDepth) * Products::pitch(Operand::kDepthLast, kRows);

  __device__ __forceinline__ Loader(const Operand& operand, int first_row, int first_depth)
      : matrix_(operand.matrix),
        place_(matrix_.place((Operand::kDepthLast ? first_depth : first_row) + thread_place() * kGroup)) {
#pragma unroll
    for (int s = 0; s < kSlots; ++s)
      lines_[s] = matrix_.line((Operand::kDepthLast ? first_row : first_depth) + thread_line(s));
  }

  __device__ __forceinline__ void begin(Element* tile) {
#pragma unroll
    for (int s = 0; s < kSlots; ++s) {
      const float* from = matrix_.at(lines_[s], place_);
      if constexpr (kConverts) {
        fetch(from, values_[s]);
      } else {
        const float* address = from != nullptr ? from : matrix_.data;
        if constexpr (kGroup == 4)
          ptx::cp_async16(tile + offset(s), address, from != nullptr);
        else
          ptx::cp_async4(tile + offset(s), address, from != nullptr);
      }
      if constexpr (!Operand::kDepthLast) matrix_.advance(lines_[s], kDepth);
    }
    if constexpr (Operand::kDepthLast) matrix_.advance(place_, kDepth);
  }

  __device__ __forceinline__ void finish(Element* tile) {
    if constexpr (kConverts) {
#pragma unroll
      for (int s = 0; s < kSlots; ++s) {
        if constexpr (kGroup == 4)
          *reinterpret_cast<uint2*>(tile + offset(s)) =
              make_uint2(ptx::pack_bf16(values_[s][0], values_[s][1]), ptx::pack_bf16(values_[s][2], values_[s][3]));
        else
          tile[offset(s)] = ptx::to_bf16(values_[s][0]);
      }
    }
  }

 private:
  using Matrix = typename Operand::Matrix;
  static constexpr bool kConverts = !std::is_same_v<Element, float>;
  static constexpr int kAlong = (Operand::kDepthLast ? kDepth : kRows) / kGroup;  // threads along a line
  static constexpr int kStep = kThreads / kAlong;                                 // lines between a thread's
  static constexpr int kSlots = (Operand::kDepthLast ? kRows : kDepth) / kStep;
  static_assert(kGroup == 1 || kGroup == 4);
  static_assert(kAlong * kStep == kThreads && kSlots * kStep == (Operand::kDepthLast ? kRows : kDepth));

  static __device__ __forceinline__ int thread_place() { return static_cast<int>(threadIdx.x) % kAlong; }
  static __device__ __forceinline__ int thread_line(int s) {
    return static_cast<int>(threadIdx.x) / kAlong + s * kStep;
  }
  static __device__ __forceinline__ int offset(int s) {
    return thread_line(s) * Products::pitch(Operand::kDepthLast, kRows) + thread_place() * kGroup;
  }
  static __device__ __forceinline__ void fetch(const float* from, float (&to)[kGroup]) {
    if constexpr (kGroup == 4) {
      const float4 v = from != nullptr ? simt::load4(from) : make_float4(0.0f, 0.0f, 0.0f, 0.0f);
      to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
    } else {
      to[0] = from != nullptr ? *from : 0.0f;
    }
  }

  struct Nothing {};
  Matrix matrix_;
  typename Matrix::Place place_;
  typename Matrix::Line lines_[kSlots];
  std::conditional_t<kConverts, float[kSlots][kGroup], Nothing> values_;
};

template <template <int, int, int, int, bool, bool> class Products_, int kRows_, int kColumns_, int kDepth_,
          int kThreads_, int kGroup_>
struct Tile {
  template <bool kADepthLast, bool kBDepthLast>
  using Products = Products_<kRows_, kColumns_, kDepth_, kThreads_, kADepthLast, kBDepthLast>;
  static constexpr int kRows = kRows_, kColumns = kColumns_, kDepth = kDepth_, kThreads = kThreads_, kGroup = kGroup_;
};

// What one launch computes: rows [rows_begin, rows_end).
struct Problem {
  int rows, columns, depth;
  int depth_per_split;  // a multiple of any tile's depth
  int rows_begin = 0, rows_end = 0;
  float* partial = nullptr;  // [splits][rows of this launch][columns]; null: not split
};

template <class Tile, class A, class B>
__global__ void __launch_bounds__(Tile::kThreads, 512 / Tile::kThreads)
    gemm_kernel(A a, B b, Problem problem, Epilogue epilogue) {
  using Products = typename Tile::template Products<A::kDepthLast, B::kDepthLast>;
  using LoadA = Loader<A, Products, Tile::kRows, Tile::kDepth, Tile::kGroup, Tile::kThreads>;
  using LoadB = Loader<B, Products, Tile::kColumns, Tile::kDepth, Tile::kGroup, Tile::kThreads>;
  using Element = typename Products::Element;
  constexpr int kStages = Products::kStages;
  SIMT_SHARED(Element, tiles_a, [kStages][LoadA::kElements]);
  SIMT_SHARED(Element, tiles_b, [kStages][LoadB::kElements]);

  const int row = problem.rows_begin + static_cast<int>(blockIdx.x) * Tile::kRows;
  const int column = static_cast<int>(blockIdx.y) * Tile::kColumns;
  const int split = static_cast<int>(blockIdx.z);
  const int depth_begin = split * problem.depth_per_split;
  const int depth = min(problem.depth_per_split, problem.depth - depth_begin);
  const int steps = (depth + Tile::kDepth - 1) / Tile::kDepth;

  LoadA load_a(a, row, depth_begin);
  LoadB load_b(b, column, depth_begin);
  Products products;
  // Starts to bring the tiles of a step. Every step counts as one group of copies, even one past the end.
  const auto bring = [&](int step, int stage) {
    if (step < steps) {
      load_a.begin(tiles_a[stage]);
      load_b.begin(tiles_b[stage]);
    }
    ptx::cp_async_commit();
  };
  for (int step = 0; step < kStages - 1; ++step) bring(step, step);
  int now = 0, free = kStages - 1;  // stages
  for (int step = 0; step < steps; ++step) {
    ptx::cp_async_wait<kStages - 2>();
    load_a.finish(tiles_a[now]);
    load_b.finish(tiles_b[now]);
    __syncthreads();  // everyone has brought this step's tiles, and is done with the step before, whose stage is free
    bring(step + kStages - 1, free);
    products.add(tiles_a[now], tiles_b[now]);
    free = now;
    now = now + 1 < kStages ? now + 1 : 0;
  }

  if (problem.partial != nullptr) {
    const std::int64_t launch_rows = problem.rows_end - problem.rows_begin;
    float* out = problem.partial + split * launch_rows * problem.columns;
    products.for_each([&](int r, int c, float sum) {
      if (row + r < problem.rows_end && column + c < problem.columns)
        out[static_cast<std::int64_t>(row + r - problem.rows_begin) * problem.columns + column + c] = sum;
    });
  } else {
    products.for_each([&](int r, int c, float sum) {
      if (row + r < problem.rows_end && column + c < problem.columns)
        epilogue.out[static_cast<std::int64_t>(row + r) * problem.columns + column + c] = epilogue(sum, column + c);
    });
  }
}

// epilogue.out is this launch's.
static __global__ void __launch_bounds__(256)
    gemm_sum_kernel(const float* partial, int splits, int columns, int count, Epilogue epilogue) {
  const int i = static_cast<int>(blockIdx.x) * 256 + static_cast<int>(threadIdx.x);
  if (i >= count) return;
  float sum = partial[i];
  for (int s = 1; s < splits; ++s) sum += partial[static_cast<std::int64_t>(s) * count + i];
  epilogue.out[i] = epilogue(sum, i % columns);
}

inline int to_int(std::int64_t value) {
  PGAD_CHECK(value >= 0 && value < (std::int64_t{1} << 31) - 1024, value, " is too long for a side of a GPU's matrix");
  return static_cast<int>(value);
}

// The same on every GPU, so that splits, and so results' bits, are.
inline constexpr std::int64_t kBlocksWanted = 512;

// A depth per split for about kBlocksWanted blocks where `tiles` small tiles come about, each with work worth a launch.
inline int depth_per_split(std::int64_t rows, std::int64_t columns, std::int64_t depth) {
  constexpr std::int64_t kLeast = 256, kMultiple = 32;
  const std::int64_t tiles = ceil_div(rows, 64) * ceil_div(columns, 32);
  const std::int64_t splits = std::max<std::int64_t>(1, std::min(kBlocksWanted / tiles, depth / kLeast));
  return to_int(std::max(kMultiple, ceil_div(ceil_div(depth, splits), kMultiple) * kMultiple));
}

template <class Tile, class A, class B>
void launch(Exec& exec, const char* name, const A& a, const B& b, Problem problem, const Epilogue& epilogue) {
  const auto stream = static_cast<simt::stream_t>(exec.stream());
  const auto grid_y = static_cast<unsigned>(ceil_div(problem.columns, Tile::kColumns));
  const auto splits = std::max<std::int64_t>(1, ceil_div(problem.depth, problem.depth_per_split));
  // A split problem goes through the workspace in pieces of so many rows: each fills a GPU, and its partial sums stay
  // in the L2 cache.
  constexpr std::int64_t kWorkspaceFloats = std::int64_t{1} << 20;
  std::int64_t rows = problem.rows;
  if (splits > 1) {
    const std::int64_t fitting = kWorkspaceFloats / (splits * problem.columns) / Tile::kRows * Tile::kRows;
    rows = std::min(rows, std::max<std::int64_t>(fitting, Tile::kRows));
    problem.partial = exec.library<CudaWorkspace>().get(exec, splits * rows * problem.columns);
  }
  for (std::int64_t first = 0; first < problem.rows; first += rows) {
    problem.rows_begin = static_cast<int>(first);
    problem.rows_end = static_cast<int>(std::min<std::int64_t>(first + rows, problem.rows));
    const std::int64_t now = problem.rows_end - first;
    simt::launch(name, gemm_kernel<Tile, A, B>,
                 dim3(static_cast<unsigned>(ceil_div(now, Tile::kRows)), grid_y, static_cast<unsigned>(splits)),
                 dim3(Tile::kThreads), stream, a, b, problem, epilogue);
    if (splits == 1) continue;
    Epilogue piece = epilogue;
    piece.out += first * problem.columns;
    const int count = to_int(now * problem.columns);
    simt::launch("gemm_sum", gemm_sum_kernel, dim3(static_cast<unsigned>(ceil_div(count, 256))), dim3(256), stream,
                 static_cast<const float*>(problem.partial), static_cast<int>(splits), problem.columns, count, piece);
  }
}

// Large tiles where there are enough of them to fill a GPU. `by_fours`: addresses and lengths of all lines are
// multiples of four floats; what is not is rare and small, and has small tiles only. (A tile of scalars has less depth
// where otherwise the states of too many lines would have to be kept in registers.)
template <template <int, int, int, int, bool, bool> class Products, int kDepth, class A, class B>
void launch_some_tile(Exec& exec, const char* name, const A& a, const B& b, const Problem& problem,
                      const Epilogue& epilogue, bool by_fours) {
  const std::int64_t large =
      ceil_div(problem.rows, 128) * ceil_div(problem.columns, 64) * ceil_div(problem.depth, problem.depth_per_split);
  if (!by_fours)
    launch<Tile<Products, 64, 32, 16, 128, 1>>(exec, name, a, b, problem, epilogue);
  else if (large < kBlocksWanted / 4)
    launch<Tile<Products, 64, 32, kDepth, 128, 4>>(exec, name, a, b, problem, epilogue);
  else
    launch<Tile<Products, 128, 64, kDepth, 256, 4>>(exec, name, a, b, problem, epilogue);
}

// As the Exec's precision asks.
template <class A, class B>
void gemm(Exec& exec, const char* name, const A& a, const B& b, std::int64_t rows, std::int64_t columns,
          std::int64_t depth, int depth_in_split, const Epilogue& epilogue, bool by_fours) {
  if (rows == 0 || columns == 0) return;
  const Problem problem{to_int(rows), to_int(columns), to_int(depth), depth_in_split};
  switch (exec.precision()) {
    case Precision::kFp32:
      return launch_some_tile<Fp32Products, 16>(exec, name, a, b, problem, epilogue, by_fours);
    case Precision::kTf32:
      return launch_some_tile<Tf32Products, 16>(exec, name, a, b, problem, epilogue, by_fours);
    case Precision::kBf16:
      return launch_some_tile<Bf16Products, 32>(exec, name, a, b, problem, epilogue, by_fours);
  }
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE::gemm
