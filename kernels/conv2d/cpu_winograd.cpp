// 3x3 convolutions by Winograd's algorithm on the CPU: driver of the vector code in winograd_simd.inc.
//
// Each thread takes a share of the tiles and works through it in chunks that stay in its cache: transform the chunk's
// input, 36 matrix products, transform back. A tile's result does not depend on the chunk or the batch it is in.

#include "kernels/conv2d/impl.h"
#include "kernels/conv2d/winograd.h"
#include "kernels/parallel.h"
#include "kernels/simd.h"
#include "kernels/workspace.h"

namespace pgad {

namespace {

using namespace winograd;

// Tiles of `channels` floats in sum, so many that a chunk takes half a megabyte: it
// stays in a second-level cache of usual size.
std::int64_t chunk_for(std::int64_t channels) {
  constexpr std::int64_t bytes = 512 * 1024;
  return std::max<std::int64_t>(12, bytes / (kElements * 4 * channels) / 12 * 12);
}

// Elements lie a cache line more than a power of two apart, else all 36 would fall into the same cache set.
Transformed transformed(float* data, std::int64_t tiles, std::int64_t channels) {
  return {data, tiles * padded(channels) + kPad, padded(channels)};
}
std::int64_t floats_of(std::int64_t tiles, std::int64_t channels) {
  return kElements * (tiles * padded(channels) + kPad);
}

// body(i, lines) for each i < n, at least `grain` of them a thread; `lines` is that thread's own memory of so many
// floats, behind the first `used` of the workspace.
template <class Body>
void with_lines(Exec& exec, std::int64_t n, std::int64_t grain, std::int64_t used, std::int64_t floats,
                const Body& body) {
  const std::int64_t parts = std::clamp<std::int64_t>(n / grain, 1, exec.threads());
  float* memory = exec.library<Workspace>().get(used + parts * floats) + used;
  parallel_for(exec, parts, 1, [&](std::int64_t part, std::int64_t last_part) {
    for (; part < last_part; ++part)
      for (std::int64_t i = n * part / parts; i < n * (part + 1) / parts; ++i) body(i, memory + part * floats);
  });
}

// y = a(conv(x) + bias) with transformed weights u [36][in.c][padded(out.c)].
void convolve(Exec& exec, const Tiling& in, const Tiling& out, const float* x, const float* u, const float* bias,
              float slope, float* y) {
  const Simd& f = simd_for(exec.isa());
  const std::int64_t tiles = in.count(), parts = std::min<std::int64_t>(exec.threads(), tiles);
  const std::int64_t chunk = std::min(chunk_for(padded(in.c) + padded(out.c)), (tiles + parts - 1) / parts);
  const std::int64_t input_floats = floats_of(chunk, in.c), share = input_floats + floats_of(chunk, out.c);
  float* memory = exec.library<Workspace>().get(share * parts);
  const std::int64_t columns = padded(out.c);
  parallel_for(exec, parts, 1, [&](std::int64_t part, std::int64_t last_part) {
    for (; part < last_part; ++part) {
      float* mine = memory + part * share;
      const Transformed v = transformed(mine, chunk, in.c), m = transformed(mine + input_floats, chunk, out.c);
      const std::int64_t end = tiles * (part + 1) / parts;
      for (std::int64_t first = tiles * part / parts; first < end; first += chunk) {
        const std::int64_t count = std::min(chunk, end - first);
        f.winograd.input(x, in, first, count, v);
        for (int e = 0; e < kElements; ++e)
          f.multiply(v.data + e * v.element, v.tile, 1, u + e * in.c * columns, columns, m.data + e * m.element, m.tile,
                     count, columns, in.c, false);
        f.winograd.output(m, out, first, count, bias, slope, y);
      }
    }
  });
}

}  // namespace

bool winograd_serves(const Conv2dArgs<float>& s) {
  // Depends on nothing but an image's shape: the same image must have the same result in any batch.
  return s.k == 3 && s.h >= 8 && s.w >= 8 && s.ci >= kPad && s.co >= kPad;
}

std::int64_t winograd_weight_floats(const Conv2dArgs<float>& s, bool adjoint) {
  return kElements * (adjoint ? s.co * padded(s.ci) : s.ci * padded(s.co));
}

void winograd_weights(Exec& exec, const Conv2dArgs<float>& s, bool adjoint, float* u) {
  if (adjoint) {  // [36][co][padded ci], filters of one output channel side by side in w
    const std::int64_t row = padded(s.ci);
    parallel_for(exec, s.co, std::max<std::int64_t>(1, 512 / s.ci), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t o = begin; o < end; ++o) {
        simd_for(exec.isa()).winograd.filters(s.b + o * 9 * s.ci, s.ci, s.ci, true, s.alpha, u + o * row, s.co * row);
        for (int e = 0; e < kElements; ++e)
          for (std::int64_t c = s.ci; c < row; ++c) u[(e * s.co + o) * row + c] = 0.f;
      }
    });
    return;
  }
  // [36][ci][padded co]: as above for 16 output channels, then transposed.
  const std::int64_t row = padded(s.co), blocks = row / kPad;
  const std::int64_t grain = std::max<std::int64_t>(1, 512 / (16 * s.ci));
  with_lines(exec, blocks, grain, 0, kElements * kPad * s.ci, [&](std::int64_t block, float* lines) {
    const std::int64_t first = block * kPad, count = std::min(kPad, s.co - first);
    for (std::int64_t o = 0; o < count; ++o)
      simd_for(exec.isa()).winograd.filters(s.b + (first + o) * 9 * s.ci, s.ci, s.ci, false, s.alpha, lines + o * s.ci, kPad * s.ci);
    for (std::int64_t e = 0; e < kElements; ++e)
      for (std::int64_t c = 0; c < s.ci; ++c)
        for (std::int64_t o = 0; o < kPad; ++o)
          u[(e * s.ci + c) * row + first + o] = o < count ? lines[(e * kPad + o) * s.ci + c] : 0.f;
  });
}

