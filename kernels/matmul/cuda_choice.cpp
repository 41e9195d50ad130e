// The column `cuda` of matmul: our kernel and cuBLAS's, as the tuner has measured.

#include "kernels/matmul/impl.h"
#include "kernels/tuner.h"

namespace pgad {
namespace {

bool ours(Exec& exec, const MatmulArgs<float>& args) {
  cuda_native::matmul_cuda(exec, args);
  return true;
}

}  // namespace

void matmul_chosen(Exec& exec, const MatmulArgs<float>& s) {
  static constexpr Version<MatmulArgs<float>> kVersions[] = {{"hand-written", ours}, {"cuBLAS", matmul_cublas}};
  exec.library<Tuner>().run<MatmulArgs<float>>(exec, "matmul", s, kVersions, s.c, s.m * s.n);
}

}  // namespace pgad
