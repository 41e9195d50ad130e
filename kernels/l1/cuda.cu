// L1 distance and its gradient on CUDA: memory-bound. A sample's sum is made in parts (segment_sums in cuda_common.h);
// what is added up has been read for the gradient already.

#include "kernels/cuda_common.h"
#include "kernels/l1/impl.h"

namespace pgad::PGAD_CUDA_NAMESPACE {
namespace {

struct Distances {
  const float *x, *y;
  float* dx;
  std::int64_t m;
  float beta;
  template <int V>
  __device__ float sum(std::int64_t n, std::int64_t j) const {
    const std::int64_t at = n * m + j;
    const Floats<V> a = load<V>(x + at), b = load<V>(y + at);
    const auto sign = [factor = beta](float u, float v) {
      return factor * (static_cast<float>(u > v) - static_cast<float>(u < v));
    };
    store<V>(dx + at, each<V>(sign, a, b));
    return sum_of(each<V>([](float u, float v) { return fabsf(u - v); }, a, b));
  }
};

}  // namespace

void l1_cuda(Exec& exec, const L1Args<float>& p) {
  segment_sums(exec, "l1", Distances{p.x, p.y, p.dx, p.m, p.beta}, by_four(p.m, p.x, p.y, p.dx), p.n, p.m,
               static_cast<double>(p.alpha), p.loss);
}

}  // namespace pgad::PGAD_CUDA_NAMESPACE
