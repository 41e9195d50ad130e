#pragma once
#include "kernels/adam/adam.h"

namespace pgad {
void adam_cpu(Exec&, const AdamArgs<float>&);
void ema_cpu(Exec&, const EmaArgs<float>&);
}  // namespace pgad
