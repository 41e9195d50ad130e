#include <cmath>

#include "kernels/pixelnorm/impl.h"

namespace pgad {

template <class T>
void pixelnorm_ref(Exec&, const PixelnormArgs<T>& s) {
  for (std::int64_t row = 0; row < s.rows; ++row) {
    const T* x = s.x + row * s.c;
    double square = 0;
    for (std::int64_t c = 0; c < s.c; ++c) square += static_cast<double>(x[c]) * x[c];
    const double r = 1 / std::sqrt(square / static_cast<double>(s.c) + kPixelnormEpsilon);
    for (std::int64_t c = 0; c < s.c; ++c) s.y[row * s.c + c] = static_cast<T>(x[c] * r);
    if (s.r != nullptr) s.r[row] = static_cast<T>(r);
  }
}

template <class T>
void pixelnorm_vjp_ref(Exec&, const PixelnormVjpArgs<T>& s) {
  for (std::int64_t row = 0; row < s.rows; ++row) {
    const T* x = s.x + row * s.c;
    const T* dy = s.dy + row * s.c;
    double square = 0, dot = 0;
    for (std::int64_t c = 0; c < s.c; ++c) {
      square += static_cast<double>(x[c]) * x[c];
      dot += static_cast<double>(x[c]) * dy[c];
    }
    const double count = static_cast<double>(s.c);
    const double r = 1 / std::sqrt(square / count + kPixelnormEpsilon);
    for (std::int64_t c = 0; c < s.c; ++c)
      s.dx[row * s.c + c] = static_cast<T>(r * dy[c] - x[c] * (r * r * r * dot / count));
  }
}

template <class T>
void pixelnorm_act_vjp_ref(Exec&, const PixelnormActVjpArgs<T>& s) {
  for (std::int64_t row = 0; row < s.rows; ++row) {
    const T* y = s.y + row * s.c;
    const T* dy = s.dy + row * s.c;
    double dot = 0;
    for (std::int64_t c = 0; c < s.c; ++c) dot += static_cast<double>(y[c]) * dy[c];
    const double mean = dot / static_cast<double>(s.c);
    for (std::int64_t c = 0; c < s.c; ++c)
      s.dx[row * s.c + c] =
          static_cast<T>((y[c] > 0 ? 1.0 : static_cast<double>(s.slope)) * s.r[row] * (dy[c] - y[c] * mean));
  }
}

const Kernel<PixelnormArgs> kPixelnorm = {"pixelnorm", pixelnorm_ref<float>, pixelnorm_ref<double>, pixelnorm_cpu,
                                          PGAD_CUDA_COLUMNS(pixelnorm_cuda)};
const Kernel<PixelnormVjpArgs> kPixelnormVjp = {"pixelnorm_vjp", pixelnorm_vjp_ref<float>, pixelnorm_vjp_ref<double>,
                                                pixelnorm_vjp_cpu, PGAD_CUDA_COLUMNS(pixelnorm_vjp_cuda)};
const Kernel<PixelnormActVjpArgs> kPixelnormActVjp = {"pixelnorm_act_vjp", pixelnorm_act_vjp_ref<float>,
                                                      pixelnorm_act_vjp_ref<double>, pixelnorm_act_vjp_cpu,
                                                      PGAD_CUDA_COLUMNS(pixelnorm_act_vjp_cuda)};

}  // namespace pgad
