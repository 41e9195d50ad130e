#pragma once
// Instructions that CUDA C++ has no words for (compute capability 8.0 and up); the only file with inline assembly. For
// the emulator each has a host version of the same signature, in ptx.cpp. Part of simt.h.
//
// Fragments of the warp's matrices, by lane: g = lane / 4, t = lane % 4; a register of two bf16 has the first low.
//   m16n8k16 bf16  a0: (g, 2t..2t+1)  a1: (g+8, 2t..)  a2: (g, 2t+8..)  a3: (g+8, 2t+8..)     A is 16 x 16
//                  b0: (2t..2t+1, g)  b1: (2t+8.., g)                                          B is 16 x 8
//   m16n8k8 tf32   a0: (g, t)  a1: (g+8, t)  a2: (g, t+4)  a3: (g+8, t+4)                      A is 16 x 8
//                  b0: (t, g)  b1: (t+4, g)                                                    B is 8 x 8
//   both           d0, d1: (g, 2t), (g, 2t+1)  d2, d3: (g+8, 2t), (g+8, 2t+1)                  D is 16 x 8
// ldmatrix reads 8 x 8 matrices of 2-byte elements; lanes 8i..8i+7 give the addresses of matrix i's rows, 16 bytes each
// and aligned. Register i receives (g, 2t..2t+1) of matrix i; of its transpose with _trans.

#include <cstdint>

namespace ptx {

#if defined(__CUDACC__)
inline namespace native {

__device__ __forceinline__ std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}

// d += a b, in fp32.
__device__ __forceinline__ void mma_m16n8k16_bf16(float (&d)[4], const std::uint32_t (&a)[4],
                                                  const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// The operands' low 13 bits are ignored: round with to_tf32 first.
__device__ __forceinline__ void mma_m16n8k8_tf32(float (&d)[4], const std::uint32_t (&a)[4],
                                                 const std::uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// To nearest, ties away from zero.
__device__ __forceinline__ std::uint32_t to_tf32(float x) {
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}
// To nearest, ties to even.
__device__ __forceinline__ std::uint32_t pack_bf16(float low, float high) {
  std::uint32_t bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
  return bits;
}

__device__ __forceinline__ void ldmatrix_x4(std::uint32_t (&r)[4], const void* shared_row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(shared_row))
               : "memory");
}
__device__ __forceinline__ void ldmatrix_x4_trans(std::uint32_t (&r)[4], const void* shared_row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(shared_row))
               : "memory");
}

// Copies 16 (4) aligned bytes, or zeros unless `predicate`. A thread sees its own copies once it has waited for them,
// the others' after a barrier that follows their wait.
__device__ __forceinline__ void cp_async16(void* shared, const void* global, bool predicate = true) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
               "l"(__cvta_generic_to_global(global)), "r"(predicate ? 16 : 0)
               : "memory");
}
__device__ __forceinline__ void cp_async4(void* shared, const void* global, bool predicate = true) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(shared)),
               "l"(__cvta_generic_to_global(global)), "r"(predicate ? 4 : 0)
               : "memory");
}
// Ends a group of copies.
__device__ __forceinline__ void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Until at most N of the thread's groups, the latest, are on their way.
template <int N>
__device__ __forceinline__ void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
}

#else
inline namespace emulated {

using simt::Site;

void mma_m16n8k16_bf16(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                       Site site = Site::here());
void mma_m16n8k8_tf32(float (&d)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                      Site site = Site::here());

std::uint32_t to_tf32(float x);
std::uint32_t pack_bf16(float low, float high);

void ldmatrix_x4(std::uint32_t (&r)[4], const void* shared_row, Site site = Site::here());
void ldmatrix_x4_trans(std::uint32_t (&r)[4], const void* shared_row, Site site = Site::here());

inline void cp_async16(void* shared, const void* global, bool predicate = true, Site site = Site::here()) {
  simt::detail::copy_async(shared, global, 16, predicate, site);
}
inline void cp_async4(void* shared, const void* global, bool predicate = true, Site site = Site::here()) {
  simt::detail::copy_async(shared, global, 4, predicate, site);
}
inline void cp_async_commit() { simt::detail::commit_copies(); }
template <int N>
void cp_async_wait() {
  simt::detail::wait_copies(N);
}

#endif

__device__ __forceinline__ std::uint16_t to_bf16(float x) { return static_cast<std::uint16_t>(pack_bf16(x, 0.0f)); }

}  // namespace native or emulated
}  // namespace ptx
