#pragma once
#include "kernels/reduction/reduction.h"

namespace pgad {
template <class T>
void sum_ref(Exec&, const ReductionArgs<T>&);
template <class T>
void broadcast_ref(Exec&, const ReductionArgs<T>&);
void sum_cpu(Exec&, const ReductionArgs<float>&);
void broadcast_cpu(Exec&, const ReductionArgs<float>&);
PGAD_DECLARE_CUDA(sum_cuda, ReductionArgs<float>)
PGAD_DECLARE_CUDA(broadcast_cuda, ReductionArgs<float>)
}  // namespace pgad
