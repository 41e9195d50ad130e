#pragma once
// What the emulated CUDA functions (emulated.h, ptx.h, launch.h) call: the running block and its threads.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "simt/emulator.h"

namespace simt {

// A place in a kernel's source. As a default argument, `Site::here()` is the caller's place.
struct Site {
  const char* file;
  int line;
  static constexpr Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) { return {file, line}; }
};

// A shared array; one object per declaration and, in templates, per instantiation.
struct SharedSite {
  const char* name;
  const char* file;
  int line;
};

namespace detail {

struct Index {
  unsigned x, y, z;
};
std::string text(const Index& i);
std::string text(const Site& site);

// Of the running thread; written by the launch and the scheduler alone.
struct Coordinates {
  const char* kernel = nullptr;  // null: none runs
  Index thread, block, block_dim, grid_dim;
};
extern Coordinates coordinates;

// Throws Error with the running kernel, block and thread.
[[noreturn]] void fail(const std::string& message);
[[noreturn]] void fail(const Site& site, const std::string& message);
// The same of the block as a whole.
[[noreturn]] void fail_block(const std::string& message);

// Runs `thread` once per thread of the grid. Returns when all have ended, or throws the first error.
void run_kernel(const char* name, const Index& grid, const Index& block, const std::function<void()>& thread);

// The rendezvous. The lanes of `mask`, or all threads of the block, wait for each other; the last lane to come calls
// `combine` with everyone's parcel, by lane, then all go on. Missing lanes of a partial warp are struck from the mask.
using Combine = void (*)(void* const* parcels, unsigned mask);
enum class Memory { kUnordered, kOrdered };  // does the rendezvous order memory accesses?
void meet_warp(const char* what, unsigned mask, const Site& site, void* parcel, Combine combine, Memory memory);
void meet_block(const char* what, const Site& site);

int lane();
// The value of lane `source`.
std::uint64_t exchange(const char* what, unsigned mask, const Site& site, std::uint64_t value, int source);

// The block's memory for an array, allocated by the first thread that asks.
void* shared_array(const SharedSite& site, std::size_t bytes, std::size_t alignment);

void check_aligned(const char* what, const void* address, std::size_t alignment, const Site& site);
void copy_async(void* shared, const void* global, std::size_t bytes, bool predicate, const Site& site);
void commit_copies();
void wait_copies(int groups_left);

}  // namespace detail
}  // namespace simt
