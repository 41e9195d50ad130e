// Direct convolution. The innermost loop runs over the output's channels, contiguous in a copy of the weights that is
// made in the right order first (weights are small beside images).
#include "kernels/bias_act/impl.h"
#include "kernels/conv2d/impl.h"
#include "kernels/parallel.h"
#include "kernels/workspace.h"

namespace pgad {
namespace {

// out[0..n) += sum over r of x[r] * w[r][0..n)
PGAD_SIMD void accumulate(const float* x, const float* w, std::int64_t rows, std::int64_t n, float* out) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const float v = x[r];
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) out[i] += v * w[r * n + i];
  }
}

PGAD_SIMD void dot_rows(const float* x, const float* w, std::int64_t rows, std::int64_t n, float* out) {
  for (std::int64_t r = 0; r < rows; ++r) {
    float s = 0;
#pragma omp simd reduction(+ : s)
    for (std::int64_t i = 0; i < n; ++i) s += x[i] * w[r * n + i];
    out[r] += s;
  }
}

// `weights` is [k][k][in][out] (or [k][k][out][in] when out is thin, so that the long side is contiguous).
void convolve(Exec& exec, const Conv2dArgs<float>& s, std::int64_t in, std::int64_t out, const float* image,
              const float* weights, bool out_is_thin) {
  parallel_for(exec, s.n * s.h, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t n = row / s.h, i = row % s.h;
      for (std::int64_t j = 0; j < s.w; ++j) {
        float* y = s.out + (row * s.w + j) * out;
        for (std::int64_t o = 0; o < out; ++o) y[o] = 0.f;
        for (std::int64_t p = 0; p < s.k; ++p)
          for (std::int64_t q = 0; q < s.k; ++q) {
            const std::int64_t ii = i + p - s.k / 2, jj = j + q - s.k / 2;
            if (ii < 0 || ii >= s.h || jj < 0 || jj >= s.w) continue;
            const float* x = image + ((n * s.h + ii) * s.w + jj) * in;
            const float* w = weights + (p * s.k + q) * in * out;
            if (out_is_thin)
              dot_rows(x, w, out, in, y);
            else
              accumulate(x, w, in, out, y);
          }
      }
    }
  });
}

}  // namespace

void conv2d_loops(Exec& exec, const Conv2dArgs<float>& s) {
  const bool thin = s.co < 8;
  float* weights = exec.library<Workspace>().get(s.k * s.k * s.ci * s.co);
  for (std::int64_t o = 0; o < s.co; ++o)
    for (std::int64_t t = 0; t < s.k * s.k; ++t)
      for (std::int64_t c = 0; c < s.ci; ++c)
        weights[t * s.ci * s.co + (thin ? o * s.ci + c : c * s.co + o)] = s.alpha * s.b[(o * s.k * s.k + t) * s.ci + c];
  convolve(exec, s, s.ci, s.co, s.a, weights, thin);
}

void conv2d_bias_act_loops(Exec& exec, const Conv2dBiasActArgs<float>& s) {
  const Conv2dArgs<float>& c = s.conv;
  conv2d_loops(exec, c);
  bias_act_cpu(exec, {c.n * c.h * c.w, c.co, c.out, s.bias, c.out, s.slope});
}

void conv2d_dgrad_loops(Exec& exec, const Conv2dArgs<float>& s) {
  const bool thin = s.ci < 8;
  float* weights = exec.library<Workspace>().get(s.k * s.k * s.ci * s.co);
  for (std::int64_t o = 0; o < s.co; ++o)
    for (std::int64_t t = 0; t < s.k * s.k; ++t)
      for (std::int64_t c = 0; c < s.ci; ++c)
        weights[(s.k * s.k - 1 - t) * s.ci * s.co + (thin ? c * s.co + o : o * s.ci + c)] =
            s.alpha * s.b[(o * s.k * s.k + t) * s.ci + c];
  convolve(exec, s, s.co, s.ci, s.a, weights, thin);
}

void conv2d_wgrad_loops(Exec& exec, const Conv2dArgs<float>& s) {
  // Fixed bands of image rows, added up in order: the sums do not depend on the number of threads.
  constexpr std::int64_t kBands = 8;
  const std::int64_t size = s.co * s.k * s.k * s.ci;
  const bool thin = s.ci < 8;  // then [k][k][ci][co] within a band, so that the long side is contiguous
  float* bands = exec.library<Workspace>().get(kBands * size);
  std::fill_n(bands, kBands * size, 0.f);
  parallel_for(exec, kBands, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t band = first; band < last; ++band) {
      float* dw = bands + band * size;
      for (std::int64_t row = s.n * s.h * band / kBands; row < s.n * s.h * (band + 1) / kBands; ++row) {
        const std::int64_t n = row / s.h, i = row % s.h;
        for (std::int64_t j = 0; j < s.w; ++j) {
          const float* dy = s.b + (row * s.w + j) * s.co;
          for (std::int64_t p = 0; p < s.k; ++p)
            for (std::int64_t q = 0; q < s.k; ++q) {
              const std::int64_t ii = i + p - s.k / 2, jj = j + q - s.k / 2;
              if (ii < 0 || ii >= s.h || jj < 0 || jj >= s.w) continue;
              const float* x = s.a + ((n * s.h + ii) * s.w + jj) * s.ci;
              const std::int64_t t = p * s.k + q;
              if (thin)
                for (std::int64_t c = 0; c < s.ci; ++c) accumulate(x + c, dy, 1, s.co, dw + (t * s.ci + c) * s.co);
              else
                for (std::int64_t o = 0; o < s.co; ++o) accumulate(dy + o, x, 1, s.ci, dw + (o * s.k * s.k + t) * s.ci);
            }
        }
      }
    }
  });
  for (std::int64_t o = 0; o < s.co; ++o)
    for (std::int64_t t = 0; t < s.k * s.k; ++t)
      for (std::int64_t c = 0; c < s.ci; ++c) {
        const std::int64_t at = thin ? (t * s.ci + c) * s.co + o : (o * s.k * s.k + t) * s.ci + c;
        double sum = 0;
        for (std::int64_t band = 0; band < kBands; ++band) sum += bands[band * size + at];
        s.out[(o * s.k * s.k + t) * s.ci + c] = static_cast<float>(static_cast<double>(s.alpha) * sum);
      }
}

}  // namespace pgad
