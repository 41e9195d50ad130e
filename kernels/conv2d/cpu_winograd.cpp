// 3x3 convolutions by Winograd's algorithm on the CPU: driver of the vector code in winograd_simd.inc.
//
// Each thread takes a share of the tiles and works through it in chunks that stay in its cache: transform the chunk's
// input, 36 matrix products, transform back. A tile's result does not depend on the chunk or the batch it is in.

#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "kernels/conv2d/impl.h"
#include "kernels/conv2d/winograd.h"
#include "kernels/parallel.h"

namespace pgad {

const winograd::Simd*& winograd::version() {
#if defined(__x86_64__)
  static const Simd* chosen = __builtin_cpu_supports("x86-64-v4")   ? &kAvx512
                              : __builtin_cpu_supports("x86-64-v3") ? &kAvx2
                                                                    : nullptr;
#else
  static const Simd* chosen = nullptr;
#endif
  return chosen;
}

namespace {

using namespace winograd;

// Memory of the threads, kept from call to call.
struct Workspace {
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  std::unique_ptr<float, Free> memory;
  std::size_t floats = 0;

  float* get(std::size_t wanted) {
    if (wanted > floats) {
      memory.reset();
      memory.reset(
          static_cast<float*>(std::aligned_alloc(kAlignment, (wanted * 4 + kAlignment - 1) / kAlignment * kAlignment)));
      if (!memory) throw std::bad_alloc();
      floats = wanted;
    }
    return memory.get();
  }
};

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
std::size_t floats_of(std::int64_t tiles, std::int64_t channels) {
  return static_cast<std::size_t>(kElements * (tiles * padded(channels) + kPad));
}

// y = a(conv(x) + bias) with transformed weights u [36][in.c][padded(out.c)].
void convolve(Exec& exec, const Tiling& in, const Tiling& out, const float* x, const float* u, const float* bias,
              float slope, float* y) {
  const Simd& f = *version();
  const std::int64_t tiles = in.count(), parts = std::min<std::int64_t>(exec.threads(), tiles);
  const std::int64_t chunk = std::min(chunk_for(padded(in.c) + padded(out.c)), (tiles + parts - 1) / parts);
  const std::size_t input_floats = floats_of(chunk, in.c), share = input_floats + floats_of(chunk, out.c);
  float* memory = exec.library<Workspace>().get(share * static_cast<std::size_t>(parts));
  const std::int64_t columns = padded(out.c);
  parallel_for(exec, parts, 1, [&](std::int64_t part, std::int64_t last_part) {
    for (; part < last_part; ++part) {
      float* mine = memory + static_cast<std::size_t>(part) * share;
      const Transformed v = transformed(mine, chunk, in.c), m = transformed(mine + input_floats, chunk, out.c);
      const std::int64_t end = tiles * (part + 1) / parts;
      for (std::int64_t first = tiles * part / parts; first < end; first += chunk) {
        const std::int64_t count = std::min(chunk, end - first);
        f.input(x, in, first, count, v);
        for (int e = 0; e < kElements; ++e)
          f.multiply(v.data + e * v.element, v.tile, 1, u + e * in.c * columns, columns, m.data + e * m.element, m.tile,
                     count, columns, in.c, false);
        f.output(m, out, first, count, bias, slope, y);
      }
    }
  });
}

}  // namespace

bool winograd_serves(const Conv2dArgs<float>& s) {
  // Depends on nothing but an image's shape: the same image must have the same result in any batch.
  return version() != nullptr && s.k == 3 && s.h >= 8 && s.w >= 8 && s.ci >= kPad && s.co >= kPad;
}

std::int64_t winograd_weight_floats(const Conv2dArgs<float>& s, bool adjoint) {
  return kElements * (adjoint ? s.co * padded(s.ci) : s.ci * padded(s.co));
}

void winograd_weights(Exec& exec, const Conv2dArgs<float>& s, bool adjoint, float* u) {
  if (adjoint) {  // [36][co][padded ci], filters of one output channel side by side in w
    const std::int64_t row = padded(s.ci);
    parallel_for(exec, s.co, std::max<std::int64_t>(1, 512 / s.ci), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t o = begin; o < end; ++o) {
        version()->filters(s.b + o * 9 * s.ci, s.ci, s.ci, true, s.alpha, u + o * row, s.co * row);
        for (int e = 0; e < kElements; ++e)
          for (std::int64_t c = s.ci; c < row; ++c) u[(e * s.co + o) * row + c] = 0.f;
      }
    });
    return;
  }
  // [36][ci][padded co]: as above for 16 output channels, then transposed.
  const std::int64_t row = padded(s.co), blocks = row / kPad;
  parallel_for(exec, blocks, std::max<std::int64_t>(1, 512 / (16 * s.ci)), [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> lines(static_cast<std::size_t>(kElements * kPad * s.ci), 0.f);
    for (std::int64_t block = begin; block < end; ++block) {
      const std::int64_t first = block * kPad, count = std::min(kPad, s.co - first);
      for (std::int64_t o = 0; o < count; ++o)
        version()->filters(s.b + (first + o) * 9 * s.ci, s.ci, s.ci, false, s.alpha, lines.data() + o * s.ci,
                           kPad * s.ci);
      for (std::int64_t e = 0; e < kElements; ++e)
        for (std::int64_t c = 0; c < s.ci; ++c)
          for (std::int64_t o = 0; o < kPad; ++o)
            u[(e * s.ci + c) * row + first + o] =
                o < count ? lines[static_cast<std::size_t>((e * kPad + o) * s.ci + c)] : 0.f;
    }
  });
}

