#include "kernels/extra_map/impl.h"

namespace pgad {

template <class T>
void append_map_ref(Exec&, const AppendMapArgs<T>& p) {
  for (std::int64_t row = 0; row < p.n * p.pixels; ++row) {
    T* y = p.y + row * (p.c + 1);
    for (std::int64_t c = 0; c < p.c; ++c) y[c] = p.x ? p.x[row * p.c + c] : T(0);
    y[p.c] = p.s ? p.s[row / p.pixels % p.m] : T(0);
  }
}

template <class T>
void drop_map_ref(Exec&, const DropMapArgs<T>& p) {
  for (std::int64_t row = 0; row < p.rows; ++row)
    for (std::int64_t c = 0; c < p.c; ++c) p.x[row * p.c + c] = p.y[row * (p.c + 1) + c];
}

template <class T>
void sum_map_ref(Exec&, const SumMapArgs<T>& p) {
  for (std::int64_t j = 0; j < p.m; ++j) {
    double sum = 0;
    for (std::int64_t n = j; n < p.n; n += p.m)
      for (std::int64_t i = 0; i < p.pixels; ++i) sum += p.y[((n * p.pixels + i) + 1) * (p.c + 1) - 1];
    p.s[j] = static_cast<T>(sum);
  }
}

const Kernel<AppendMapArgs> kAppendMap = {"append_map", append_map_ref<float>, append_map_ref<double>, append_map_cpu,
                                          PGAD_CUDA_COLUMNS(append_map_cuda)};
const Kernel<DropMapArgs> kDropMap = {"drop_map", drop_map_ref<float>, drop_map_ref<double>, drop_map_cpu,
                                      PGAD_CUDA_COLUMNS(drop_map_cuda)};
const Kernel<SumMapArgs> kSumMap = {"sum_map", sum_map_ref<float>, sum_map_ref<double>, sum_map_cpu,
                                    PGAD_CUDA_COLUMNS(sum_map_cuda)};

}  // namespace pgad
