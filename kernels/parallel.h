#pragma once
// Splitting loops over the Exec's threads, and vector code for whichever x86 the program meets.

#include <algorithm>
#include <cstdint>

#include "engine/exec.h"

// Compiles a function for AVX-512, AVX2 and the baseline; the loader picks. (Sanitizers run before the loader's choice
// is possible, so they get the baseline.)
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define PGAD_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define PGAD_SIMD
#endif

namespace pgad {

// Calls body(begin, end) on contiguous parts of [0, n), at least `grain` long, at most one a thread. The parts must be
// independent: how many there are depends on the thread count, so a sum must not be split by this.
template <class Body>
void parallel_for(const Exec& exec, std::int64_t n, std::int64_t grain, const Body& body) {
  const std::int64_t parts =
      std::clamp<std::int64_t>(n / std::max<std::int64_t>(1, grain), 1, std::max(1, exec.threads()));
  if (parts == 1) {
    body(std::int64_t{0}, n);
    return;
  }
#pragma omp parallel for num_threads(static_cast <int>(parts)) schedule(static, 1)
  for (std::int64_t part = 0; part < parts; ++part) body(n * part / parts, n * (part + 1) / parts);
}

// Elements per part below which starting a thread costs more than it saves.
inline constexpr std::int64_t kGrain = 8192;

// Elements of a result beyond which it is better written past the caches: it would push everything else out of them,
// and a line that is only written need not be read first.
inline constexpr std::int64_t kStreamed = 1 << 21;

// out = alpha x, past the caches. Whoever has streamed calls stream_fence() before the thread's part ends.
void stream(float* out, const float* x, std::int64_t n, float alpha = 1.f);
void stream_fence();

}  // namespace pgad
