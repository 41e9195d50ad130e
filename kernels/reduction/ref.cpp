#include "kernels/reduction/impl.h"

namespace pgad {
namespace {

using Sizes = std::array<std::int64_t, 4>;

// Calls body(k, at): k counts the elements of a box of these sizes, at = sum of index * stride.
template <class Body>
void for_each(const Sizes& sizes, const Sizes& strides, const Body& body) {
  std::int64_t k = 0;
  for (std::int64_t a = 0; a < sizes[0]; ++a)
    for (std::int64_t b = 0; b < sizes[1]; ++b)
      for (std::int64_t c = 0; c < sizes[2]; ++c)
        for (std::int64_t d = 0; d < sizes[3]; ++d)
          body(k++, a * strides[0] + b * strides[1] + c * strides[2] + d * strides[3]);
}

template <class T>
struct Box {
  Sizes kept, reduced, strides;  // of the large side
  explicit Box(const ReductionArgs<T>& p) {
    std::int64_t stride = 1;
    for (std::size_t d = 4; d-- > 0; stride *= p.dims[d]) {
      kept[d] = p.reduce[d] ? 1 : p.dims[d];
      reduced[d] = p.reduce[d] ? p.dims[d] : 1;
      strides[d] = stride;
    }
  }
};

}  // namespace

template <class T>
void sum_ref(Exec&, const ReductionArgs<T>& p) {
  const Box<T> box(p);
  for_each(box.kept, box.strides, [&](std::int64_t j, std::int64_t first) {
    double sum = 0;
    for_each(box.reduced, box.strides, [&](std::int64_t, std::int64_t i) { sum += p.x[first + i]; });
    p.y[j] = static_cast<T>(p.alpha * sum);
  });
}

template <class T>
void broadcast_ref(Exec&, const ReductionArgs<T>& p) {
  const Box<T> box(p);
  for_each(box.kept, box.strides, [&](std::int64_t j, std::int64_t first) {
    for_each(box.reduced, box.strides, [&](std::int64_t, std::int64_t i) { p.y[first + i] = p.alpha * p.x[j]; });
  });
}

template void sum_ref<float>(Exec&, const ReductionArgs<float>&);
template void broadcast_ref<float>(Exec&, const ReductionArgs<float>&);

const Kernel<ReductionArgs> kSum = {"sum", sum_ref<float>, sum_ref<double>, sum_cpu, PGAD_CUDA_COLUMNS(sum_cuda)};
const Kernel<ReductionArgs> kBroadcast = {"broadcast", broadcast_ref<float>, broadcast_ref<double>, broadcast_cpu,
                                          PGAD_CUDA_COLUMNS(broadcast_cuda)};

}  // namespace pgad
