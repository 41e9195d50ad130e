// Kernels for the emulator's own test: correct ones, and the same with one bug planted.

#include "simt/simt.h"

namespace pgad::PGAD_CUDA_NAMESPACE {

enum class Bug {
  kNone,
  kMissingBarrier,
  kMissingSyncwarp,
  kMissingBarrierBeforeRefill,
  kWaitOneTooFew,
  kSharedOverrun,
  kGlobalOverrun,
  kWrongMask,
  kSourceOutsideMask,
  kDivergentBarrier,
  kDivergentShuffle,
  kEarlyExit,
  kMisalignedLoad,
  kPlainAdd,
  kUninitialized,
  kDeadlock,
};

__device__ inline float warp_sum(float x) {
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(~0u, x, offset);
  return x;
}

// sums[block] = the sum of the block's 64 elements of x; lanes by shuffles, warps by shared memory.
template <Bug bug>
__global__ void __launch_bounds__(64) block_sum(const float* __restrict__ x, float* __restrict__ sums, int n) {
  SIMT_SHARED(float, partial, [2]);
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const float sum = warp_sum(i < n ? x[i] : 0.0f);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32 + (bug == Bug::kSharedOverrun ? 1 : 0)] = sum;
  if (bug != Bug::kMissingBarrier) __syncthreads();
  if (threadIdx.x < 32) {
    const float total = warp_sum(threadIdx.x < 2 ? partial[threadIdx.x] : 0.0f);
    if (threadIdx.x == 0) sums[blockIdx.x + (bug == Bug::kGlobalOverrun ? gridDim.x : 0)] = total;
  }
}

// sums[block] = the sum of the block's 64 elements of x: a tree in shared memory.
template <Bug bug>
__global__ void __launch_bounds__(64) tree_sum(const float* x, float* sums) {
  SIMT_SHARED(float, tree, [64]);
  const unsigned t = threadIdx.x;
  if (bug != Bug::kUninitialized || t != 5) tree[t] = x[blockIdx.x * blockDim.x + t];
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (bug != Bug::kMissingBarrier) __syncthreads();
    if (t < half) tree[t] += tree[t + half];
  }
  if (t != 0) return;
  if (bug == Bug::kPlainAdd)
    sums[0] += tree[0];
  else
    sums[blockIdx.x] = tree[0];
}

// c = a b for multiples of 16; tiles of 16 x 16, the next one on its way while this one is used. a: m x k, b: k x n.
template <Bug bug>
__global__ void __launch_bounds__(256) matmul_async(const float* a, const float* b, float* c, int n, int k) {
  SIMT_SHARED(float, as, [2][16][16]);
  SIMT_SHARED(float, bs, [2][16][16]);
  const int column = static_cast<int>(threadIdx.x % 16), row = static_cast<int>(threadIdx.x / 16);
  const int tile_row = static_cast<int>(blockIdx.y) * 16, tile_column = static_cast<int>(blockIdx.x) * 16;
  const auto fetch = [&](int tile) {  // 64 threads carry a's tile, 64 others b's; the last tile's successor is zeros
    const int piece = static_cast<int>(threadIdx.x % 64), r = piece / 4, q = piece % 4 * 4;
    const bool exists = tile * 16 < k;
    if (threadIdx.x < 64)
      ptx::cp_async16(&as[tile % 2][r][q], a + (tile_row + r) * k + (exists ? tile * 16 : 0) + q, exists);
    else if (threadIdx.x < 128)
      ptx::cp_async16(&bs[tile % 2][r][q], b + ((exists ? tile * 16 : 0) + r) * n + tile_column + q, exists);
    ptx::cp_async_commit();
  };
  float sum = 0;
  fetch(0);
  for (int tile = 0; tile * 16 < k; ++tile) {
    fetch(tile + 1);
    ptx::cp_async_wait<bug == Bug::kWaitOneTooFew ? 2 : 1>();
    if (bug != Bug::kMissingBarrier) __syncthreads();
    for (int i = 0; i < 16; ++i) sum = fmaf(as[tile % 2][row][i], bs[tile % 2][i][column], sum);
    if (bug != Bug::kMissingBarrierBeforeRefill) __syncthreads();
  }
  c[(tile_row + row) * n + tile_column + column] = sum;
}

