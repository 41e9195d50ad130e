#pragma once
#include "kernels/elementwise/elementwise.h"

namespace pgad {
template <class T>
void unary_ref(Exec&, const UnaryArgs<T>&);
void unary_cpu(Exec&, const UnaryArgs<float>&);
void binary_cpu(Exec&, const BinaryArgs<float>&);
void scale_by_cpu(Exec&, const ScaleByArgs<float>&);
void fill_cpu(Exec&, const FillArgs<float>&);
PGAD_DECLARE_CUDA(unary_cuda, UnaryArgs<float>)
PGAD_DECLARE_CUDA(binary_cuda, BinaryArgs<float>)
PGAD_DECLARE_CUDA(scale_by_cuda, ScaleByArgs<float>)
PGAD_DECLARE_CUDA(fill_cuda, FillArgs<float>)
}  // namespace pgad
