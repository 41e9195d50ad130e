#include "kernels/conv2d/winograd.h"

namespace pgad::winograd {
namespace {
// 16 registers: 12 sums, a row of b, a's element.
constexpr int kWidth = 8, kRows = 6, kBlocks = 2, kRowsOfTwo = 6;
}  // namespace
}  // namespace pgad::winograd

#include "kernels/conv2d/winograd_simd.inc"

namespace pgad::winograd {
const Simd kAvx2 = {input, output, output_adjoint, multiply, filters, filter_gradients};
}  // namespace pgad::winograd
