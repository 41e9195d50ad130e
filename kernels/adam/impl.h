#pragma once
#include "kernels/adam/adam.h"

namespace pgad {
void adam_cpu(Exec&, const AdamArgs<float>&);
void ema_cpu(Exec&, const EmaArgs<float>&);
void squared_norm_cpu(Exec&, const SquaredNormArgs<float>&);
PGAD_DECLARE_CUDA(adam_cuda, AdamArgs<float>)
PGAD_DECLARE_CUDA(ema_cuda, EmaArgs<float>)
PGAD_DECLARE_CUDA(squared_norm_cuda, SquaredNormArgs<float>)
}  // namespace pgad
