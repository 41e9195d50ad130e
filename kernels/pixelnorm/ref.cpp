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

const Kernel<PixelnormArgs> kPixelnorm = {"pixelnorm", pixelnorm_ref<float>, pixelnorm_ref<double>, pixelnorm_cpu,
                                          nullptr};
const Kernel<PixelnormVjpArgs> kPixelnormVjp = {"pixelnorm_vjp", pixelnorm_vjp_ref<float>, pixelnorm_vjp_ref<double>,
                                                pixelnorm_vjp_cpu, nullptr};

}  // namespace pgad
