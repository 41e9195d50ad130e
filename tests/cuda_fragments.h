#pragma once
// Kernels that show which element of a matrix each lane's register holds.

#include "kernels/kernel.h"

namespace pgad {

inline constexpr int kLanes = 32;
enum Ldmatrix { kX4, kX4Trans, kLdmatrixForms };

struct FragmentsArgs {
  // [elements of A][lane][4]: D where A is 1 in that element, counted by lane, and B holds 1, 2, ... counted by lane.
  float* bf16;  // 256 elements of A
  float* tf32;  // 128
  // [lane][8]: what a lane receives of four matrices that hold 0, 1, 2, ... by rows
  float* ldmatrix[kLdmatrixForms];
};
PGAD_DECLARE_CUDA(dump_fragments, FragmentsArgs)

}  // namespace pgad
