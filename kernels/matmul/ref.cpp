#include "kernels/matmul/impl.h"

namespace pgad {

template <class T>
void matmul_ref(Exec&, const MatmulArgs<T>& s) {
  for (std::int64_t i = 0; i < s.m; ++i)
    for (std::int64_t j = 0; j < s.n; ++j) {
      double sum = 0;
      for (std::int64_t l = 0; l < s.k; ++l)
        sum += static_cast<double>(s.ta ? s.a[l * s.m + i] : s.a[i * s.k + l]) *
               (s.tb ? s.b[j * s.k + l] : s.b[l * s.n + j]);
      s.c[i * s.n + j] = static_cast<T>(s.alpha * sum);
    }
}

const Kernel<MatmulArgs> kMatmul = {"matmul", matmul_ref<float>, matmul_ref<double>, matmul_cpu,
                                    PGAD_CHOSEN_COLUMNS(matmul_chosen, matmul_cuda)};

}  // namespace pgad
