#pragma once
#include "kernels/pixelnorm/pixelnorm.h"

namespace pgad {
void pixelnorm_cpu(Exec&, const PixelnormArgs<float>&);
void pixelnorm_vjp_cpu(Exec&, const PixelnormVjpArgs<float>&);
void pixelnorm_act_vjp_cpu(Exec&, const PixelnormActVjpArgs<float>&);
PGAD_DECLARE_CUDA(pixelnorm_cuda, PixelnormArgs<float>)
PGAD_DECLARE_CUDA(pixelnorm_vjp_cuda, PixelnormVjpArgs<float>)
PGAD_DECLARE_CUDA(pixelnorm_act_vjp_cuda, PixelnormActVjpArgs<float>)
}  // namespace pgad
