#pragma once
// The vector code of matrix products and of Winograd's transforms, for one thread; compiled once per instruction set
// (simd_avx512.cpp, simd_avx2.cpp, simd_baseline.cpp) from gemm_simd.inc and conv2d/winograd_simd.inc.
//
// Invariant: an element of a product is one sequence of multiply-adds over k, whatever rows and columns are computed
// beside it. An image's result is thus the same, to the bit, in any batch and for any number of threads.

#include <cstdint>

#include "engine/isa.h"
#include "kernels/conv2d/winograd.h"

namespace pgad {

// Columns of packed matrices are a multiple of this.
inline constexpr std::int64_t kPad = 16;
static inline std::int64_t padded(std::int64_t columns) { return (columns + kPad - 1) / kPad * kPad; }

struct Simd {
  // c[rows][columns] (+)= a[rows][k] b[k][columns]; columns a multiple of kPad. a's element (r, i) lies at
  // a[r * a_row + i * a_k]; rows of b and c are b_row and c_row floats apart.
  void (*multiply)(const float* a, std::int64_t a_row, std::int64_t a_k, const float* b, std::int64_t b_row, float* c,
                   std::int64_t c_row, std::int64_t rows, std::int64_t columns, std::int64_t k, bool accumulate);
  // c[rows][columns] = alpha a[rows][k] b[columns][k]': both read along their rows.
  void (*dots)(const float* a, std::int64_t a_row, const float* b, std::int64_t b_row, float* c, std::int64_t c_row,
               std::int64_t rows, std::int64_t columns, std::int64_t k, float alpha);
  // y[rows][columns] = a(x + bias), a the leaky ReLU; bias null: a copy. Rows of x are x_row floats apart, y has none
  // between its rows.
  void (*finish)(const float* x, std::int64_t x_row, const float* bias, float slope, float* y, std::int64_t rows,
                 std::int64_t columns);
  // x *= alpha
  void (*scale)(float* x, std::int64_t n, float alpha);
  winograd::Transforms winograd;
};

const Simd& simd_for(Isa isa);

}  // namespace pgad
