#include <cmath>

#include "kernels/adam/impl.h"

namespace pgad {

template <class T>
void adam_ref(Exec&, const AdamArgs<T>& s) {
  if (!std::isfinite(s.gate[0])) return;
  for (int k = 0; k < s.count; ++k) {
    const AdamTensor<T>& t = s.tensors[static_cast<std::size_t>(k)];
    for (std::int64_t i = 0; i < t.n; ++i) {
      t.m[i] = s.beta1 * t.m[i] + (T(1) - s.beta1) * t.g[i];
      t.v[i] = s.beta2 * t.v[i] + (T(1) - s.beta2) * t.g[i] * t.g[i];
      t.w[i] -= s.rate[0] * (t.m[i] * s.rate[1]) / (std::sqrt(t.v[i] * s.rate[2]) + s.epsilon);
    }
  }
}

template <class T>
void ema_ref(Exec&, const EmaArgs<T>& s) {
  for (int k = 0; k < s.count; ++k) {
    const EmaTensor<T>& t = s.tensors[static_cast<std::size_t>(k)];
    for (std::int64_t i = 0; i < t.n; ++i) t.ema[i] = (T(1) - s.t[0]) * t.ema[i] + s.t[0] * t.w[i];
  }
}

template <class T>
void squared_norm_ref(Exec&, const SquaredNormArgs<T>& s) {
  double sum = s.before ? static_cast<double>(s.before[0]) : 0.0;
  for (int k = 0; k < s.count; ++k) {
    const NormTensor<T>& t = s.tensors[static_cast<std::size_t>(k)];
    for (std::int64_t i = 0; i < t.n; ++i) sum += static_cast<double>(t.x[i]) * static_cast<double>(t.x[i]);
  }
  s.out[0] = static_cast<T>(sum);
}

const Kernel<AdamArgs> kAdam = {"adam", adam_ref<float>, adam_ref<double>, adam_cpu, PGAD_CUDA_COLUMNS(adam_cuda)};
const Kernel<EmaArgs> kEma = {"ema", ema_ref<float>, ema_ref<double>, ema_cpu, PGAD_CUDA_COLUMNS(ema_cuda)};
const Kernel<SquaredNormArgs> kSquaredNorm = {"squared_norm", squared_norm_ref<float>, squared_norm_ref<double>,
                                              squared_norm_cpu, PGAD_CUDA_COLUMNS(squared_norm_cuda)};

}  // namespace pgad
