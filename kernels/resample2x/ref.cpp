#include "kernels/resample2x/impl.h"

namespace pgad {

template <class T>
void upsample2x_ref(Exec&, const Resample2xArgs<T>& p) {
  for (std::int64_t row = 0; row < p.n * p.h; ++row)
    for (std::int64_t j = 0; j < p.w; ++j)
      for (std::int64_t c = 0; c < p.c; ++c)
        for (std::int64_t a = 0; a < 2; ++a)
          for (std::int64_t b = 0; b < 2; ++b)
            p.y[((2 * row + a) * 2 * p.w + 2 * j + b) * p.c + c] = p.alpha * p.x[(row * p.w + j) * p.c + c];
}

template <class T>
void sum_pool2x_ref(Exec&, const Resample2xArgs<T>& p) {
  for (std::int64_t row = 0; row < p.n * p.h; ++row)
    for (std::int64_t j = 0; j < p.w; ++j)
      for (std::int64_t c = 0; c < p.c; ++c) {
        double s = 0;
        for (std::int64_t a = 0; a < 2; ++a)
          for (std::int64_t b = 0; b < 2; ++b) s += p.x[((2 * row + a) * 2 * p.w + 2 * j + b) * p.c + c];
        p.y[(row * p.w + j) * p.c + c] = static_cast<T>(p.alpha * s);
      }
}

const Kernel<Resample2xArgs> kUpsample2x = {"upsample2x", upsample2x_ref<float>, upsample2x_ref<double>, upsample2x_cpu,
                                            PGAD_CUDA_COLUMNS(upsample2x_cuda)};
const Kernel<Resample2xArgs> kSumPool2x = {"sum_pool2x", sum_pool2x_ref<float>, sum_pool2x_ref<double>, sum_pool2x_cpu,
                                           PGAD_CUDA_COLUMNS(sum_pool2x_cuda)};

}  // namespace pgad
