#pragma once
#include "kernels/matmul/matmul.h"

namespace pgad {
void matmul_loops(Exec&, const MatmulArgs<float>&);
#ifdef PGAD_HAVE_ONEDNN
void matmul_onednn(Exec&, const MatmulArgs<float>&);
#endif
}  // namespace pgad
