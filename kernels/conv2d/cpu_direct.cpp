// The direct algorithm as a matrix product: rows are pixels, columns output channels, and the sum runs over a pixel's
// neighbourhood [k][k][channels]. Each thread works through its pixels in chunks that stay in its cache: gather the
// neighbourhoods, multiply, add the bias and bend.

#include <cstring>

#include "kernels/conv2d/impl.h"
#include "kernels/parallel.h"
#include "kernels/simd.h"
#include "kernels/workspace.h"

namespace pgad {
namespace {

// Fewer output channels are sums along the neighbourhood instead of columns: columns would be mostly padding.
constexpr std::int64_t kThin = 8;
bool thin(std::int64_t out) { return out < kThin; }

// Terms of a long sum added up in one go. A constant, or the order of additions would depend on something.
constexpr std::int64_t kConvDepth = 512;

// What is read around each pixel.
struct Neighbourhood {
  const float* images;  // [n][h][w][c], or half as high and wide
  std::int64_t h, w, c, k;
  bool upsampled;
  std::int64_t size() const { return k * k * c; }
  // Whether the images themselves are the matrix.
  bool plain() const { return k == 1 && !upsampled; }

  // Of pixels [first, first + count), to rows `row` floats apart; outside the image 0.
  void gather(std::int64_t first, std::int64_t count, float* to, std::int64_t row) const {
    const std::int64_t half = upsampled ? 2 : 1, line = w / half;
    for (std::int64_t pixel = first; pixel < first + count; ++pixel, to += row) {
      const std::int64_t n = pixel / (h * w), i = pixel / w % h, j = pixel % w;
      const float* image = images + n * (h / half) * line * c;
      float* out = to;
      for (std::int64_t p = i - k / 2; p <= i + k / 2; ++p) {
        if (p >= 0 && p < h && !upsampled && j >= k / 2 && j + k / 2 < w) {  // a whole row of the neighbourhood
          copy(image + (p * w + j - k / 2) * c, k * c, out);
          out += k * c;
          continue;
        }
        for (std::int64_t q = j - k / 2; q <= j + k / 2; ++q, out += c) {
          if (p >= 0 && p < h && q >= 0 && q < w)
            copy(image + (p / half * line + q / half) * c, c, out);
          else
            std::memset(out, 0, static_cast<std::size_t>(c) * sizeof(float));
        }
      }
      if (row > size()) std::memset(out, 0, static_cast<std::size_t>(row - size()) * sizeof(float));
    }
  }

 private:
  static void copy(const float* from, std::int64_t n, float* to) {
    std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(float));
  }
};

// Pixels whose neighbourhoods and results take a quarter of a megabyte together.
std::int64_t direct_chunk(std::int64_t floats_per_pixel) {
  return std::max<std::int64_t>(12, 256 * 1024 / 4 / floats_per_pixel / 12 * 12);
}

// y = a(conv(x) + bias); weights [size][padded out], or [out][size] for few channels.
void convolve(Exec& exec, const Neighbourhood& in, std::int64_t pixels, std::int64_t out, const float* weights,
              const float* bias, float slope, float* y) {
  const Simd& f = simd_for(exec.isa());
  const std::int64_t size = in.size(), columns = thin(out) ? out : padded(out);
  const std::int64_t parts = std::clamp<std::int64_t>(pixels * size * out / 32768, 1, exec.threads());
  const std::int64_t chunk = std::min(direct_chunk(size + columns), (pixels + parts - 1) / parts);
  const std::int64_t gathered = in.plain() ? 0 : padded(chunk * size), share = gathered + padded(chunk * columns);
  float* memory = exec.library<Workspace>().get(share * parts);
  parallel_for(exec, parts, 1, [&](std::int64_t part, std::int64_t last_part) {
    for (; part < last_part; ++part) {
      float* rows = memory + part * share;
      float* sums = rows + gathered;
      const std::int64_t end = pixels * (part + 1) / parts;
      for (std::int64_t first = pixels * part / parts; first < end; first += chunk) {
        const std::int64_t count = std::min(chunk, end - first);
        const float* a = in.images + first * size;
        if (!in.plain()) {
          in.gather(first, count, rows, size);
          a = rows;
        }
        if (thin(out))
          f.dots(a, size, weights, size, sums, columns, count, out, size, 1.f);
        else
          for (std::int64_t i = 0; i < size; i += kConvDepth)
            f.multiply(a + i, size, 1, weights + i * columns, columns, sums, columns, count, columns,
                       std::min(kConvDepth, size - i), i > 0);
        f.finish(sums, columns, bias, slope, y + first * out, count, out);
      }
    }
  });
}

}  // namespace

std::int64_t direct_weight_floats(const Conv2dArgs<float>& s, bool adjoint) {
  const std::int64_t in = adjoint ? s.co : s.ci, out = adjoint ? s.ci : s.co;
  return s.k * s.k * in * (thin(out) ? out : padded(out));
}

