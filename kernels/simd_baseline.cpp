#include "kernels/simd.h"

namespace pgad {
namespace {
// What every processor of the architecture has (SSE2, NEON): 16 registers, as for AVX2.
constexpr int kWidth = 4, kRows = 6, kBlocks = 2, kRowsOfTwo = 6, kDotRows = 4, kDotColumns = 2;
}  // namespace
}  // namespace pgad

#include "kernels/gemm_simd.inc"

// Behind the vectors of the first:
#include "kernels/conv2d/winograd_simd.inc"

namespace pgad {
extern const Simd kSimdBaseline;
const Simd kSimdBaseline = {multiply, dots, finish, scale, winograd::kTransforms};
}  // namespace pgad
