// For PGAD_STATIC. The static C++ library of GCC 12 on Debian takes one function of the C library 2.36, for
// std::random_device; with it here, programs run with 2.35 too (Ubuntu 22.04).

#include <sys/random.h>

extern "C" unsigned arc4random() noexcept {
  unsigned value = 0;
  while (getrandom(&value, sizeof value, 0) != sizeof value) {
  }
  return value;
}
