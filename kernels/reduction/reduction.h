#pragma once
// Sums over chosen dimensions, and their adjoint.
//   sum:       y[j] = alpha * sum over the reduced dimensions of x[i]
//   broadcast: y[i] = alpha * x[j]
// The large side has the sizes `dims`; on the small side each dimension with reduce[d] has size 1.
// The order of summation does not depend on the number of threads.

#include <array>
#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

template <class T>
struct ReductionArgs {
  std::array<std::int64_t, 4> dims;  // leading dimensions that do not exist are 1
  std::array<bool, 4> reduce;
  const T* x;
  T* y;
  T alpha;
  Cost cost() const {
    double large = 1, small = 1;
    for (std::size_t i = 0; i < dims.size(); ++i) {
      large *= static_cast<double>(dims[i]);
      if (!reduce[i]) small *= static_cast<double>(dims[i]);
    }
    return {large, (large + small) * sizeof(T)};
  }
};
extern const Kernel<ReductionArgs> kSum;
extern const Kernel<ReductionArgs> kBroadcast;

}  // namespace pgad
