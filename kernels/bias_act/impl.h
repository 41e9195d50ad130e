#pragma once
#include "kernels/bias_act/bias_act.h"

namespace pgad {
void bias_act_cpu(Exec&, const BiasActArgs<float>&);
void act_grad_cpu(Exec&, const ActGradArgs<float>&);
}  // namespace pgad
