#pragma once
#include "kernels/minibatch_stddev/minibatch_stddev.h"

namespace pgad {
void minibatch_stddev_cpu(Exec&, const MinibatchStddevArgs<float>&);
void minibatch_stddev_vjp_cpu(Exec&, const MinibatchStddevVjpArgs<float>&);
PGAD_DECLARE_CUDA(minibatch_stddev_cuda, MinibatchStddevArgs<float>)
PGAD_DECLARE_CUDA(minibatch_stddev_vjp_cuda, MinibatchStddevVjpArgs<float>)
}  // namespace pgad