// One buffer, filled again and again: out[t] = the sum over rounds of x[round][63 - t].
template <Bug bug>
__global__ void __launch_bounds__(64) refill(const float* x, float* out, int rounds) {
  SIMT_SHARED(float, buffer, [64]);
  float sum = 0;
  for (int round = 0; round < rounds; ++round) {
    buffer[threadIdx.x] = x[round * 64 + static_cast<int>(threadIdx.x)];
    __syncthreads();
    sum += buffer[63 - threadIdx.x];
    if (bug != Bug::kMissingBarrierBeforeRefill) __syncthreads();
  }
  out[threadIdx.x] = sum;
}

// Reverses each 32 elements through shared memory, warp by warp.
template <Bug bug>
__global__ void reverse_warps(const float* x, float* out) {
  SIMT_SHARED(float, lanes, [4][32]);
  const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  lanes[warp][lane] = x[threadIdx.x];
  if (bug != Bug::kMissingSyncwarp) __syncwarp();
  out[threadIdx.x] = lanes[warp][31 - lane];
}

// out (columns x rows) = the transpose of in (rows x columns), any sizes, by tiles of 32 x 32 and 32 x 2 threads.
template <Bug bug>
__global__ void __launch_bounds__(64) transpose(const float* in, float* out, int rows, int columns) {
  SIMT_SHARED(float, tile, [32][33]);
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
  const int first_row = static_cast<int>(blockIdx.y) * 32, first_column = static_cast<int>(blockIdx.x) * 32;
  for (int i = y; i < 32; i += 2)
    if (first_row + i < rows && first_column + x < columns)
      tile[i][x] = in[(first_row + i) * columns + first_column + x];
  if (bug == Bug::kDivergentBarrier) {
    if (y < 1)
      __syncthreads();
    else
      __syncthreads();
  } else if (bug == Bug::kEarlyExit) {
    if (first_column + x >= columns) return;
    __syncthreads();
  } else {
    __syncthreads();
  }
  for (int i = y; i < 32; i += 2)
    if (first_column + i < columns && first_row + x < rows) out[(first_column + i) * rows + first_row + x] = tile[x][i];
}

// out[t] = 4 x[4 t ... 4 t + 3] as one vector.
template <Bug bug>
__global__ void scale_vectors(const float* x, float* out) {
  const unsigned i = threadIdx.x * 4;
  const float4 v = simt::load4(x + i + (bug == Bug::kMisalignedLoad ? 1 : 0));
  simt::store4(out + i, make_float4(4 * v.x, 4 * v.y, 4 * v.z, 4 * v.w));
}

// Exchanges between lanes; out has 3 rows of 32.
template <Bug bug>
__global__ void exchanges(const int* x, int* out) {
  const int lane = static_cast<int>(threadIdx.x), v = x[lane];
  if (bug == Bug::kWrongMask) {
    out[lane] = __shfl_xor_sync(0xffffu, v, 1);  // the upper lanes are not in it
    return;
  }
  if (bug == Bug::kSourceOutsideMask) {
    if (lane < 16) out[lane] = __shfl_xor_sync(0xffffu, v, 20);
    return;
  }
  if (bug == Bug::kDivergentShuffle) {
    if (lane < 16)
      out[lane] = __shfl_xor_sync(~0u, v, 1);
    else
      out[lane] = __shfl_xor_sync(~0u, v, 1);
    return;
  }
  if (bug == Bug::kDeadlock) {
    if (lane < 16)
      __syncthreads();
    else
      __syncwarp();
    return;
  }
  out[lane] = __shfl_xor_sync(~0u, v, 3);
  out[32 + lane] = static_cast<int>(2 * __shfl_xor_sync(~0u, 0.5 * v, 16));  // 64 bits
  out[64 + lane] = __shfl_xor_sync(lane < 16 ? 0xffffu : 0xffff0000u, v, 8);
}

