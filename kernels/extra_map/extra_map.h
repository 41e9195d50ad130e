#pragma once
// The map that minibatch-stddev adds behind an image's c channels, and the two halves of its adjoint. NHWC; sample n
// belongs to group n mod m.
//   append_map: y[n,i,j,:] = (x[n,i,j,:], s[n mod m]);  x or s may be null and count as zero then
//   drop_map:   x[n,i,j,:] = y[n,i,j,:c]
//   sum_map:    s[j] = sum over the samples of group j, and their pixels, of y[n,i,k,c]

#include <algorithm>
#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

template <class T>
struct AppendMapArgs {
  std::int64_t n, pixels, c, m;
  const T* x;
  const T* s;
  T* y;
  Cost cost() const { return {0, 2.0 * static_cast<double>(n * pixels * (c + 1)) * sizeof(T)}; }
};
extern const Kernel<AppendMapArgs> kAppendMap;

template <class T>
struct DropMapArgs {
  std::int64_t rows, c;  // rows = n * pixels; y has c + 1 channels
  const T* y;
  T* x;
  Cost cost() const { return {0, 2.0 * static_cast<double>(rows * c) * sizeof(T)}; }
};
extern const Kernel<DropMapArgs> kDropMap;

template <class T>
struct SumMapArgs {
  std::int64_t n, pixels, c, m;
  const T* y;
  T* s;
  Cost cost() const {  // memory comes in lines of 64 bytes
    const double row = std::min<double>(64, static_cast<double>(c + 1) * sizeof(T));
    return {static_cast<double>(n * pixels), static_cast<double>(n * pixels) * row};
  }
};
extern const Kernel<SumMapArgs> kSumMap;

}  // namespace pgad
