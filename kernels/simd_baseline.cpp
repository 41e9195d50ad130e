#if defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "kernels/simd.h"

namespace pgad {
namespace {
// What every processor of the architecture has (SSE2, NEON): 16 registers, as for AVX2.
constexpr int kWidth = 4, kRows = 6, kBlocks = 2, kRowsOfTwo = 6, kDotRows = 4, kDotColumns = 2;

using Vector = float __attribute__((vector_size(4 * kWidth)));
#if defined(__aarch64__)
inline Vector all(float x) { return vdupq_n_f32(x); }
inline Vector multiply_add(Vector a, Vector b, Vector c) { return vfmaq_f32(c, a, b); }
#else  // SSE2 has no such operation: two roundings
inline Vector all(float x) { return Vector{x, x, x, x}; }
inline Vector multiply_add(Vector a, Vector b, Vector c) { return a * b + c; }
#endif
}  // namespace
}  // namespace pgad

#include "kernels/gemm_simd.inc"

// Behind the vectors of the first:
#include "kernels/conv2d/winograd_simd.inc"

namespace pgad {
extern const Simd kSimdBaseline;
const Simd kSimdBaseline = {multiply, dots, finish, scale, winograd::kTransforms};
}  // namespace pgad
