#pragma once
// What the emulator tells ThreadSanitizer. (Whether AddressSanitizer is there: SIMT_ASAN.)

#if defined(__SANITIZE_THREAD__)
#define SIMT_TSAN 1
#else
#define SIMT_TSAN 0
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SIMT_ASAN 1
#else
#define SIMT_ASAN 0
#endif

#if SIMT_TSAN
#include <sanitizer/tsan_interface.h>
extern "C" {
void AnnotateIgnoreReadsBegin(const char*, int);
void AnnotateIgnoreReadsEnd(const char*, int);
void AnnotateIgnoreWritesBegin(const char*, int);
void AnnotateIgnoreWritesEnd(const char*, int);
}
#endif

namespace simt {

// While one lives, ThreadSanitizer does not look: the emulator's own state is shared by all threads. Suspended threads
// hold none.
class Unwatched {
 public:
  Unwatched() {
#if SIMT_TSAN
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
#endif
  }
  ~Unwatched() {
#if SIMT_TSAN
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
#endif
  }
  Unwatched(const Unwatched&) = delete;
  Unwatched& operator=(const Unwatched&) = delete;
};

// What a thread did before release(tag) is ordered before what another does after acquire(tag).
inline void release([[maybe_unused]] void* tag) {
#if SIMT_TSAN
  __tsan_release(tag);
#endif
}
inline void acquire([[maybe_unused]] void* tag) {
#if SIMT_TSAN
  __tsan_acquire(tag);
#endif
}

}  // namespace simt
