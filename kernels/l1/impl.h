#pragma once
#include "kernels/l1/l1.h"

namespace pgad {
void l1_cpu(Exec&, const L1Args<float>&);
void l1_vjp_cpu(Exec&, const L1VjpArgs<float>&);
PGAD_DECLARE_CUDA(l1_cuda, L1Args<float>)
PGAD_DECLARE_CUDA(l1_vjp_cuda, L1VjpArgs<float>)
}  // namespace pgad
