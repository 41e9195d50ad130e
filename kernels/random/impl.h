#pragma once
#include "kernels/random/random.h"

namespace pgad {
PGAD_DECLARE_CUDA(draw_latents_cuda, DrawLatentsArgs<float>)
}  // namespace pgad
