#include "kernels/conv2d/winograd.h"

namespace pgad::winograd {
namespace {
// 32 registers: 24 sums, a row of b, and a's element from memory.
constexpr int kWidth = 16, kRows = 6, kBlocks = 4, kRowsOfTwo = 12;
}  // namespace
}  // namespace pgad::winograd

#include "kernels/conv2d/winograd_simd.inc"

namespace pgad::winograd {
const Simd kAvx512 = {input, output, output_adjoint, multiply, filters, filter_gradients};
}  // namespace pgad::winograd
