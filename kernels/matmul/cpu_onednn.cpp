#include <oneapi/dnnl/dnnl.hpp>

#include "kernels/matmul/impl.h"

namespace pgad {

void matmul_onednn(Exec&, const MatmulArgs<float>& s) {
  const dnnl::status status =
      dnnl::sgemm(s.ta ? 'T' : 'N', s.tb ? 'T' : 'N', s.m, s.n, s.k, s.alpha, s.a, s.ta ? s.m : s.k, s.b,
                  s.tb ? s.k : s.n, 0.f, s.c, s.n);
  PGAD_CHECK(status == dnnl::status::success, "oneDNN sgemm of ", s.m, "x", s.n, "x", s.k, " returned ",
             static_cast<int>(status));
}

}  // namespace pgad
