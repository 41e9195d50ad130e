#include "engine/isa.h"

#include <cstdlib>

#include "engine/check.h"

namespace pgad {

const char* isa_name(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return "avx512";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kBaseline:
      break;
  }
#if defined(__x86_64__)
  return "sse2";
#else
  return "generic";
#endif
}

Isa machine_isa() {
#if defined(__x86_64__)
  const auto has_avx2 = [] {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  };
  const auto has_avx512 = [] {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
  };
  if (has_avx2()) return has_avx512() ? Isa::kAvx512 : Isa::kAvx2;
#endif
  return Isa::kBaseline;
}

Isa chosen_isa() {
  const Isa machine = machine_isa();
  const char* const wanted = std::getenv("PGAD_ISA");
  if (wanted == nullptr || *wanted == '\0') return machine;
  for (const Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512}) {
    if (std::string(wanted) != isa_name(isa)) continue;
    if (isa > machine)
      throw UsageError(str("PGAD_ISA: ", wanted, ", but this machine has no more than ", isa_name(machine),
                           "; unset it, or set it to ", isa_name(machine), " or less"));
    return isa;
  }
  throw UsageError(str("PGAD_ISA: '", wanted, "', expected ",
#if defined(__x86_64__)
                       "avx512, avx2 or sse2"
#else
                       "generic"
#endif
                       ));
}

}  // namespace pgad