// alpha w, mirrored and with channels exchanged for the adjoint, in the order that convolve() reads.
void direct_weights(Exec& exec, const Conv2dArgs<float>& s, bool adjoint, float* u) {
  const std::int64_t taps = s.k * s.k, in = adjoint ? s.co : s.ci, out = adjoint ? s.ci : s.co;
  const std::int64_t columns = padded(out);
  const auto weight = [&](std::int64_t tap, std::int64_t i, std::int64_t o) {
    return s.alpha * (adjoint ? s.b[(i * taps + taps - 1 - tap) * s.ci + o] : s.b[(o * taps + tap) * s.ci + i]);
  };
  parallel_for(exec, taps * in, std::max<std::int64_t>(1, kGrain / out), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      for (std::int64_t o = 0; o < (thin(out) ? out : columns); ++o) {
        const float value = o < out ? weight(row / in, row % in, o) : 0.f;
        u[thin(out) ? o * taps * in + row : row * columns + o] = value;
      }
  });
}

void conv2d_direct(Exec& exec, const Conv2dArgs<float>& s, const float* bias, float slope) {
  convolve(exec, {s.a, s.h, s.w, s.ci, s.k, s.upsampled}, s.n * s.h * s.w, s.co, s.prepared, bias, slope, s.out);
}

void conv2d_dgrad_direct(Exec& exec, const Conv2dArgs<float>& s) {
  convolve(exec, {s.a, s.h, s.w, s.co, s.k, false}, s.n * s.h * s.w, s.ci, s.prepared, nullptr, 1.f, s.out);
}

// dw = dy' x, where rows of x are neighbourhoods; as [co][size], or turned around where that has less padding. The
// sum over pixels is split by threads, and the parts are added up in their order.
void conv2d_wgrad_direct(Exec& exec, const Conv2dArgs<float>& s) {
  const Simd& f = simd_for(exec.isa());
  const Neighbourhood in{s.a, s.h, s.w, s.ci, s.k, s.upsampled};
  const std::int64_t size = in.size(), pixels = s.n * s.h * s.w;
  const bool turned = size * padded(s.co) < s.co * padded(size);
  const std::int64_t rows = turned ? size : s.co, width = turned ? s.co : size, columns = padded(width);
  // The right-hand matrix needs whole columns; the left-hand one is read in place where it is plain.
  const bool gather = turned ? !in.plain() : !in.plain() || columns != width, copy = turned && columns != width;
  const std::int64_t x_row = turned ? size : columns;
  const std::int64_t parts = std::clamp<std::int64_t>(pixels * size * s.co / 65536, 1, exec.threads());
  const std::int64_t chunk = std::min(direct_chunk(size + s.co), (pixels + parts - 1) / parts);
  const std::int64_t gathered = gather ? padded(chunk * x_row) : 0, copied = copy ? padded(chunk * columns) : 0;
  const std::int64_t share = gathered + copied + rows * columns;
  float* memory = exec.library<Workspace>().get(share * parts);
  const auto sums_of = [&](std::int64_t part) { return memory + part * share + gathered + copied; };
  parallel_for(exec, parts, 1, [&](std::int64_t part, std::int64_t last_part) {
    for (; part < last_part; ++part) {
      float* const neighbours = memory + part * share;
      float* const gradients = neighbours + gathered;
      const std::int64_t begin = pixels * part / parts, end = pixels * (part + 1) / parts;
      for (std::int64_t first = begin; first < end; first += chunk) {
        const std::int64_t count = std::min(chunk, end - first);
        const float *x = s.a + first * size, *dy = s.b + first * s.co;
        if (gather) {
          in.gather(first, count, neighbours, x_row);
          x = neighbours;
        }
        if (copy) {
          for (std::int64_t i = 0; i < count; ++i) {
            std::copy_n(dy + i * s.co, s.co, gradients + i * columns);
            std::fill_n(gradients + i * columns + s.co, columns - s.co, 0.f);
          }
          dy = gradients;
        }
        if (turned)
          f.multiply(x, 1, size, dy, columns, sums_of(part), columns, rows, columns, count, first > begin);
        else
          f.multiply(dy, 1, s.co, x, gather ? columns : size, sums_of(part), columns, rows, columns, count,
                     first > begin);
      }
    }
  });
  parallel_for(exec, s.co, std::max<std::int64_t>(1, kGrain / size), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o)
      for (std::int64_t i = 0; i < size; ++i) {
        const std::int64_t at = turned ? i * columns + o : o * columns + i;
        float sum = sums_of(0)[at];
        for (std::int64_t part = 1; part < parts; ++part) sum += sums_of(part)[at];
        s.out[o * size + i] = s.alpha * sum;
      }
  });
}

}  // namespace pgad
