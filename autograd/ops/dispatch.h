#pragma once
// For the ops' forward functions: a kernel call in the tensors' element type.

#include "kernels/kernel.h"

namespace pgad {

// Calls body(T{}) with T the element type.
template <class Body>
void with_element_type(DType dtype, const Body& body) {
  if (dtype == DType::kF32)
    body(float{});
  else
    body(double{});
}

}  // namespace pgad