// d (16 x 8) += a (16 x 16) b (16 x 8), row by row; a and b in bf16. `b_rows`: b comes by ldmatrix_x4_trans of its
// rows, else by ldmatrix_x4 of its columns (bt: 8 x 16); its two matrices are brought twice.
__global__ void mma_bf16(const float* a, const float* b, float* d, bool b_rows) {
  SIMT_SHARED(std::uint16_t, as, [16][16]);
  SIMT_SHARED(std::uint16_t, bs, [16][8]);
  SIMT_SHARED(std::uint16_t, bt, [8][16]);
  const int lane = static_cast<int>(threadIdx.x), g = lane / 4, t = lane % 4;
  for (int i = lane; i < 256; i += 32) as[i / 16][i % 16] = ptx::to_bf16(a[i]);
  for (int i = lane; i < 128; i += 32) bs[i / 8][i % 8] = bt[i % 8][i / 8] = ptx::to_bf16(b[i]);
  __syncwarp();
  std::uint32_t fa[4], twice[4];
  ptx::ldmatrix_x4(fa, &as[lane % 16][lane / 16 * 8]);
  if (b_rows)
    ptx::ldmatrix_x4_trans(twice, &bs[lane % 16][0]);
  else
    ptx::ldmatrix_x4(twice, &bt[lane % 8][lane / 8 % 2 * 8]);
  const std::uint32_t fb[2] = {twice[0], twice[1]};
  float sum[4];
  for (int i = 0; i < 4; ++i) sum[i] = d[(g + i / 2 * 8) * 8 + 2 * t + i % 2];
  ptx::mma_m16n8k16_bf16(sum, fa, fb);
  for (int i = 0; i < 4; ++i) d[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = sum[i];
}

// d (16 x 8) += a (16 x 8) b (8 x 8) in tf32.
__global__ void mma_tf32(const float* a, const float* b, float* d) {
  const int lane = static_cast<int>(threadIdx.x), g = lane / 4, t = lane % 4;
  std::uint32_t fa[4], fb[2];
  for (int i = 0; i < 4; ++i) fa[i] = ptx::to_tf32(a[(g + i % 2 * 8) * 8 + t + i / 2 * 4]);
  for (int i = 0; i < 2; ++i) fb[i] = ptx::to_tf32(b[(t + i * 4) * 8 + g]);
  float sum[4];
  for (int i = 0; i < 4; ++i) sum[i] = d[(g + i / 2 * 8) * 8 + 2 * t + i % 2];
  ptx::mma_m16n8k8_tf32(sum, fa, fb);
  for (int i = 0; i < 4; ++i) d[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = sum[i];
}

// The four 8 x 8 matrices of `in` (32 rows of 8), each transposed: out[lane][register].
__global__ void transpose_fragments(const std::uint16_t* in, std::uint32_t* out) {
  SIMT_SHARED(std::uint16_t, rows, [32][8]);
  for (int i = 0; i < 8; ++i) rows[threadIdx.x][i] = in[threadIdx.x * 8 + static_cast<unsigned>(i)];
  __syncwarp();
  std::uint32_t r[4];
  ptx::ldmatrix_x4_trans(r, &rows[threadIdx.x][0]);
  for (int i = 0; i < 4; ++i) out[threadIdx.x * 4 + static_cast<unsigned>(i)] = r[i];
}

#if defined(SIMT_TEST_RAW_SHARED)  // must not compile for the emulator
__global__ void raw_shared() { __shared__ float x[1]; }
#endif

// A host function beside its kernel, as kernel files have it.
inline void run_block_sum(const float* x, float* sums, int n, simt::stream_t stream) {
  simt::launch("block_sum", block_sum<Bug::kNone>, dim3(static_cast<unsigned>(n + 63) / 64), dim3(64), stream, x, sums,
               n);
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
