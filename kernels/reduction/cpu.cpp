#include <algorithm>
#include <cstring>

#include "kernels/parallel.h"
#include "kernels/reduction/impl.h"

namespace pgad {
namespace {

// The shapes that occur, after merging neighbours that are both reduced or both kept: [outer][reduced][inner].
struct Runs {
  std::int64_t outer = 1, reduced = 1, inner = 1;
  bool simple = true;
};

Runs merge(const ReductionArgs<float>& p) {
  Runs r;
  int phase = 0;  // 0: outer, 1: reduced, 2: inner
  for (std::size_t d = 0; d < 4; ++d) {
    if (p.dims[d] == 1) continue;
    if (p.reduce[d]) {
      if (phase == 2) r.simple = false;
      phase = 1;
      r.reduced *= p.dims[d];
    } else {
      if (phase == 1) phase = 2;
      (phase == 0 ? r.outer : r.inner) *= p.dims[d];
    }
  }
  return r;
}

constexpr std::int64_t kPiece = 4096;  // elements added up in a fixed order; a constant, so threads don't change sums

inline double sum_contiguous(const float* x, std::int64_t n) {
  return lane_sum<double>(n, [&](std::int64_t i) { return static_cast<double>(x[i]); });
}

// sums[c] += over rows of x[row][c], for one block of at most kColumns columns.
constexpr std::int64_t kColumns = 64;
inline void sum_columns(const float* x, std::int64_t rows, std::int64_t stride, std::int64_t columns, double* sums) {
  if (columns == kColumns) {  // rows read whole, the sums in registers
    double block[kColumns] = {};
    for (std::int64_t r = 0; r < rows; ++r) {
#pragma omp simd
      for (std::int64_t c = 0; c < kColumns; ++c) block[c] += x[r * stride + c];
    }
    for (std::int64_t c = 0; c < kColumns; ++c) sums[c] += block[c];
    return;
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* row = x + r * stride;
#pragma omp simd
    for (std::int64_t c = 0; c < columns; ++c) sums[c] += row[c];
  }
}

inline void fill(float* y, std::int64_t n, float value) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) y[i] = value;
}

inline void scale(float* y, const float* x, std::int64_t n, float alpha) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) y[i] = alpha * x[i];
}

}  // namespace

void sum_cpu(Exec& exec, const ReductionArgs<float>& p) {
  const Runs r = merge(p);
  if (!r.simple || (r.inner == 1 && r.reduced == 1)) return sum_ref<float>(exec, p);
  if (r.inner == 1) {  // each output adds up one contiguous run
    const std::int64_t pieces = (r.reduced + kPiece - 1) / kPiece;
    if (r.outer > 1 || pieces == 1) {
      vector_for(exec, r.outer, std::max<std::int64_t>(1, kGrain / r.reduced), [&](std::int64_t b, std::int64_t e) {
        for (std::int64_t o = b; o < e; ++o) {
          double s = 0;
          for (std::int64_t i = 0; i < r.reduced; i += kPiece)
            s += sum_contiguous(p.x + o * r.reduced + i, std::min(kPiece, r.reduced - i));
          p.y[o] = static_cast<float>(static_cast<double>(p.alpha) * s);
        }
      });
      return;
    }
    // One long run: partial sums of fixed pieces, added up in order.
    constexpr std::int64_t kParts = 64;
    double partial[kParts] = {};
    vector_for(exec, kParts, std::max<std::int64_t>(1, kGrain * kParts / r.reduced),
                 [&](std::int64_t b, std::int64_t e) {
                   for (std::int64_t part = b; part < e; ++part) {
                     const std::int64_t begin = r.reduced * part / kParts, end = r.reduced * (part + 1) / kParts;
                     partial[part] = sum_contiguous(p.x + begin, end - begin);
                   }
                 });
    double s = 0;
    for (const double v : partial) s += v;
    p.y[0] = static_cast<float>(static_cast<double>(p.alpha) * s);
    return;
  }
  // Columns: fixed bands of rows, their sums added up in order.
  constexpr std::int64_t kBands = 8;
  const std::int64_t blocks = (r.inner + kColumns - 1) / kColumns;
  const std::int64_t bands = r.reduced >= 64 ? kBands : 1;
  for (std::int64_t o = 0; o < r.outer; ++o) {
    const float* x = p.x + o * r.reduced * r.inner;
    for (std::int64_t block = 0; block < blocks; ++block) {
      const std::int64_t first = block * kColumns, columns = std::min(kColumns, r.inner - first);
      double sums[kBands][kColumns] = {};
      vector_for(exec, bands, std::max<std::int64_t>(1, kGrain * bands / (r.reduced * columns)),
                   [&](std::int64_t b, std::int64_t e) {
                     for (std::int64_t band = b; band < e; ++band) {
                       const std::int64_t begin = r.reduced * band / bands, end = r.reduced * (band + 1) / bands;
                       sum_columns(x + begin * r.inner + first, end - begin, r.inner, columns, sums[band]);
                     }
                   });
      for (std::int64_t c = 0; c < columns; ++c) {
        double s = 0;
        for (std::int64_t band = 0; band < bands; ++band) s += sums[band][c];
        p.y[o * r.inner + first + c] = static_cast<float>(static_cast<double>(p.alpha) * s);
      }
    }
  }
}

void broadcast_cpu(Exec& exec, const ReductionArgs<float>& p) {
  const Runs r = merge(p);
  if (!r.simple) return broadcast_ref<float>(exec, p);
  const std::int64_t rows = r.outer * r.reduced;
  vector_for(exec, rows, std::max<std::int64_t>(1, kGrain / r.inner), [&](std::int64_t begin, std::int64_t end) {
    if (r.inner == 1) {
      for (std::int64_t row = begin; row < end;) {  // runs of one source value
        const std::int64_t stop = std::min(end, (row / r.reduced + 1) * r.reduced);
        fill(p.y + row, stop - row, p.alpha * p.x[row / r.reduced]);
        row = stop;
      }
      return;
    }
    for (std::int64_t row = begin; row < end; ++row)
      scale(p.y + row * r.inner, p.x + row / r.reduced * r.inner, r.inner, p.alpha);
  });
}

}  // namespace pgad
