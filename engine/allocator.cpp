#include "engine/allocator.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "engine/check.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define PGAD_POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define PGAD_UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define PGAD_POISON(p, n) ((void)0)
#define PGAD_UNPOISON(p, n) ((void)0)
#endif

namespace pgad {
namespace {

// Steps of an eighth of a power of two: at most 12.5 % of a block is padding, and near-equal sizes share blocks.
std::size_t size_class(std::size_t bytes) {
  std::size_t granule = kAlignment;
  while (granule * 16 < bytes) granule *= 2;
  return std::max<std::size_t>(1, (bytes + granule - 1) / granule) * granule;
}

constexpr unsigned char kGuard = 0xA5;

// The pattern stands in the line before a guarded block and in all bytes behind it, one line at least.
void write_guards(unsigned char* block, std::size_t bytes, std::size_t capacity) {
  std::memset(block - kAlignment, kGuard, kAlignment);
  std::memset(block + bytes, kGuard, capacity - bytes + kAlignment);
}

bool guards_intact(const unsigned char* block, std::size_t bytes, std::size_t capacity) {
  const auto intact = [](unsigned char b) { return b == kGuard; };
  return std::all_of(block - kAlignment, block, intact) &&
         std::all_of(block + bytes, block + capacity + kAlignment, intact);
}

}  // namespace

Pool::~Pool() { trim(); }

void* Pool::acquire(std::size_t bytes, std::size_t* capacity) {
  const std::size_t wanted = size_class(bytes);
  ++stats_->requests;
  void* pointer = nullptr;
  const auto found = free_.lower_bound(wanted);
  if (found != free_.end() && found->first <= 2 * wanted) {
    *capacity = found->first;
    pointer = found->second;
    free_.erase(found);
  } else {
    pointer = std::aligned_alloc(kAlignment, wanted + (guarded_ ? 2 * kAlignment : 0));
    if (pointer == nullptr)
      throw Error(str("out of memory: ", wanted, " bytes wanted, ", stats_->reserved_bytes,
                      " already reserved; lower the batch size or the number of feature maps"));
    if (guarded_) pointer = static_cast<unsigned char*>(pointer) + kAlignment;
    *capacity = wanted;
    blocks_.emplace(pointer, wanted);
    ++stats_->system_allocations;
    stats_->reserved_bytes += wanted;
  }
  stats_->live_bytes += *capacity;
  stats_->peak_bytes = std::max(stats_->peak_bytes, stats_->live_bytes);
  if (guarded_) {
    PGAD_UNPOISON(pointer, *capacity);
    write_guards(static_cast<unsigned char*>(pointer), bytes, *capacity);
  } else {
    PGAD_POISON(pointer, *capacity);
    PGAD_UNPOISON(pointer, bytes);
  }
  return pointer;
}

void Pool::release(void* pointer, std::size_t bytes, std::size_t capacity) noexcept {
  stats_->live_bytes -= capacity;
  if (guarded_ && !guards_intact(static_cast<unsigned char*>(pointer), bytes, capacity)) ++stats_->overruns;
  PGAD_POISON(pointer, capacity);
  free_.emplace(capacity, pointer);
}

void Pool::trim() noexcept {
  for (const auto& [capacity, pointer] : free_) {
    PGAD_UNPOISON(pointer, capacity);
    stats_->reserved_bytes -= capacity;
    blocks_.erase(pointer);
    std::free(static_cast<unsigned char*>(pointer) - (guarded_ ? kAlignment : 0));
  }
  free_.clear();
}

void Pool::unpoison() noexcept {
  for ([[maybe_unused]] const auto& [pointer, capacity] : blocks_) PGAD_UNPOISON(pointer, capacity);
}

Buffer::Buffer(std::shared_ptr<Pool> pool, std::size_t bytes) : pool_(std::move(pool)), bytes_(bytes) {
  data_ = pool_->acquire(bytes, &capacity_);
}

Buffer::~Buffer() { pool_->release(data_, bytes_, capacity_); }

}  // namespace pgad
