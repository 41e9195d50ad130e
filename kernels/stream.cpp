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

using Stream = void (*)(float*, const float*, std::int64_t, float);

#if defined(__x86_64__)
__attribute__((target("avx512f"))) void stream_lines(float* out, const float* x, std::int64_t n, float alpha) {
  std::int64_t i = to_aligned(out, n);
  store(out, x, i, alpha);
  for (; i + 16 <= n; i += 16) _mm512_stream_ps(out + i, _mm512_mul_ps(_mm512_set1_ps(alpha), _mm512_loadu_ps(x + i)));
  store(out + i, x + i, n - i, alpha);
}

void stream_quarters(float* out, const float* x, std::int64_t n, float alpha) {
  std::int64_t i = to_aligned(out, n);
  store(out, x, i, alpha);
  for (; i + 16 <= n; i += 16)
    for (int k = 0; k < 16; k += 4) _mm_stream_ps(out + i + k, _mm_mul_ps(_mm_set1_ps(alpha), _mm_loadu_ps(x + i + k)));
  store(out + i, x + i, n - i, alpha);
}

const Stream kStream = __builtin_cpu_supports("avx512f") ? stream_lines : stream_quarters;
#else
const Stream kStream = store;
#endif

}  // namespace

void stream(float* out, const float* x, std::int64_t n, float alpha) { kStream(out, x, n, alpha); }

void stream_fence() {
#if defined(__x86_64__)
  _mm_sfence();
#endif
}

}  // namespace pgad
