#include <cmath>

#include "kernels/latent_step/impl.h"

namespace pgad {

template <class T>
void latent_step_ref(Exec&, const LatentStepArgs<T>& s) {
  for (std::int64_t n = 0; n < s.n; ++n) {
    const T* rate = s.rate + 4 * n;
    if (rate[3] == 0) continue;
    T *z = s.z + n * s.d, *m = s.m + n * s.d, *v = s.v + n * s.d;
    const T* g = s.g + n * s.d;
    if (s.loss[n] < s.best_loss[n]) {
      s.best_loss[n] = s.loss[n];
      for (std::int64_t i = 0; i < s.d; ++i) s.best_z[n * s.d + i] = z[i];
      for (const auto& c : s.companions)
        for (std::int64_t i = 0; i < c.size; ++i) c.best[n * c.size + i] = c.now[n * c.size + i];
    }
    double norm = 0;
    for (std::int64_t i = 0; i < s.d; ++i) norm += static_cast<double>(g[i]) * g[i];
    if (!std::isfinite(norm)) continue;
    double square = 0;
    for (std::int64_t i = 0; i < s.d; ++i) {
      m[i] = s.beta1 * m[i] + (T(1) - s.beta1) * g[i];
      v[i] = s.beta2 * v[i] + (T(1) - s.beta2) * g[i] * g[i];
      z[i] -= rate[0] * (m[i] * rate[1]) / (std::sqrt(v[i] * rate[2]) + s.epsilon);
      square += static_cast<double>(z[i]) * z[i];
    }
    const T scale = static_cast<T>(std::sqrt(static_cast<double>(s.d) / square));
    for (std::int64_t i = 0; i < s.d; ++i) z[i] *= scale;
  }
}

// A few kilobytes per image: the plain loops are the CPU version as well.
const Kernel<LatentStepArgs> kLatentStep = {"latent_step", latent_step_ref<float>, latent_step_ref<double>, nullptr,
                                            PGAD_CUDA_COLUMNS(latent_step_cuda)};

}  // namespace pgad
