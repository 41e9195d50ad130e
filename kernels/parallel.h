#pragma once
// Splitting loops over the Exec's threads, and vector code for the Exec's instruction set.

#include <algorithm>
#include <cstdint>
#include <functional>

#include "engine/exec.h"
#include "engine/team.h"

namespace pgad {

// Calls body(begin, end) on contiguous parts of [0, n), at least `grain` long, at most one a thread (team.h). The
// parts must be independent: how many there are depends on the thread count, so a sum must not be split by this.
template <class Body>
void parallel_for(const Exec& exec, std::int64_t n, std::int64_t grain, const Body& body) {
  const std::int64_t parts =
      std::clamp<std::int64_t>(n / std::max<std::int64_t>(1, grain), 1, std::max(1, exec.threads()));
  if (parts == 1) {
    body(std::int64_t{0}, n);
    return;
  }
  const auto part = [&](int i) { body(n * i / parts, n * (i + 1) / parts); };
  run_parts(static_cast<int>(parts), std::ref(part));  // by reference: a copy would be put on the heap
}

#if defined(__x86_64__)
// Compilers take a call into the body of a caller that has all of the callee's instruction sets, and with `flatten`
// everything that is called from there.
template <class Body>
__attribute__((target("avx2,fma,bmi,bmi2,lzcnt"), flatten)) void call_avx2(const Body& body, std::int64_t begin,
                                                                           std::int64_t end) {
  body(begin, end);
}
template <class Body>
__attribute__((target("avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,bmi,bmi2,lzcnt"), flatten)) void
call_avx512(const Body& body, std::int64_t begin, std::int64_t end) {
  body(begin, end);
}
#endif

// parallel_for whose body, with the functions of its own file that it calls, is compiled for each instruction set.
template <class Body>
void vector_for(const Exec& exec, std::int64_t n, std::int64_t grain, const Body& body) {
  parallel_for(exec, n, grain, [&](std::int64_t begin, std::int64_t end) {
#if defined(__x86_64__)
    if (exec.isa() == Isa::kAvx512) return call_avx512(body, begin, end);
    if (exec.isa() == Isa::kAvx2) return call_avx2(body, begin, end);
#endif
    body(begin, end);
  });
}

// value(0) + ... + value(n - 1) in sixteen interleaved sums, added up pairwise: vector code whose order of additions
// does not depend on the width of registers or on where the values lie in memory.
template <class T, class Value>
inline T lane_sum(std::int64_t n, const Value& value) {
  constexpr std::int64_t kLanes = 16;
  T lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
#pragma omp simd
    for (std::int64_t l = 0; l < kLanes; ++l) lanes[l] += value(i + l);
  }
  for (std::int64_t l = 0; i + l < n; ++l) lanes[l] += value(i + l);
  for (std::int64_t width = kLanes / 2; width > 0; width /= 2)
    for (std::int64_t l = 0; l < width; ++l) lanes[l] += lanes[l + width];
  return lanes[0];
}

// Elements per part below which starting a thread costs more than it saves.
inline constexpr std::int64_t kGrain = 8192;

// Results of so many elements or more are written past the caches: they would evict everything else, and a line that
// is only written need not be read first.
inline constexpr std::int64_t kNontemporal = 1 << 21;

// out = alpha x, past the caches. Other threads may read `out` only after the storing thread's nontemporal_fence().
void store_nontemporal(float* out, const float* x, std::int64_t n, float alpha = 1.f);
void nontemporal_fence();

}  // namespace pgad
