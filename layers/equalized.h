#pragma once
// Convolution and dense layers with equalized learning rate (PGGAN section 4.1): weights are drawn from N(0, 1) and
// multiplied by gain / sqrt(fan_in) at run time; biases start at 0 and are not scaled.

#include <cmath>
#include <string>

#include "layers/parameter.h"

namespace pgad {

inline constexpr double kLeak = 0.2;                 // slope of the leaky ReLU
inline constexpr double kGain = 1.4142135623730951;  // sqrt(2), He et al.

struct EqualizedConv {
  Parameter weight;  // [co, k, k, ci]
  Parameter bias;    // [co]
  double factor;     // gain / sqrt(k^2 ci)
  double slope;      // of the activation; 1: linear

  EqualizedConv(Exec& exec, DType dtype, const std::string& name, int ci, int co, int k, double gain, double slope_);
  Var operator()(const Var& x) const;            // [n,h,w,ci] -> [n,h,w,co]
  Var normalised(const Var& x) const;            // with PixelNorm behind
  Var upsampled_normalised(const Var& x) const;  // with PixelNorm behind and doubling before
};

struct EqualizedDense {
  Parameter weight;  // [out, in]
  Parameter bias;    // [bias_size]
  double factor;     // gain / sqrt(in)

  EqualizedDense(Exec& exec, DType dtype, const std::string& name, int in, int out, int bias_size, FileOrder order,
                 double gain);
  Var product(const Var& x) const;  // [n, in] -> [n, out], before the bias
};

}  // namespace pgad
