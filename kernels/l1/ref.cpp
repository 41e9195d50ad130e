#include <cmath>

#include "kernels/l1/impl.h"

namespace pgad {

template <class T>
void l1_ref(Exec&, const L1Args<T>& p) {
  for (std::int64_t n = 0; n < p.n; ++n) {
    double sum = 0;
    for (std::int64_t j = n * p.m; j < (n + 1) * p.m; ++j) {
      sum += std::fabs(static_cast<double>(p.x[j]) - static_cast<double>(p.y[j]));
      p.dx[j] = p.beta * (T(p.x[j] > p.y[j]) - T(p.x[j] < p.y[j]));
    }
    p.loss[n] = static_cast<T>(static_cast<double>(p.alpha) * sum);
  }
}

const Kernel<L1Args> kL1 = {"l1", l1_ref<float>, l1_ref<double>, l1_cpu, PGAD_CUDA_COLUMNS(l1_cuda)};

}  // namespace pgad
