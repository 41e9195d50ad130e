#pragma once
#include "kernels/conv2d_operand/conv2d_operand.h"

namespace pgad {
PGAD_DECLARE_CUDA(conv2d_operand_cuda, Conv2dOperandArgs<float>)
}  // namespace pgad
