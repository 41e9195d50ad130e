#pragma once
#include "kernels/matmul/matmul.h"

namespace pgad {
void matmul_loops(Exec&, const MatmulArgs<float>&);
#ifdef PGAD_HAVE_ONEDNN
void matmul_onednn(Exec&, const MatmulArgs<float>&);
#endif
// By cuBLAS (builds with CUDA). False: it is not installed.
bool matmul_cublas(Exec&, const MatmulArgs<float>&);
// Ours or cuBLAS's.
void matmul_chosen(Exec&, const MatmulArgs<float>&);
PGAD_DECLARE_CUDA(matmul_cuda, MatmulArgs<float>)
}  // namespace pgad
