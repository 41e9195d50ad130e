#include <cmath>

#include "kernels/adam/impl.h"

namespace pgad {

template <class T>
void adam_ref(Exec&, const AdamArgs<T>& s) {
  if (!std::isfinite(s.gate[0])) return;
  for (std::int64_t i = 0; i < s.n; ++i) {
    s.m[i] = s.beta1 * s.m[i] + (T(1) - s.beta1) * s.g[i];
    s.v[i] = s.beta2 * s.v[i] + (T(1) - s.beta2) * s.g[i] * s.g[i];
    s.w[i] -= s.rate[0] * (s.m[i] * s.rate[1]) / (std::sqrt(s.v[i] * s.rate[2]) + s.epsilon);
  }
}

template <class T>
void ema_ref(Exec&, const EmaArgs<T>& s) {
  for (std::int64_t i = 0; i < s.n; ++i) s.ema[i] = (T(1) - s.t[0]) * s.ema[i] + s.t[0] * s.w[i];
}

template <class T>
void squared_norm_ref(Exec&, const SquaredNormArgs<T>& s) {
  double sum = 0;
  for (std::int64_t i = 0; i < s.n; ++i) sum += static_cast<double>(s.x[i]) * static_cast<double>(s.x[i]);
  s.out[0] = static_cast<T>(sum);
}

const Kernel<AdamArgs> kAdam = {"adam", adam_ref<float>, adam_ref<double>, adam_cpu, PGAD_CUDA_COLUMNS(adam_cuda)};
const Kernel<EmaArgs> kEma = {"ema", ema_ref<float>, ema_ref<double>, ema_cpu, PGAD_CUDA_COLUMNS(ema_cuda)};
const Kernel<SquaredNormArgs> kSquaredNorm = {"squared_norm", squared_norm_ref<float>, squared_norm_ref<double>,
                                              squared_norm_cpu, PGAD_CUDA_COLUMNS(squared_norm_cuda)};

}  // namespace pgad
