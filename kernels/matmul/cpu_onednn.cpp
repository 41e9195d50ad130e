#include <algorithm>
#include <oneapi/dnnl/dnnl.hpp>

#include "kernels/matmul/impl.h"
#include "kernels/workspace.h"

namespace pgad {
namespace {

void sgemm(const MatmulArgs<float>& s) {
  const dnnl::status status = dnnl::sgemm(s.ta ? 'T' : 'N', s.tb ? 'T' : 'N', s.m, s.n, s.k, s.alpha, s.a,
                                          s.ta ? s.m : s.k, s.b, s.tb ? s.k : s.n, 0.f, s.c, s.n);
  PGAD_CHECK(status == dnnl::status::success, "oneDNN sgemm of ", s.m, "x", s.n, "x", s.k, " returned ",
             static_cast<int>(status));
}

}  // namespace

// A single row is computed as the first of two equal ones: oneDNN has a separate routine for vectors that adds up in
// another order, and an image's result must not depend on whether it is alone in its batch.
void matmul_onednn(Exec& exec, const MatmulArgs<float>& s) {
  if (s.m != 1 || s.ta) return sgemm(s);
  float* a = exec.library<Workspace>().get(2 * (s.k + s.n));
  float* c = a + 2 * s.k;
  std::copy_n(s.a, s.k, a);
  std::copy_n(s.a, s.k, a + s.k);
  MatmulArgs<float> two = s;
  two.m = 2;
  two.a = a;
  two.c = c;
  sgemm(two);
  std::copy_n(c, s.n, s.c);
}

}  // namespace pgad
