#pragma once
// Caching allocator. Freed blocks stay in their pool and serve the next request of a similar size, so a step that
// repeats makes no system allocation after its first run. Not thread-safe: one Exec, one thread.

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "engine/runtime.h"

namespace pgad {

// The device has no room for what a step needs.
class OutOfMemory : public Error {
 public:
  using Error::Error;
};

inline constexpr std::size_t kAlignment = 64;  // bytes; a cache line and an AVX-512 register

struct AllocatorStats {
  std::uint64_t requests = 0;            // blocks handed out
  std::uint64_t system_allocations = 0;  // of those, how many the operating system had to serve
  std::size_t live_bytes = 0;            // in blocks that tensors hold
  std::size_t peak_bytes = 0;            // maximum of live_bytes
  std::size_t reserved_bytes = 0;        // live or cached
  std::size_t peak_reserved_bytes = 0;   // maximum of reserved_bytes
  std::uint64_t overruns = 0;            // blocks found written outside their bounds (guarded pools only)
};

// A set of blocks. A step graph owns a pool of its own, whose blocks stay where they are until it ends: recorded calls
// use those that nothing holds any more, too.
class Pool {
 public:
  // runtime: whose memory; null: the host's. guarded: each block lies between two lines of a known pattern, checked
  // when it comes back. For tests. cache: of a step graph's pool, the one whose cached blocks are given back when
  // memory is out; null: its own.
  Pool(std::shared_ptr<AllocatorStats> stats, std::shared_ptr<DeviceRuntime> runtime, bool guarded = false,
       std::shared_ptr<Pool> cache = nullptr)
      : stats_(std::move(stats)), runtime_(std::move(runtime)), guarded_(guarded), cache_(std::move(cache)) {}
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // The smallest cached block that fits without wasting more than half of itself, else a new one. Throws OutOfMemory
  // when there is none left.
  void* acquire(std::size_t bytes, std::size_t* capacity);
  // bytes and capacity as they were in acquire.
  void release(void* pointer, std::size_t bytes, std::size_t capacity) noexcept;
  // Returns cached blocks to the system.
  void trim() noexcept;
  // After a capture: the recorded calls write to blocks that no tensor holds, or whose last tensor is smaller than an
  // earlier one, so the sanitizer must allow it.
  void unpoison() noexcept;
  bool guarded() const { return guarded_; }
  bool on_host() const { return runtime_ == nullptr; }

 private:
  unsigned char* allocate(std::size_t bytes);
  void write_guards(unsigned char* block, std::size_t bytes, std::size_t capacity);
  bool guards_intact(const unsigned char* block, std::size_t bytes, std::size_t capacity);

  std::shared_ptr<AllocatorStats> stats_;
  std::shared_ptr<DeviceRuntime> runtime_;
  bool guarded_;
  std::shared_ptr<Pool> cache_;
  std::multimap<std::size_t, void*> free_;  // by capacity
  std::map<void*, std::size_t> blocks_;     // all of them, live or free, with their capacity
};

// One block, returned to its pool when the last tensor that uses it is gone.
class Buffer {
 public:
  Buffer(std::shared_ptr<Pool> pool, std::size_t bytes);
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  void* data() const { return data_; }
  bool on_host() const { return pool_->on_host(); }

 private:
  std::shared_ptr<Pool> pool_;
  std::size_t bytes_;
  std::size_t capacity_ = 0;
  void* data_ = nullptr;
};

}  // namespace pgad
