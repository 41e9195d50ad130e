#pragma once
#include "kernels/matmul/matmul.h"

namespace pgad {
void matmul_cpu(Exec&, const MatmulArgs<float>&);
// By cuBLAS (builds with CUDA). False: it is not installed.
bool matmul_cublas(Exec&, const MatmulArgs<float>&);
// Ours or cuBLAS's.
void matmul_chosen(Exec&, const MatmulArgs<float>&);
PGAD_DECLARE_CUDA(matmul_cuda, MatmulArgs<float>)
}  // namespace pgad
