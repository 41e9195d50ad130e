#include <numeric>

#include "kernels/extra_map/impl.h"
#include "kernels/parallel.h"

namespace pgad {
namespace {

constexpr std::int64_t kCachedPiece = 2048;  // elements computed in the first-level cache before they are stored

inline void copy_rows(const float* x, std::int64_t x_row, float* y, std::int64_t y_row, std::int64_t rows,
                      std::int64_t c) {
  for (std::int64_t r = 0; r < rows; ++r) {
#pragma omp simd
    for (std::int64_t i = 0; i < c; ++i) y[r * y_row + i] = x[r * x_row + i];
  }
}

// `rows` rows of `width` elements to out, computed by make(first, count, to): in place, or, where nontemporal stores
// are better, piece by piece.
template <class Make>
void write_rows(Exec& exec, std::int64_t rows, std::int64_t width, float* out, const Make& make) {
  const bool nontemporal = rows * width >= kNontemporal && width <= kCachedPiece;
  vector_for(exec, rows, std::max<std::int64_t>(1, kGrain / width), [&](std::int64_t begin, std::int64_t end) {
    if (!nontemporal) return make(begin, end - begin, out + begin * width);
    alignas(64) float piece[kCachedPiece];
    const std::int64_t step = kCachedPiece / width;
    for (std::int64_t first = begin; first < end; first += step) {
      const std::int64_t n = std::min(step, end - first);
      make(first, n, piece);
      store_nontemporal(out + first * width, piece, n * width);
    }
    nontemporal_fence();
  });
}

}  // namespace

void append_map_cpu(Exec& exec, const AppendMapArgs<float>& p) {
  write_rows(exec, p.n * p.pixels, p.c + 1, p.y, [&](std::int64_t first, std::int64_t n, float* y) {
    const std::int64_t width = p.c + 1;
    if (p.x)
      copy_rows(p.x + first * p.c, p.c, y, width, n, p.c);
    else
      std::fill_n(y, n * width, 0.f);
    for (std::int64_t r = 0; r < n; ++r) y[r * width + p.c] = p.s ? p.s[(first + r) / p.pixels % p.m] : 0.f;
  });
}

void drop_map_cpu(Exec& exec, const DropMapArgs<float>& p) {
  write_rows(exec, p.rows, p.c, p.x, [&](std::int64_t first, std::int64_t n, float* x) {
    copy_rows(p.y + first * (p.c + 1), p.c + 1, x, p.c, n, p.c);
  });
}

// Parts of a group's pixels, the same for any number of threads, added up in order.
void sum_map_cpu(Exec& exec, const SumMapArgs<float>& p) {
  constexpr std::int64_t kParts = 32;
  const std::int64_t width = p.c + 1, samples = p.n / p.m, rows = samples * p.pixels;
  for (std::int64_t j = 0; j < p.m; ++j) {
    double sums[kParts];
    vector_for(exec, kParts, std::max<std::int64_t>(1, kGrain * kParts / rows), [&](std::int64_t b, std::int64_t e) {
      for (std::int64_t part = b; part < e; ++part) {
        sums[part] = 0;
        for (std::int64_t r = rows * part / kParts; r < rows * (part + 1) / kParts;) {
          const std::int64_t end = std::min((r / p.pixels + 1) * p.pixels, rows * (part + 1) / kParts);
          const float* y = p.y + (r / p.pixels * p.m + j) * p.pixels * width + r % p.pixels * width + p.c;
          double lanes[4] = {};
          std::int64_t i = 0;
          for (; i + 4 <= end - r; i += 4)
            for (int k = 0; k < 4; ++k) lanes[k] += y[(i + k) * width];
          for (; i < end - r; ++i) lanes[0] += y[i * width];
          sums[part] += (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
          r = end;
        }
      }
    });
    p.s[j] = static_cast<float>(std::accumulate(sums, sums + kParts, 0.0));
  }
}

}  // namespace pgad