void conv2d_winograd(Exec& exec, const Conv2dArgs<float>& s, const float* bias, float slope) {
  convolve(exec, {s.n, s.h, s.w, s.ci, s.upsampled}, {s.n, s.h, s.w, s.co}, s.a, s.prepared, bias, slope, s.out);
}

void conv2d_dgrad_winograd(Exec& exec, const Conv2dArgs<float>& s) {
  convolve(exec, {s.n, s.h, s.w, s.co}, {s.n, s.h, s.w, s.ci}, s.a, s.prepared, nullptr, 1.f, s.out);
}

void conv2d_wgrad_winograd(Exec& exec, const Conv2dArgs<float>& s) {
  const Simd& f = simd_for(exec.isa());
  const Tiling in{s.n, s.h, s.w, s.ci, s.upsampled}, out{s.n, s.h, s.w, s.co};
  const std::int64_t tiles = in.count(), parts = std::min<std::int64_t>(exec.threads(), tiles);
  const std::int64_t chunk = std::min(2 * chunk_for(padded(s.ci) + padded(s.co)), (tiles + parts - 1) / parts);
  const std::int64_t columns = padded(s.co), sum_floats = kElements * s.ci * columns;
  const std::int64_t input_floats = floats_of(chunk, s.ci), output_floats = floats_of(chunk, s.co);
  const std::int64_t share = input_floats + output_floats + sum_floats, line_floats = (kElements + 9) * s.co;
  float* memory = exec.library<Workspace>().get(share * parts + line_floats * exec.threads());
  const auto sums_of = [&](std::int64_t part) { return memory + part * share + input_floats + output_floats; };
  parallel_for(exec, parts, 1, [&](std::int64_t part, std::int64_t last_part) {
    for (; part < last_part; ++part) {
      float* mine = memory + part * share;
      const Transformed v = transformed(mine, chunk, s.ci), m = transformed(mine + input_floats, chunk, s.co);
      const std::int64_t begin = tiles * part / parts, end = tiles * (part + 1) / parts;
      for (std::int64_t first = begin; first < end; first += chunk) {
        const std::int64_t count = std::min(chunk, end - first);
        f.winograd.input(s.a, in, first, count, v);
        f.winograd.output_adjoint(s.b, out, first, count, m);
        for (int e = 0; e < kElements; ++e)
          f.multiply(v.data + e * v.element, 1, v.tile, m.data + e * m.element, m.tile,
                     sums_of(part) + e * s.ci * columns, columns, s.ci, columns, count, first > begin);
      }
    }
  });
  // The threads' sums in their order, then back: [36][ci][co] -> [co][3][3][ci].
  const std::int64_t grain = std::max<std::int64_t>(1, 512 / s.co);
  with_lines(exec, s.ci, grain, share * parts, line_floats, [&](std::int64_t c, float* lines) {
    float* gradients = lines + kElements * s.co;
    for (std::int64_t e = 0; e < kElements; ++e) {
      float* line = lines + e * s.co;
      std::copy_n(sums_of(0) + (e * s.ci + c) * columns, s.co, line);
      for (std::int64_t part = 1; part < parts; ++part) {
        const float* other = sums_of(part) + (e * s.ci + c) * columns;
        for (std::int64_t o = 0; o < s.co; ++o) line[o] += other[o];
      }
    }
    f.winograd.filter_gradients(lines, s.co, s.co, s.alpha, gradients, s.co);
    for (std::int64_t o = 0; o < s.co; ++o)
      for (std::int64_t k = 0; k < 9; ++k) s.out[(o * 9 + k) * s.ci + c] = gradients[k * s.co + o];
  });
}

}  // namespace pgad
