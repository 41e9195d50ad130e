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
  // conv2d, wgrad: x has half the height and width and is doubled (nearest neighbour) on reading.
  bool upsampled = false;
  const T* prepared = nullptr;  // conv2d, dgrad: w as kConv2dPrepare made it, where conv2d_prepared_floats() is not 0
  Cost cost() const {           // of the direct algorithm
    const double pixels = static_cast<double>(n * h * w), weights = static_cast<double>(k * k * ci * co);
    return {2 * pixels * weights, (pixels * static_cast<double>(ci + co) + weights) * sizeof(T)};
  }
  std::string label() const {
    return str(n, "x", h, "x", w, "  ", ci, " to ", co, "  ", k, "x", k, upsampled ? "  doubled" : "");
  }
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
  Cost cost() const { return conv.cost(); }
  std::string label() const { return conv.label(); }
};
extern const Kernel<Conv2dBiasActArgs> kConv2dBiasAct;

// Brings weights into the form that the fast kConv2d and kConv2dBiasAct (adjoint: kConv2dDgrad) want for a shape.
template <class T>
struct Conv2dPrepareArgs {
  Conv2dArgs<T> conv;  // of which n, a and out are not used
  bool adjoint;
  T* prepared;
  Cost cost() const {
    const double weights = static_cast<double>(9 * conv.ci * conv.co);
    return {20 * weights, 5 * weights * sizeof(T)};
  }
};
extern const Kernel<Conv2dPrepareArgs> kConv2dPrepare;
// Floats that it writes; 0: the weights are used as they are.
std::int64_t conv2d_prepared_floats(const Exec& exec, const Conv2dArgs<float>& args, bool adjoint);

}  // namespace pgad
