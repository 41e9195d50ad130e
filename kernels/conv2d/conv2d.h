#pragma once
// 2-D convolution (cross-correlation), stride 1, odd k, zero padding k / 2, and its two adjoints. x, y NHWC; w OHWI.
//   conv2d:       y[n,i,j,o]  = alpha * sum_{p,q,c} x[n, i+p-k/2, j+q-k/2, c] w[o,p,q,c]
//   conv2d_dgrad: dx[n,i,j,c] = alpha * sum_{p,q,o} dy[n, i-p+k/2, j-q+k/2, o] w[o,p,q,c]
//   conv2d_wgrad: dw[o,p,q,c] = alpha * sum_{n,i,j} dy[n,i,j,o] x[n, i+p-k/2, j+q-k/2, c]
// Each is bilinear, and each one's derivatives are the other two. alpha carries the equalized learning rate's factor.

#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

template <class T>
struct Conv2dArgs {
  std::int64_t n, h, w, ci, co, k;
  T alpha;
  const T* a;  // conv2d: x    dgrad: dy   wgrad: x
  const T* b;  // conv2d: w    dgrad: w    wgrad: dy
  T* out;      // conv2d: y    dgrad: dx   wgrad: dw
};
extern const Kernel<Conv2dArgs> kConv2d;
extern const Kernel<Conv2dArgs> kConv2dDgrad;
extern const Kernel<Conv2dArgs> kConv2dWgrad;

// conv2d with what follows it in a network: y = a(conv2d(x, w) + b), a the leaky ReLU of bias_act (slope 1: linear).
// One pass over y instead of two.
template <class T>
struct Conv2dBiasActArgs {
  Conv2dArgs<T> conv;
  const T* bias;  // [co]
  T slope;
};
extern const Kernel<Conv2dBiasActArgs> kConv2dBiasAct;

}  // namespace pgad
