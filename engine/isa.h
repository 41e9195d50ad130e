#pragma once
// The instruction set that the CPU's kernels use: chosen here, and nowhere else, when an Exec is made.

#include <string>

namespace pgad {

enum class Isa {
  kBaseline,  // what every processor of the architecture has: SSE2 on x86-64, NEON on 64-bit Arm
  kAvx2,      // x86-64-v3: AVX2 and FMA
  kAvx512,    // x86-64-v4: AVX-512 F, BW, CD, DQ and VL
};

// "avx512", "avx2", and for the baseline "sse2" on x86-64, "generic" elsewhere.
const char* isa_name(Isa isa);
// The best that this processor and its operating system have.
Isa machine_isa();
// machine_isa(), or less where the environment variable PGAD_ISA names it. Throws UsageError where PGAD_ISA is no name
// of an instruction set, or of one that this machine lacks.
Isa chosen_isa();

}  // namespace pgad
