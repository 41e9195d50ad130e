#pragma once
#include "kernels/reduction/reduction.h"

namespace pgad {
template <class T>
void sum_ref(Exec&, const ReductionArgs<T>&);
template <class T>
void broadcast_ref(Exec&, const ReductionArgs<T>&);
void sum_cpu(Exec&, const ReductionArgs<float>&);
void broadcast_cpu(Exec&, const ReductionArgs<float>&);
}  // namespace pgad
