#pragma once
// Winograd's minimal filtering F(4x4, 3x3) (Winograd 1980; Lavin & Gray, CVPR 2016), for 3x3 convolutions.
//
// An output tile Y of 4x4 pixels comes from the 6x6 input pixels D around it: Y = A^T [sum_ci (G w G^T) o (B^T D B)] A,
// o elementwise. The sum over channels is a matrix product for each of the 36 elements, with a quarter of the direct
// algorithm's multiplications. The three transforms follow from polynomials interpolated at 0, a, -a, b, -b and
// infinity. a = 3/4, b = 3/2 instead of the usual 1 and 2: all matrix entries but 1/N are exact in binary, and the
// error is about twice the direct algorithm's (tests/winograd_test.cpp).
//
// The gradients are the adjoints of the same three maps: dgrad is a convolution with mirrored, transposed weights, and
// wgrad is dw = G^T [sum_tiles (B^T D B) o (A dY A^T)] G.
//
// This header declares the pieces for one thread; cpu_winograd.cpp puts them together. They are compiled once per
// instruction set from winograd_simd.inc (kernels/simd.h).

#include <cstdint>

namespace pgad::winograd {

inline constexpr int kTile = 4;           // side of an output tile, pixels
inline constexpr int kElements = 36;      // of a transformed tile

// Images [n][h][w][c] cut into tiles: row by row, image by image. At the right and lower edge tiles may stick out.
// upsampled: in memory they have half the height and width.
struct Tiling {
  std::int64_t n, h, w, c;
  bool upsampled = false;
  std::int64_t rows() const { return (h + kTile - 1) / kTile; }
  std::int64_t columns() const { return (w + kTile - 1) / kTile; }
  std::int64_t count() const { return n * rows() * columns(); }
};

// A transformed set of tiles: element e of tile t, channel i at data[e * element + t * tile + i].
struct Transformed {
  float* data;
  std::int64_t element, tile;
};

// One thread's pieces; kernels/simd.h has them for each instruction set.
struct Transforms {
  // v = B^T D B of tiles [first, first + count); pixels outside the image are 0. Channels behind c up to padded(c)
  // become 0 (kernels/simd.h).
  void (*input)(const float* x, const Tiling& tiling, std::int64_t first, std::int64_t count, const Transformed& v);
  // y = a(A^T m A + bias), a the leaky ReLU; bias may be null (then there is no activation).
  void (*output)(const Transformed& m, const Tiling& tiling, std::int64_t first, std::int64_t count, const float* bias,
                 float slope, float* y);
  // e = A dY A^T; pixels outside the image are 0.
  void (*output_adjoint)(const float* dy, const Tiling& tiling, std::int64_t first, std::int64_t count,
                         const Transformed& e);
  // u = alpha G w G^T of n filters side by side: tap k of filter i is w[k * w_step + i] (mirrored: tap 8 - k), element
  // e becomes u[e * u_step + i].
  void (*filters)(const float* w, std::int64_t w_step, std::int64_t n, bool mirrored, float alpha, float* u,
                  std::int64_t u_step);
  // dw = alpha G^T u G, likewise.
  void (*filter_gradients)(const float* u, std::int64_t u_step, std::int64_t n, float alpha, float* dw,
                           std::int64_t w_step);
};

}  // namespace pgad::winograd
