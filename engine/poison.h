#pragma once
// Marks memory that no one may touch, where AddressSanitizer watches; does nothing elsewhere.

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define PGAD_POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define PGAD_UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define PGAD_POISON(p, n) ((void)0)
#define PGAD_UNPOISON(p, n) ((void)0)
#endif
