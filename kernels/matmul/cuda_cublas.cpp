// Matrix products by cuBLAS, where it is installed: an alternative to cuda.cu, chosen by measurement only.

#include <cublas_v2.h>

#include <limits>

#include "kernels/cuda_library.h"
#include "kernels/cuda_workspace.h"
#include "kernels/matmul/impl.h"

namespace pgad {
namespace {

// One of the header's overloads.
using GemmEx = cublasStatus_t(cublasHandle_t, cublasOperation_t, cublasOperation_t, int m, int n, int k,
                              const void* alpha, const void* a, cudaDataType, int lda, const void* b, cudaDataType,
                              int ldb, const void* beta, void* c, cudaDataType, int ldc, cublasComputeType_t,
                              cublasGemmAlgo_t);
static_assert(sizeof(static_cast<GemmEx*>(cublasGemmEx)) > 0);

struct Cublas {
  CudaLibrary library{"libcublas.so.13", "libcublas.so.12"};
  decltype(cublasCreate_v2)* create = nullptr;
  decltype(cublasDestroy_v2)* destroy = nullptr;
  decltype(cublasSetStream_v2)* set_stream = nullptr;
  decltype(cublasSetWorkspace_v2)* set_workspace = nullptr;
  GemmEx* gemm = nullptr;
  cublasHandle_t handle = nullptr;
  CudaWorkspace workspace;

  Cublas() {
    library.find(create, "cublasCreate_v2");
    library.find(destroy, "cublasDestroy_v2");
    library.find(set_stream, "cublasSetStream_v2");
    library.find(set_workspace, "cublasSetWorkspace_v2");
    library.find(gemm, "cublasGemmEx");
  }
  ~Cublas() {
    if (handle != nullptr) destroy(handle);
  }

  static void check(cublasStatus_t status, const char* what) {
    if (status != CUBLAS_STATUS_SUCCESS) throw DeviceError(str(what, ": cuBLAS status ", static_cast<int>(status)));
  }
  // A workspace of our own, or captured graphs would share cuBLAS's, which it may give back.
  void open(Exec& exec) {
    if (handle != nullptr) return;
    constexpr std::int64_t kFloats = std::int64_t{8} << 20;  // what cuBLAS itself takes on compute capability 9.0
    check(create(&handle), "cublasCreate");
    check(set_stream(handle, static_cast<cudaStream_t>(exec.stream())), "cublasSetStream");
    check(set_workspace(handle, workspace.get(exec, kFloats), kFloats * sizeof(float)), "cublasSetWorkspace");
  }
};

int to_int(std::int64_t value) {
  PGAD_CHECK(value <= std::numeric_limits<int>::max(), value, " is too long for cuBLAS");
  return static_cast<int>(value);
}

}  // namespace

bool matmul_cublas(Exec& exec, const MatmulArgs<float>& s) {
  auto& cublas = exec.library<Cublas>();
  if (!cublas.library.present()) return false;
  cublas.open(exec);
  const cublasComputeType_t type = exec.precision() == Precision::kFp32   ? CUBLAS_COMPUTE_32F
                                   : exec.precision() == Precision::kTf32 ? CUBLAS_COMPUTE_32F_FAST_TF32
                                                                          : CUBLAS_COMPUTE_32F_FAST_16BF;
  const auto flag = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  const float zero = 0.0f;
  // cuBLAS's matrices are column-major, so it sees all of ours transposed: c' = op(b)' op(a)'.
  Cublas::check(cublas.gemm(cublas.handle, flag(s.tb), flag(s.ta), to_int(s.n), to_int(s.m), to_int(s.k), &s.alpha, s.b,
                            CUDA_R_32F, to_int(s.tb ? s.k : s.n), s.a, CUDA_R_32F, to_int(s.ta ? s.m : s.k), &zero, s.c,
                            CUDA_R_32F, to_int(s.n), type, CUBLAS_GEMM_DEFAULT),
                "cublasGemmEx");
  return true;
}

}  // namespace pgad
