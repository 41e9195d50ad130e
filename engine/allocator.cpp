#include "engine/allocator.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <vector>

#include "engine/check.h"
#include "engine/poison.h"

namespace pgad {
namespace {

// Steps of an eighth of a power of two: at most 12.5 % of a block is padding, and near-equal sizes share blocks.
std::size_t size_class(std::size_t bytes) {
  std::size_t granule = kAlignment;
  while (granule * 16 < bytes) granule *= 2;
  return std::max<std::size_t>(1, (bytes + granule - 1) / granule) * granule;
}

constexpr unsigned char kGuard = 0xA5;

}  // namespace

Pool::~Pool() { trim(); }

// Null if there is no memory left, even after cached blocks have been given back.
unsigned char* Pool::allocate(std::size_t bytes) {
  if (!runtime_) return static_cast<unsigned char*>(std::aligned_alloc(kAlignment, bytes));
  void* pointer = runtime_->allocate(bytes);
  Pool& cache = cache_ ? *cache_ : *this;
  if (pointer == nullptr && !cache.free_.empty()) {
    runtime_->synchronize();  // kernels under way may still use them
    cache.trim();
    pointer = runtime_->allocate(bytes);
  }
  return static_cast<unsigned char*>(pointer);
}

// The pattern stands in the line before a guarded block and in all bytes behind it, one line at least.
void Pool::write_guards(unsigned char* block, std::size_t bytes, std::size_t capacity) {
  const auto fill = [&](unsigned char* p, std::size_t n) {
    runtime_ ? runtime_->fill(p, kGuard, n) : static_cast<void>(std::memset(p, kGuard, n));
  };
  fill(block - kAlignment, kAlignment);
  fill(block + bytes, capacity - bytes + kAlignment);
}

bool Pool::guards_intact(const unsigned char* block, std::size_t bytes, std::size_t capacity) {
  const auto intact = [&](const unsigned char* p, std::size_t n) {
    std::vector<unsigned char> here(n);
    runtime_ ? runtime_->copy_out(here.data(), p, n) : static_cast<void>(std::memcpy(here.data(), p, n));
    return std::all_of(here.begin(), here.end(), [](unsigned char b) { return b == kGuard; });
  };
  return intact(block - kAlignment, kAlignment) && intact(block + bytes, capacity - bytes + kAlignment);
}

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
    pointer = allocate(wanted + (guarded_ ? 2 * kAlignment : 0));
    if (pointer == nullptr)
      throw OutOfMemory(str("out of memory: ", wanted, " bytes wanted, ", stats_->reserved_bytes, " in use",
                            runtime_ ? str(", ", runtime_->free_bytes(), " free") : "",
                            "; lower the batch size or the number of feature maps"));
    if (guarded_) pointer = static_cast<unsigned char*>(pointer) + kAlignment;
    *capacity = wanted;
    stats_->peak_reserved_bytes = std::max(stats_->peak_reserved_bytes, stats_->reserved_bytes + wanted);
    blocks_.emplace(pointer, wanted);
    ++stats_->system_allocations;
    stats_->reserved_bytes += wanted;
  }
  stats_->live_bytes += *capacity;
  stats_->peak_bytes = std::max(stats_->peak_bytes, stats_->live_bytes);
  if (guarded_) {
    if (on_host()) PGAD_UNPOISON(pointer, *capacity);
    write_guards(static_cast<unsigned char*>(pointer), bytes, *capacity);
  } else if (on_host()) {
    PGAD_POISON(pointer, *capacity);
    PGAD_UNPOISON(pointer, bytes);
  }
  return pointer;
}

void Pool::release(void* pointer, std::size_t bytes, std::size_t capacity) noexcept {
  stats_->live_bytes -= capacity;
  if (guarded_ && !guards_intact(static_cast<unsigned char*>(pointer), bytes, capacity)) ++stats_->overruns;
  if (on_host()) PGAD_POISON(pointer, capacity);
  free_.emplace(capacity, pointer);
}

void Pool::trim() noexcept {
  for (const auto& [capacity, pointer] : free_) {
    if (on_host()) PGAD_UNPOISON(pointer, capacity);
    stats_->reserved_bytes -= capacity;
    blocks_.erase(pointer);
    unsigned char* const start = static_cast<unsigned char*>(pointer) - (guarded_ ? kAlignment : 0);
    runtime_ ? runtime_->release(start) : std::free(start);
  }
  free_.clear();
}

void Pool::unpoison() noexcept {
  if (!on_host()) return;
  for ([[maybe_unused]] const auto& [pointer, capacity] : blocks_) PGAD_UNPOISON(pointer, capacity);
}

Buffer::Buffer(std::shared_ptr<Pool> pool, std::size_t bytes) : pool_(std::move(pool)), bytes_(bytes) {
  data_ = pool_->acquire(bytes, &capacity_);
}

Buffer::~Buffer() { pool_->release(data_, bytes_, capacity_); }

}  // namespace pgad
