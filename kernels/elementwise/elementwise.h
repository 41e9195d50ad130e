#pragma once
// Elementwise maps over n contiguous elements. In-place (out == x) is allowed.

#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

enum class Unary {
  kAffine,      // a x + b
  kAbs,         // |x|
  kSign,        // -1, 0, 1
  kSquare,      // x^2
  kSqrt,        // sqrt(x)
  kReciprocal,  // 1 / x
  kSigmoid,     // 1 / (1 + e^-x)
  kSoftplus,    // ln(1 + e^x), without overflow
};
inline constexpr Unary kLastUnary = Unary::kSoftplus;

template <class T>
struct UnaryArgs {
  Unary op;
  std::int64_t n;
  const T* x;
  T* out;
  T a, b;  // kAffine only
  Cost cost() const { return {static_cast<double>(n), 2.0 * static_cast<double>(n) * sizeof(T)}; }
};
extern const Kernel<UnaryArgs> kUnary;

enum class Binary {
  kAxpby,  // a x + b y
  kMul,    // x y
};

template <class T>
struct BinaryArgs {
  Binary op;
  std::int64_t n;
  const T* x;
  const T* y;
  T* out;
  T a, b;  // kAxpby only
  Cost cost() const { return {2.0 * static_cast<double>(n), 3.0 * static_cast<double>(n) * sizeof(T)}; }
};
extern const Kernel<BinaryArgs> kBinary;

// out = (c0 + c1 t[0]) x; t is one element in device memory, so that a recorded step follows its changes.
template <class T>
struct ScaleByArgs {
  std::int64_t n;
  const T* x;
  const T* t;
  T* out;
  T c0, c1;
  Cost cost() const { return {static_cast<double>(n), 2.0 * static_cast<double>(n) * sizeof(T)}; }
};
extern const Kernel<ScaleByArgs> kScaleBy;

// out = value
template <class T>
struct FillArgs {
  std::int64_t n;
  T* out;
  T value;
  Cost cost() const { return {0, static_cast<double>(n) * sizeof(T)}; }
};
extern const Kernel<FillArgs> kFill;

}  // namespace pgad
