#pragma once
#include "kernels/l1/l1.h"

namespace pgad {
void l1_cpu(Exec&, const L1Args<float>&);
PGAD_DECLARE_CUDA(l1_cuda, L1Args<float>)
}  // namespace pgad
