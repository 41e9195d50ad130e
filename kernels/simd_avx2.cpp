#include <immintrin.h>

#include "kernels/simd.h"

namespace pgad {
namespace {
// 16 registers: 12 sums, a row of b, a's element.
constexpr int kWidth = 8, kRows = 6, kBlocks = 2, kRowsOfTwo = 6, kDotRows = 4, kDotColumns = 2;

using Vector = float __attribute__((vector_size(4 * kWidth)));
inline Vector all(float x) { return _mm256_set1_ps(x); }
inline Vector multiply_add(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
}  // namespace
}  // namespace pgad

#include "kernels/gemm_simd.inc"

// Behind the vectors of the first:
#include "kernels/conv2d/winograd_simd.inc"

namespace pgad {
extern const Simd kSimdAvx2;
const Simd kSimdAvx2 = {multiply, dots, finish, scale, winograd::kTransforms};
}  // namespace pgad
