#include "kernels/bias_act/impl.h"
#include "kernels/conv2d/impl.h"

namespace pgad {
namespace {

// Walks the taps of output pixel (i, j) that fall inside the h x w image: body(p, q, ii, jj).
template <class Body>
void for_taps(std::int64_t i, std::int64_t j, std::int64_t h, std::int64_t w, std::int64_t k, const Body& body) {
  for (std::int64_t p = 0; p < k; ++p)
    for (std::int64_t q = 0; q < k; ++q) {
      const std::int64_t ii = i + p - k / 2, jj = j + q - k / 2;
      if (ii >= 0 && ii < h && jj >= 0 && jj < w) body(p, q, ii, jj);
    }
}

}  // namespace

// Where x has pixel (i, j) of image n.
template <class T>
std::int64_t pixel(const Conv2dArgs<T>& s, std::int64_t n, std::int64_t i, std::int64_t j) {
  return s.upsampled ? (n * (s.h / 2) + i / 2) * (s.w / 2) + j / 2 : (n * s.h + i) * s.w + j;
}

template <class T>
void conv2d_ref(Exec&, const Conv2dArgs<T>& s) {
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t i = 0; i < s.h; ++i)
      for (std::int64_t j = 0; j < s.w; ++j)
        for (std::int64_t o = 0; o < s.co; ++o) {
          double sum = 0;
          for_taps(i, j, s.h, s.w, s.k, [&](auto p, auto q, auto ii, auto jj) {
            for (std::int64_t c = 0; c < s.ci; ++c)
              sum +=
                  static_cast<double>(s.a[pixel(s, n, ii, jj) * s.ci + c]) * s.b[((o * s.k + p) * s.k + q) * s.ci + c];
          });
          s.out[((n * s.h + i) * s.w + j) * s.co + o] = static_cast<T>(s.alpha * sum);
        }
}

template <class T>
void conv2d_dgrad_ref(Exec&, const Conv2dArgs<T>& s) {
  for (std::int64_t n = 0; n < s.n; ++n)
    for (std::int64_t i = 0; i < s.h; ++i)
      for (std::int64_t j = 0; j < s.w; ++j)
        for (std::int64_t c = 0; c < s.ci; ++c) {
          double sum = 0;
          for_taps(i, j, s.h, s.w, s.k, [&](auto p, auto q, auto ii, auto jj) {
            // Output pixel (ii, jj) saw (i, j) through the mirrored tap.
            for (std::int64_t o = 0; o < s.co; ++o)
              sum += static_cast<double>(s.a[((n * s.h + ii) * s.w + jj) * s.co + o]) *
                     s.b[((o * s.k + (s.k - 1 - p)) * s.k + (s.k - 1 - q)) * s.ci + c];
          });
          s.out[((n * s.h + i) * s.w + j) * s.ci + c] = static_cast<T>(s.alpha * sum);
        }
}

template <class T>
void conv2d_wgrad_ref(Exec&, const Conv2dArgs<T>& s) {
  for (std::int64_t o = 0; o < s.co; ++o)
    for (std::int64_t p = 0; p < s.k; ++p)
      for (std::int64_t q = 0; q < s.k; ++q)
        for (std::int64_t c = 0; c < s.ci; ++c) {
          double sum = 0;
          for (std::int64_t n = 0; n < s.n; ++n)
            for (std::int64_t i = 0; i < s.h; ++i)
              for (std::int64_t j = 0; j < s.w; ++j) {
                const std::int64_t ii = i + p - s.k / 2, jj = j + q - s.k / 2;
                if (ii < 0 || ii >= s.h || jj < 0 || jj >= s.w) continue;
                sum += static_cast<double>(s.b[((n * s.h + i) * s.w + j) * s.co + o]) *
                       s.a[pixel(s, n, ii, jj) * s.ci + c];
              }
          s.out[((o * s.k + p) * s.k + q) * s.ci + c] = static_cast<T>(s.alpha * sum);
        }
}

template <class T>
void conv2d_bias_act_ref(Exec& exec, const Conv2dBiasActArgs<T>& s) {
  conv2d_ref(exec, s.conv);
  const Conv2dArgs<T>& c = s.conv;
  bias_act_ref(exec, BiasActArgs<T>{c.n * c.h * c.w, c.co, c.out, s.bias, c.out, s.slope});
}

// The reference convolutions use the weights as they are.
template <class T>
void conv2d_prepare_ref(Exec&, const Conv2dPrepareArgs<T>&) {}

const Kernel<Conv2dArgs> kConv2d = {"conv2d", conv2d_ref<float>, conv2d_ref<double>, conv2d_cpu,
                                    PGAD_CHOSEN_COLUMNS(conv2d_chosen, conv2d_cuda)};
const Kernel<Conv2dBiasActArgs> kConv2dBiasAct = {"conv2d_bias_act", conv2d_bias_act_ref<float>,
                                                  conv2d_bias_act_ref<double>, conv2d_bias_act_cpu,
                                                  PGAD_CHOSEN_COLUMNS(conv2d_bias_act_chosen, conv2d_bias_act_cuda)};
const Kernel<Conv2dArgs> kConv2dDgrad = {"conv2d_dgrad", conv2d_dgrad_ref<float>, conv2d_dgrad_ref<double>,
                                         conv2d_dgrad_cpu, PGAD_CHOSEN_COLUMNS(conv2d_dgrad_chosen, conv2d_dgrad_cuda)};
const Kernel<Conv2dArgs> kConv2dWgrad = {"conv2d_wgrad", conv2d_wgrad_ref<float>, conv2d_wgrad_ref<double>,
                                         conv2d_wgrad_cpu, PGAD_CHOSEN_COLUMNS(conv2d_wgrad_chosen, conv2d_wgrad_cuda)};
const Kernel<Conv2dPrepareArgs> kConv2dPrepare = {
    "conv2d_prepare", conv2d_prepare_ref<float>, conv2d_prepare_ref<double>, conv2d_prepare_cpu, nullptr, nullptr};

}  // namespace pgad