void conv2d_winograd(Exec& exec, const Conv2dArgs<float>& s, const float* bias, float slope) {
  convolve(exec, {s.n, s.h, s.w, s.ci, s.upsampled}, {s.n, s.h, s.w, s.co}, s.a, s.prepared, bias, slope, s.out);
}

void conv2d_dgrad_winograd(Exec& exec, const Conv2dArgs<float>& s) {
  convolve(exec, {s.n, s.h, s.w, s.co}, {s.n, s.h, s.w, s.ci}, s.a, s.prepared, nullptr, 1.f, s.out);
}

void conv2d_wgrad_winograd(Exec& exec, const Conv2dArgs<float>& s) {
  const Simd& f = *version();
  const Tiling in{s.n, s.h, s.w, s.ci, s.upsampled}, out{s.n, s.h, s.w, s.co};
  const std::int64_t tiles = in.count(), parts = std::min<std::int64_t>(exec.threads(), tiles);
  const std::int64_t chunk = std::min(2 * chunk_for(padded(s.ci) + padded(s.co)), (tiles + parts - 1) / parts);
  const std::int64_t columns = padded(s.co), sum_floats = kElements * s.ci * columns;
  const std::size_t input_floats = floats_of(chunk, s.ci), output_floats = floats_of(chunk, s.co);
  const std::size_t share = input_floats + output_floats + static_cast<std::size_t>(sum_floats);
  float* memory = exec.library<Workspace>().get(share * static_cast<std::size_t>(parts));
  const auto sums_of = [&](std::int64_t part) {
    return memory + static_cast<std::size_t>(part) * share + input_floats + output_floats;
  };
  parallel_for(exec, parts, 1, [&](std::int64_t part, std::int64_t last_part) {
    for (; part < last_part; ++part) {
      float* mine = memory + static_cast<std::size_t>(part) * share;
      const Transformed v = transformed(mine, chunk, s.ci), m = transformed(mine + input_floats, chunk, s.co);
      const std::int64_t begin = tiles * part / parts, end = tiles * (part + 1) / parts;
      for (std::int64_t first = begin; first < end; first += chunk) {
        const std::int64_t count = std::min(chunk, end - first);
        f.input(s.a, in, first, count, v);
        f.output_adjoint(s.b, out, first, count, m);
        for (int e = 0; e < kElements; ++e)
          f.multiply(v.data + e * v.element, 1, v.tile, m.data + e * m.element, m.tile,
                     sums_of(part) + e * s.ci * columns, columns, s.ci, columns, count, first > begin);
      }
    }
  });
  // The threads' sums in their order, then back: [36][ci][co] -> [co][3][3][ci].
  parallel_for(exec, s.ci, std::max<std::int64_t>(1, 512 / s.co), [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> lines(static_cast<std::size_t>((kElements + 9) * s.co));
    float* gradients = lines.data() + kElements * s.co;
    for (std::int64_t c = begin; c < end; ++c) {
      for (std::int64_t e = 0; e < kElements; ++e) {
        float* line = lines.data() + e * s.co;
        std::copy_n(sums_of(0) + (e * s.ci + c) * columns, s.co, line);
        for (std::int64_t part = 1; part < parts; ++part) {
          const float* other = sums_of(part) + (e * s.ci + c) * columns;
          for (std::int64_t o = 0; o < s.co; ++o) line[o] += other[o];
        }
      }
      f.filter_gradients(lines.data(), s.co, s.co, s.alpha, gradients, s.co);
      for (std::int64_t o = 0; o < s.co; ++o)
        for (std::int64_t k = 0; k < 9; ++k) s.out[(o * 9 + k) * s.ci + c] = gradients[k * s.co + o];
    }
  });
}

}  // namespace pgad
