#include "kernels/matmul/impl.h"

namespace pgad {

bool matmul_by_vendor(Exec& exec, const MatmulArgs<float>& args) {
#ifdef PGAD_HAVE_CUDA
  if (exec.device().type == DeviceType::kCuda) return matmul_cublas(exec, args);
#endif
  return false;
}

}  // namespace pgad
