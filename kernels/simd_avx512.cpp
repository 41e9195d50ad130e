#include <immintrin.h>

#include "kernels/simd.h"

namespace pgad {
namespace {
// 32 registers: 24 sums, a row of b, and a's element from memory.
constexpr int kWidth = 16, kRows = 6, kBlocks = 4, kRowsOfTwo = 12, kDotRows = 4, kDotColumns = 4;

using Vector = float __attribute__((vector_size(4 * kWidth)));
inline Vector all(float x) { return _mm512_set1_ps(x); }
inline Vector multiply_add(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
}  // namespace
}  // namespace pgad

#include "kernels/gemm_simd.inc"

// Behind the vectors of the first:
#include "kernels/conv2d/winograd_simd.inc"

namespace pgad {
extern const Simd kSimdAvx512;
const Simd kSimdAvx512 = {multiply, dots, finish, scale, winograd::kTransforms};
}  // namespace pgad
