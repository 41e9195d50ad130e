#include <algorithm>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "kernels/matmul/impl.h"

namespace pgad {
namespace {

void sgemm(const MatmulArgs<float>& s) {
  const dnnl::status status = dnnl::sgemm(s.ta ? 'T' : 'N', s.tb ? 'T' : 'N', s.m, s.n, s.k, s.alpha, s.a,
                                          s.ta ? s.m : s.k, s.b, s.tb ? s.k : s.n, 0.f, s.c, s.n);
  PGAD_CHECK(status == dnnl::status::success, "oneDNN sgemm of ", s.m, "x", s.n, "x", s.k, " returned ",
             static_cast<int>(status));
}

struct Scratch {
  std::vector<float> a, c;
};

}  // namespace

// A single row is computed as the first of two equal ones: oneDNN has a separate routine for vectors that adds up in
// another order, and an image's result must not depend on whether it is alone in its batch.
void matmul_onednn(Exec& exec, const MatmulArgs<float>& s) {
  if (s.m != 1 || s.ta) return sgemm(s);
  auto& scratch = exec.library<Scratch>();
  scratch.a.resize(std::max(scratch.a.size(), static_cast<std::size_t>(2 * s.k)));
  scratch.c.resize(std::max(scratch.c.size(), static_cast<std::size_t>(2 * s.n)));
  std::copy_n(s.a, s.k, scratch.a.data());
  std::copy_n(s.a, s.k, scratch.a.data() + s.k);
  MatmulArgs<float> two = s;
  two.m = 2;
  two.a = scratch.a.data();
  two.c = scratch.c.data();
  sgemm(two);
  std::copy_n(scratch.c.data(), s.n, s.c);
}

}  // namespace pgad
