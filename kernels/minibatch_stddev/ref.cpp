#include <cmath>

#include "kernels/minibatch_stddev/impl.h"

namespace pgad {
namespace {

struct Moments {
  double mean, stddev;
};

template <class T>
Moments moments(const T* x, std::int64_t g, std::int64_t stride) {
  double sum = 0, square = 0;
  for (std::int64_t i = 0; i < g; ++i) sum += x[i * stride];
  const double mean = sum / static_cast<double>(g);
  for (std::int64_t i = 0; i < g; ++i) square += (x[i * stride] - mean) * (x[i * stride] - mean);
  return {mean, std::sqrt(square / static_cast<double>(g) + kMinibatchStddevEpsilon)};
}

}  // namespace

template <class T>
void minibatch_stddev_ref(Exec&, const MinibatchStddevArgs<T>& s) {
  for (std::int64_t j = 0; j < s.m; ++j) {
    double sum = 0;
    for (std::int64_t p = 0; p < s.p; ++p) sum += moments(s.x + j * s.p + p, s.g, s.m * s.p).stddev;
    s.y[j] = static_cast<T>(sum / static_cast<double>(s.p));
  }
}

template <class T>
void minibatch_stddev_vjp_ref(Exec&, const MinibatchStddevVjpArgs<T>& s) {
  for (std::int64_t j = 0; j < s.m; ++j)
    for (std::int64_t p = 0; p < s.p; ++p) {
      const Moments m = moments(s.x + j * s.p + p, s.g, s.m * s.p);
      for (std::int64_t i = 0; i < s.g; ++i) {
        const std::int64_t at = (i * s.m + j) * s.p + p;
        s.dx[at] = static_cast<T>(s.dy[j] * (s.x[at] - m.mean) / (static_cast<double>(s.p * s.g) * m.stddev));
      }
    }
}

const Kernel<MinibatchStddevArgs> kMinibatchStddev = {"minibatch_stddev", minibatch_stddev_ref<float>,
                                                      minibatch_stddev_ref<double>, minibatch_stddev_cpu,
                                                      PGAD_CUDA_COLUMNS(minibatch_stddev_cuda)};
const Kernel<MinibatchStddevVjpArgs> kMinibatchStddevVjp = {"minibatch_stddev_vjp", minibatch_stddev_vjp_ref<float>,
                                                            minibatch_stddev_vjp_ref<double>, minibatch_stddev_vjp_cpu,
                                                            PGAD_CUDA_COLUMNS(minibatch_stddev_vjp_cuda)};

}  // namespace pgad
