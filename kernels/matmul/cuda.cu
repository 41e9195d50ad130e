// Matrix products on a GPU: the main loop of cuda_gemm.h on the operands as they lie.

#include "kernels/cuda_gemm.h"
#include "kernels/matmul/impl.h"
#include "simt/simt.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

// A row's result must not depend on m: the depth is split as for a batch of that many rows.
constexpr std::int64_t kUsualRows = 16;

template <bool kTa, bool kTb>
void multiply(Exec& exec, const MatmulArgs<float>& s) {
  using gemm::to_int;
  const gemm::Operand<gemm::Plain, !kTa> a{{s.a, to_int(kTa ? s.k : s.m), to_int(kTa ? s.m : s.k)}};
  const gemm::Operand<gemm::Plain, kTb> b{{s.b, to_int(kTb ? s.n : s.k), to_int(kTb ? s.k : s.n)}};
  const bool by_fours = a.matrix.width % 4 == 0 && b.matrix.width % 4 == 0 && aligned(s.a, s.b);
  gemm::gemm(exec, "matmul", a, b, s.m, s.n, s.k, gemm::depth_per_split(kUsualRows, s.n, s.k),
             {s.c, s.alpha, nullptr, 1.0f}, by_fours);
}

}  // namespace

void matmul_cuda(Exec& exec, const MatmulArgs<float>& s) {
  if (s.ta)
    s.tb ? multiply<true, true>(exec, s) : multiply<true, false>(exec, s);
  else
    s.tb ? multiply<false, true>(exec, s) : multiply<false, false>(exec, s);
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
