#pragma once
#include "kernels/latent_step/latent_step.h"

namespace pgad {
PGAD_DECLARE_CUDA(latent_step_cuda, LatentStepArgs<float>)
}  // namespace pgad
