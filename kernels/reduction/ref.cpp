#include <vector>

#include "kernels/reduction/impl.h"

namespace pgad {
namespace {

// Calls body(i, j): i walks the large side in order, j is its place on the small side.
template <class T, class Body>
void for_each_pair(const ReductionArgs<T>& p, const Body& body) {
  std::array<std::int64_t, 4> stride{};  // on the small side; 0 along reduced dimensions
  std::int64_t size = 1;
  for (std::size_t d = 4; d-- > 0;) {
    stride[d] = p.reduce[d] ? 0 : size;
    if (!p.reduce[d]) size *= p.dims[d];
  }
  std::int64_t i = 0;
  for (std::int64_t a = 0; a < p.dims[0]; ++a)
    for (std::int64_t b = 0; b < p.dims[1]; ++b)
      for (std::int64_t c = 0; c < p.dims[2]; ++c)
        for (std::int64_t d = 0; d < p.dims[3]; ++d)
          body(i++, a * stride[0] + b * stride[1] + c * stride[2] + d * stride[3]);
}

}  // namespace

template <class T>
void sum_ref(Exec&, const ReductionArgs<T>& p) {
  std::int64_t size = 1;
  for (std::size_t d = 0; d < 4; ++d) size *= p.reduce[d] ? 1 : p.dims[d];
  std::vector<double> sums(static_cast<std::size_t>(size), 0.0);
  for_each_pair(p, [&](std::int64_t i, std::int64_t j) { sums[static_cast<std::size_t>(j)] += p.x[i]; });
  for (std::int64_t j = 0; j < size; ++j) p.y[j] = static_cast<T>(p.alpha * sums[static_cast<std::size_t>(j)]);
}

template <class T>
void broadcast_ref(Exec&, const ReductionArgs<T>& p) {
  for_each_pair(p, [&](std::int64_t i, std::int64_t j) { p.y[i] = p.alpha * p.x[j]; });
}

template void sum_ref<float>(Exec&, const ReductionArgs<float>&);
template void broadcast_ref<float>(Exec&, const ReductionArgs<float>&);

const Kernel<ReductionArgs> kSum = {"sum", sum_ref<float>, sum_ref<double>, sum_cpu, nullptr};
const Kernel<ReductionArgs> kBroadcast = {"broadcast", broadcast_ref<float>, broadcast_ref<double>, broadcast_cpu,
                                          nullptr};

}  // namespace pgad
