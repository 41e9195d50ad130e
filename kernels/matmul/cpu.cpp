// Matrix products on the CPU. An element of c is one sequence of multiply-adds over k, whatever else is computed with
// it: a row's result is the same, to the bit, in any batch and for any number of threads.

#include <cstring>

#include "kernels/matmul/impl.h"
#include "kernels/parallel.h"
#include "kernels/simd.h"
#include "kernels/workspace.h"

namespace pgad {
namespace {

// Rows of b that stay in a second-level cache while all rows of a pass them. A constant: it orders the sums.
constexpr std::int64_t kMatmulDepth = 256;
constexpr std::int64_t kMatmulBand = 64;  // columns

// c[:, first..first + count) of a b, count a multiple of kPad.
void multiply(const Simd& f, const MatmulArgs<float>& s, const float* b, std::int64_t b_row, float* c,
              std::int64_t c_row, std::int64_t rows_begin, std::int64_t rows_end, std::int64_t columns) {
  const std::int64_t a_row = s.ta ? 1 : s.k, a_k = s.ta ? s.m : 1;
  for (std::int64_t l = 0; l < s.k; l += kMatmulDepth)
    f.multiply(s.a + rows_begin * a_row + l * a_k, a_row, a_k, b + l * b_row, b_row, c + rows_begin * c_row, c_row,
               rows_end - rows_begin, columns, std::min(kMatmulDepth, s.k - l), l > 0);
}

}  // namespace

void matmul_cpu(Exec& exec, const MatmulArgs<float>& s) {
  const Simd& f = simd_for(exec.isa());
  const std::int64_t grain = std::max<std::int64_t>(1, 65536 / std::max<std::int64_t>(1, s.m * s.k));  // columns
  if (s.tb && !s.ta) {
    parallel_for(exec, s.n, grain, [&](std::int64_t begin, std::int64_t end) {
      f.dots(s.a, s.k, s.b + begin * s.k, s.k, s.c + begin, s.n, s.m, end - begin, s.k, s.alpha);
    });
    return;
  }
  const float* b = s.b;
  const std::int64_t whole = s.n / kPad * kPad, rest = s.n - whole, bands = (whole + kMatmulBand - 1) / kMatmulBand;
  const std::int64_t transposed = s.tb ? padded(s.k * s.n) : 0, panel = rest > 0 ? s.k * kPad : 0;
  float* memory = exec.library<Workspace>().get(transposed + panel + s.m * kPad);
  if (s.tb) {
    for (std::int64_t j = 0; j < s.n; ++j)
      for (std::int64_t l = 0; l < s.k; ++l) memory[l * s.n + j] = s.b[j * s.k + l];
    b = memory;
  }
  const auto scale = [&](std::int64_t row, std::int64_t first, std::int64_t columns) {
    if (s.alpha != 1.f) f.scale(s.c + row * s.n + first, columns, s.alpha);
  };
  if (bands >= exec.threads()) {
    parallel_for(exec, bands, std::max<std::int64_t>(1, grain / kMatmulBand),
                 [&](std::int64_t begin, std::int64_t end) {
                   const std::int64_t first = begin * kMatmulBand, columns = std::min(end * kMatmulBand, whole) - first;
                   multiply(f, s, b + first, s.n, s.c + first, s.n, 0, s.m, columns);
                   for (std::int64_t i = 0; i < s.m; ++i) scale(i, first, columns);
                 });
  } else if (whole > 0) {
    const std::int64_t rows = std::max<std::int64_t>(1, 65536 / std::max<std::int64_t>(1, whole * s.k));
    parallel_for(exec, s.m, rows, [&](std::int64_t begin, std::int64_t end) {
      multiply(f, s, b, s.n, s.c, s.n, begin, end, whole);
      for (std::int64_t i = begin; i < end; ++i) scale(i, 0, whole);
    });
  }
  if (rest == 0) return;
  // The last columns, padded.
  float *last = memory + transposed, *sums = last + panel;
  for (std::int64_t l = 0; l < s.k; ++l) {
    std::memcpy(last + l * kPad, b + l * s.n + whole, static_cast<std::size_t>(rest) * sizeof(float));
    std::memset(last + l * kPad + rest, 0, static_cast<std::size_t>(kPad - rest) * sizeof(float));
  }
  multiply(f, s, last, kPad, sums, kPad, 0, s.m, kPad);
  for (std::int64_t i = 0; i < s.m; ++i) {
    std::memcpy(s.c + i * s.n + whole, sums + i * kPad, static_cast<std::size_t>(rest) * sizeof(float));
    scale(i, whole, rest);
  }
}

}  // namespace pgad
