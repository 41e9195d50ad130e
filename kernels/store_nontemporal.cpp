// Stores past the caches, whole lines at a time where the processor can.

#include "kernels/parallel.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace pgad {
namespace {

// Elements of out before the next line of 64 bytes.
[[maybe_unused]] std::int64_t to_aligned(const float* out, std::int64_t n) {
  const auto floats = static_cast<std::int64_t>((64 - reinterpret_cast<std::uintptr_t>(out) % 64) % 64 / sizeof(float));
  return std::min(n, floats);
}

void store(float* out, const float* x, std::int64_t n, float alpha) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = alpha * x[i];
}

}  // namespace

void store_nontemporal(float* out, const float* x, std::int64_t n, float alpha) {
#if defined(__x86_64__)
  std::int64_t i = to_aligned(out, n);
  store(out, x, i, alpha);
  for (; i + 16 <= n; i += 16)  // a line's quarters meet in the processor's write buffer
    for (int k = 0; k < 16; k += 4) _mm_stream_ps(out + i + k, _mm_mul_ps(_mm_set1_ps(alpha), _mm_loadu_ps(x + i + k)));
  store(out + i, x + i, n - i, alpha);
#else
  store(out, x, n, alpha);
#endif
}

void nontemporal_fence() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

}  // namespace pgad
