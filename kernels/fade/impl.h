#pragma once
#include "kernels/fade/fade.h"

namespace pgad {
void fade_cpu(Exec&, const FadeArgs<float>&);
PGAD_DECLARE_CUDA(fade_cuda, FadeArgs<float>)
}  // namespace pgad
