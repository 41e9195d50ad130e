#pragma once
// The products of one tile on tensor cores, for cuda_gemm.h, which says what a class of products must offer. Sums are
// float32, in the order of the depth whatever the tile's size.
//
// A block's warps stand in two columns; each has 32 rows by half the block's columns, in mma's pieces of 16 x 8. All
// pitches put the addresses that a warp reads at once into different banks; the arithmetic is beside them.

#include "simt/simt.h"

namespace pgad::PGAD_CUDA_NAMESPACE::gemm {

// What the two share: where the thread's sums lie. A warp has kM x kN pieces.
template <int kRows, int kColumns, int kThreads>
class MmaSums {
 public:
  // f(row, column, sum) for each of the thread's sums, rows and columns of the block's tile.
  template <class F>
  __device__ __forceinline__ void for_each(const F& f) const {
    const int g = lane() / 4, t = lane() % 4;
#pragma unroll
    for (int i = 0; i < kM; ++i)
#pragma unroll
      for (int j = 0; j < kN; ++j)
#pragma unroll
        for (int r = 0; r < 4; ++r) f(row(i) + g + r / 2 * 8, column(j) + 2 * t + r % 2, sums_[i][j][r]);
  }

 protected:
  static constexpr int kWarpColumns = kColumns / 2;
  static constexpr int kM = 2, kN = kWarpColumns / 8;
  static_assert(kRows == kThreads / 64 * 32 && kN % 2 == 0);

  static __device__ __forceinline__ int lane() { return static_cast<int>(threadIdx.x) % 32; }
  static __device__ __forceinline__ int row(int i) { return static_cast<int>(threadIdx.x) / 64 * 32 + i * 16; }
  static __device__ __forceinline__ int column(int j) {
    return static_cast<int>(threadIdx.x) / 32 % 2 * kWarpColumns + j * 8;
  }

  float sums_[kM][kN][4] = {};
};

// Tiles are float32 as they come; operands are rounded on the way into registers. (Rounding them on the way into shared
// memory would need registers in between instead of cp.async, and saves few roundings: a warp reads an element once.)
template <int kRows, int kColumns, int kDepth, int kThreads, bool kADepthLast, bool kBDepthLast>
class Tf32Products : public MmaSums<kRows, kColumns, kThreads> {
  using Sums = MmaSums<kRows, kColumns, kThreads>;
  using Sums::kM, Sums::kN, Sums::lane, Sums::row, Sums::column, Sums::sums_;

 public:
  using Element = float;
  static constexpr int kStages = 3;
  // Lanes g, t read (g, t): banks 20 g + t, or with the depth first 8 t + g.
  static constexpr __host__ __device__ int pitch(bool depth_last, int rows) {
    return depth_last ? kDepth + 4 : rows + 8;
  }

  __device__ __forceinline__ void add(const float* a, const float* b) {
    const int g = lane() / 4, t = lane() % 4;
#pragma unroll
    for (int k = 0; k < kDepth; k += 8) {
      std::uint32_t fa[kM][4], fb[kN][2];
#pragma unroll
      for (int i = 0; i < kM; ++i)
#pragma unroll
        for (int r = 0; r < 4; ++r) fa[i][r] = at<kADepthLast, kRows>(a, row(i) + g + r % 2 * 8, k + t + r / 2 * 4);
#pragma unroll
      for (int j = 0; j < kN; ++j)
#pragma unroll
        for (int r = 0; r < 2; ++r) fb[j][r] = at<kBDepthLast, kColumns>(b, column(j) + g, k + t + r * 4);
#pragma unroll
      for (int i = 0; i < kM; ++i)
#pragma unroll
        for (int j = 0; j < kN; ++j) ptx::mma_m16n8k8_tf32(sums_[i][j], fa[i], fb[j]);
    }
  }

 private:
  template <bool kDepthLast, int kWidth>
  static __device__ __forceinline__ std::uint32_t at(const float* tile, int r, int k) {
    constexpr int kPitch = pitch(kDepthLast, kWidth);
    return ptx::to_tf32(kDepthLast ? tile[r * kPitch + k] : tile[k * kPitch + r]);
  }
};

// Tiles are bf16, rounded on the way into shared memory: half the memory and, with ldmatrix, a quarter of the reads.
template <int kRows, int kColumns, int kDepth, int kThreads, bool kADepthLast, bool kBDepthLast>
class Bf16Products : public MmaSums<kRows, kColumns, kThreads> {
  using Sums = MmaSums<kRows, kColumns, kThreads>;
  using Sums::kM, Sums::kN, Sums::lane, Sums::row, Sums::column, Sums::sums_;

 public:
  using Element = std::uint16_t;
  static constexpr int kStages = 2;  // what is on its way is in registers
  // Eight lines that ldmatrix reads at once are an odd number of 16-byte units apart.
  static constexpr __host__ __device__ int pitch(bool depth_last, int rows) { return (depth_last ? kDepth : rows) + 8; }

  __device__ __forceinline__ void add(const std::uint16_t* a, const std::uint16_t* b) {
    // The x4 forms read four 8 x 8 matrices, this lane the address of a line of one of them. A's four are those of one
    // piece, the rows' upper half, lower half, then the same at depth 8; B's those of two pieces, each at depth 0, 8.
    const int line = lane() % 8, odd = lane() / 8 % 2 * 8, second = lane() / 16 * 8;
#pragma unroll
    for (int k = 0; k < kDepth; k += 16) {
      std::uint32_t fa[kM][4], fb[kN][2];
#pragma unroll
      for (int i = 0; i < kM; ++i) {
        if constexpr (kADepthLast)
          ptx::ldmatrix_x4(fa[i], a + (row(i) + line + odd) * pitch(true, kRows) + k + second);
        else
          ptx::ldmatrix_x4_trans(fa[i], a + (k + line + second) * pitch(false, kRows) + row(i) + odd);
      }
#pragma unroll
      for (int j = 0; j < kN; j += 2) {
        std::uint32_t two[4];
        if constexpr (kBDepthLast)
          ptx::ldmatrix_x4(two, b + (column(j) + line + second) * pitch(true, kColumns) + k + odd);
        else
          ptx::ldmatrix_x4_trans(two, b + (k + line + odd) * pitch(false, kColumns) + column(j) + second);
        fb[j][0] = two[0], fb[j][1] = two[1], fb[j + 1][0] = two[2], fb[j + 1][1] = two[3];
      }
#pragma unroll
      for (int i = 0; i < kM; ++i)
#pragma unroll
        for (int j = 0; j < kN; ++j) ptx::mma_m16n8k16_bf16(sums_[i][j], fa[i], fb[j]);
    }
  }
};

}  // namespace pgad::PGAD_CUDA_NAMESPACE::gemm
