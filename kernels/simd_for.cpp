#include "kernels/simd.h"

namespace pgad {

#if defined(__x86_64__)
extern const Simd kSimdAvx512, kSimdAvx2;
#endif
extern const Simd kSimdBaseline;

const Simd& simd_for(Isa isa) {
  switch (isa) {
#if defined(__x86_64__)
    case Isa::kAvx512:
      return kSimdAvx512;
    case Isa::kAvx2:
      return kSimdAvx2;
#endif
    default:
      return kSimdBaseline;
  }
}

}  // namespace pgad
