#pragma once
// c[m,n] = alpha * op(a)[m,k] op(b)[k,n], row-major; op transposes where ta / tb is set (then a is [k,m], b is [n,k]).

#include <cstdint>

#include "kernels/kernel.h"

namespace pgad {

template <class T>
struct MatmulArgs {
  std::int64_t m, n, k;
  bool ta, tb;
  T alpha;
  const T* a;
  const T* b;
  T* c;
  std::string label() const { return str(m, "x", n, "x", k, ta ? "  a'" : "", tb ? "  b'" : ""); }
  Cost cost() const {
    return {2.0 * static_cast<double>(m * n * k), static_cast<double>(m * k + k * n + m * n) * sizeof(T)};
  }
};
extern const Kernel<MatmulArgs> kMatmul;
// By cuBLAS, which on a GPU is what other products are measured by. False: no GPU, or it is not installed there.
bool matmul_by_vendor(Exec& exec, const MatmulArgs<float>& args);

}  // namespace pgad
