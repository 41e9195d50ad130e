#pragma once
#include "kernels/bias_act/bias_act.h"

namespace pgad {
template <class T>
void bias_act_ref(Exec&, const BiasActArgs<T>& s) {
  for (std::int64_t r = 0; r < s.rows; ++r)
    for (std::int64_t c = 0; c < s.c; ++c) {
      const T v = s.x[r * s.c + c] + (s.b ? s.b[c] : T(0));
      s.y[r * s.c + c] = v > 0 ? v : s.slope * v;
    }
}
void bias_act_cpu(Exec&, const BiasActArgs<float>&);
void act_grad_cpu(Exec&, const ActGradArgs<float>&);
PGAD_DECLARE_CUDA(bias_act_cuda, BiasActArgs<float>)
PGAD_DECLARE_CUDA(act_grad_cuda, ActGradArgs<float>)
}  // namespace pgad
