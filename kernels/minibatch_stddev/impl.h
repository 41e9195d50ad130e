#pragma once
#include "kernels/minibatch_stddev/minibatch_stddev.h"

namespace pgad {
void minibatch_stddev_cpu(Exec&, const MinibatchStddevArgs<float>&);
void minibatch_stddev_vjp_cpu(Exec&, const MinibatchStddevVjpArgs<float>&);
}  // namespace pgad
