// Convolutions on a GPU: implicit matrix products, by the main loop of cuda_gemm.h. No operand is rearranged in memory.
//
//            rows        columns     depth       operands
//   conv2d   pixels      co          taps x ci   Windows of x,   w as [co][taps x ci]
//   dgrad    pixels      ci          taps x co   Windows of dy,  w mirrored as [taps x co][ci]
//   wgrad    co          taps x ci   pixels      dy as [pixels][co],  Windows of x

#include "kernels/conv2d/impl.h"
#include "kernels/cuda_gemm.h"
#include "simt/simt.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

using gemm::Epilogue, gemm::Operand, gemm::Plain;

// Lines: an image's pixels. Places: the k x k window about a pixel, [p][q][c], zero outside the image.
struct Windows {
  struct Line {
    const float* image;
    int i, j;
  };
  struct Place {
    int p, q, c;
  };
  const float* data;
  const float* end;
  int h, w, channels, k;
  int half;  // 1: the image in memory has half of h and w, and each pixel stands for four; else 0

  __device__ int image_floats() const { return (h >> half) * (w >> half) * channels; }
  __device__ Line line(int pixel) const {
    const int row = pixel / w, n = row / h;
    return {data + static_cast<std::int64_t>(n) * image_floats(), row - n * h, pixel - row * w};
  }
  __device__ Place place(int i) const {
    const int tap = i / channels, p = tap / k;
    return {p, tap - p * k, i - tap * channels};
  }
  __device__ void advance(Line& l, int step) const {
    for (l.j += step; l.j >= w; l.j -= w) {
      if (++l.i < h) continue;
      l.i = 0;
      l.image += image_floats();
    }
  }
  __device__ void advance(Place& s, int step) const {
    for (s.c += step; s.c >= channels; s.c -= channels) {
      if (++s.q < k) continue;
      s.q = 0;
      ++s.p;
    }
  }
  __device__ const float* at(const Line& l, const Place& s) const {
    const int i = l.i + s.p - k / 2, j = l.j + s.q - k / 2;
    const bool inside = l.image < end && s.p < k && i >= 0 && i < h && j >= 0 && j < w;
    return inside ? l.image + ((i >> half) * (w >> half) + (j >> half)) * channels + s.c : nullptr;
  }
};

// The weights w[co][taps][ci] as dgrad sees them. Lines: taps, last first, and co. Places: ci.
struct MirroredWeights {
  struct Line {
    int tap, o;  // the tap in memory; -1 past the end
  };
  struct Place {
    int at;
  };
  const float* data;
  int co, taps, ci;

  __device__ Line line(int i) const { return {taps - 1 - i / co, i % co}; }
  __device__ Place place(int c) const { return {c}; }
  __device__ void advance(Line& l, int step) const {
    for (l.o += step; l.o >= co; l.o -= co) --l.tap;
  }
  __device__ const float* at(const Line& l, const Place& c) const {
    return l.tap >= 0 && c.at < ci ? data + (static_cast<std::int64_t>(l.o) * taps + l.tap) * ci + c.at : nullptr;
  }
};

Windows windows(const Conv2dArgs<float>& s, std::int64_t channels) {
  using gemm::to_int;
  const int half = s.upsampled ? 1 : 0;
  const std::int64_t image = (s.h >> half) * (s.w >> half) * channels;
  PGAD_CHECK(s.k % 2 == 1, "kernel size ", s.k);
  PGAD_CHECK(!s.upsampled || (s.h % 2 == 0 && s.w % 2 == 0), "odd size ", s.h, " x ", s.w, " of an upsampled image");
  to_int(image);  // an image's own offsets are 32-bit
  return {s.a, s.a + s.n * image, to_int(s.h), to_int(s.w), to_int(channels), to_int(s.k), half};
}

bool by_fours(const Conv2dArgs<float>& s, bool ci, bool co) {
  return (!ci || s.ci % 4 == 0) && (!co || s.co % 4 == 0) && aligned(s.a, s.b);
}

// An image's result must not depend on its batch: the depth is split as for a batch of that many images.
constexpr std::int64_t kUsualBatch = 16;
int depth_per_split(const Conv2dArgs<float>& s, std::int64_t columns, std::int64_t depth) {
  return gemm::depth_per_split(kUsualBatch * s.h * s.w, columns, depth);
}

void forward(Exec& exec, const char* name, const Conv2dArgs<float>& s, const float* bias, float slope) {
  const std::int64_t depth = s.k * s.k * s.ci;
  const Operand<Windows, true> x{windows(s, s.ci)};
  const Operand<Plain, true> w{{s.b, gemm::to_int(s.co), gemm::to_int(depth)}};
  gemm::gemm(exec, name, x, w, s.n * s.h * s.w, s.co, depth, depth_per_split(s, s.co, depth),
             {s.out, s.alpha, bias, slope}, by_fours(s, true, false));
}

}  // namespace

void conv2d_cuda(Exec& exec, const Conv2dArgs<float>& s) { forward(exec, "conv2d", s, nullptr, 1.0f); }

void conv2d_bias_act_cuda(Exec& exec, const Conv2dBiasActArgs<float>& s) {
  forward(exec, "conv2d_bias_act", s.conv, s.bias, s.slope);
}

void conv2d_dgrad_cuda(Exec& exec, const Conv2dArgs<float>& s) {
  const std::int64_t taps = s.k * s.k, depth = taps * s.co;
  const Operand<Windows, true> dy{windows(s, s.co)};
  const Operand<MirroredWeights, false> w{{s.b, gemm::to_int(s.co), gemm::to_int(taps), gemm::to_int(s.ci)}};
  gemm::gemm(exec, "conv2d_dgrad", dy, w, s.n * s.h * s.w, s.ci, depth, depth_per_split(s, s.ci, depth),
             {s.out, s.alpha, nullptr, 1.0f}, by_fours(s, true, true));
}

void conv2d_wgrad_cuda(Exec& exec, const Conv2dArgs<float>& s) {
  const std::int64_t columns = s.k * s.k * s.ci, pixels = s.n * s.h * s.w;
  const Operand<Plain, false> dy{{s.b, gemm::to_int(pixels), gemm::to_int(s.co)}};
  const Operand<Windows, false> x{windows(s, s.ci)};
  gemm::gemm(exec, "conv2d_wgrad", dy, x, s.co, columns, pixels, gemm::depth_per_split(s.co, columns, pixels),
             {s.out, s.alpha, nullptr, 1.0f}, by_fours(s, true, true));
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
