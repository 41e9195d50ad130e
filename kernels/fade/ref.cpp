#include "kernels/fade/impl.h"

namespace pgad {

template <class T>
void fade_ref(Exec&, const FadeArgs<T>& p) {
  for (std::int64_t i = 0; i < p.n; ++i) p.out[i] = (T(1) - p.t[0]) * p.a[i] + p.t[0] * p.b[i];
}

const Kernel<FadeArgs> kFade = {"fade", fade_ref<float>, fade_ref<double>, fade_cpu, PGAD_CUDA_COLUMNS(fade_cuda)};

}  // namespace pgad
