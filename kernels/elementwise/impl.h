#pragma once
#include "kernels/elementwise/elementwise.h"

namespace pgad {
template <class T>
void unary_ref(Exec&, const UnaryArgs<T>&);
void unary_cpu(Exec&, const UnaryArgs<float>&);
void binary_cpu(Exec&, const BinaryArgs<float>&);
void scale_by_cpu(Exec&, const ScaleByArgs<float>&);
void fill_cpu(Exec&, const FillArgs<float>&);
}  // namespace pgad
