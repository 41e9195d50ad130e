#pragma once
#include "kernels/pixelnorm/pixelnorm.h"

namespace pgad {
void pixelnorm_cpu(Exec&, const PixelnormArgs<float>&);
void pixelnorm_vjp_cpu(Exec&, const PixelnormVjpArgs<float>&);
void pixelnorm_act_vjp_cpu(Exec&, const PixelnormActVjpArgs<float>&);
}  // namespace pgad
