#include "kernels/bias_act/impl.h"

namespace pgad {

template <class T>
void act_grad_ref(Exec&, const ActGradArgs<T>& s) {
  for (std::int64_t i = 0; i < s.n; ++i) s.out[i] = s.y[i] > 0 ? s.dy[i] : s.slope * s.dy[i];
}

const Kernel<BiasActArgs> kBiasAct = {"bias_act", bias_act_ref<float>, bias_act_ref<double>, bias_act_cpu,
                                      PGAD_CUDA_COLUMNS(bias_act_cuda)};
const Kernel<ActGradArgs> kActGrad = {"act_grad", act_grad_ref<float>, act_grad_ref<double>, act_grad_cpu,
                                      PGAD_CUDA_COLUMNS(act_grad_cuda)};

}  // namespace pgad
