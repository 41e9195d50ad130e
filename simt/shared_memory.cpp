#include "simt/shared_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "simt/sanitizers.h"

#if SIMT_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace simt {
namespace {

constexpr std::size_t kMaxShared = 48 * 1024;  // what a block can have without asking for more
constexpr std::size_t kRedZone = 64;
constexpr unsigned char kRedByte = 0xA5, kPoisonByte = 0xFF;  // floats of poison are NaN
constexpr std::size_t kArenaBytes = 128 * 1024;

}  // namespace

void SharedMemory::open() {
  // For ThreadSanitizer mapped anew for each block: its memory is another one, not the last block's.
  if (arena_ == nullptr || (SIMT_TSAN && used_ > 0)) {
    void* mapping = mmap(arena_, kArenaBytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | (arena_ != nullptr ? MAP_FIXED : 0), -1, 0);
    PGAD_CHECK(mapping != MAP_FAILED, "no memory for a block's shared arrays");
    arena_ = static_cast<unsigned char*>(mapping);
  }
#if SIMT_ASAN
  __asan_unpoison_memory_region(arena_, kArenaBytes);
#endif
  used_ = 0;
  declared_ = 0;
  arrays_.clear();
}

void* SharedMemory::array(const SharedSite& site, std::size_t bytes, std::size_t alignment) {
  for (const Array& array : arrays_)
    if (array.site == &site) return arena_ + array.begin;
  declared_ += bytes;
  if (declared_ > kMaxShared)
    detail::fail(pgad::str("shared array '", site.name, "' at ", site.file, ":", site.line, ": ", declared_,
                           " bytes declared, at most ", kMaxShared, " can be"));
  alignment = std::max<std::size_t>(alignment, 16);
  const std::size_t begin = (used_ + kRedZone + alignment - 1) / alignment * alignment;
  const std::size_t end = begin + bytes + kRedZone;
  if (end > kArenaBytes) detail::fail("too many shared arrays");
#if SIMT_ASAN
  __asan_unpoison_memory_region(arena_ + used_, end - used_);
#endif
  std::memset(arena_ + used_, kRedByte, begin - used_);
  std::memset(arena_ + begin, kPoisonByte, bytes);
  std::memset(arena_ + begin + bytes, kRedByte, kRedZone);
#if SIMT_ASAN
  __asan_poison_memory_region(arena_ + begin + bytes, kRedZone);
  __asan_poison_memory_region(arena_ + used_, begin - used_);
#endif
  used_ = begin + bytes;
  arrays_.push_back({&site, begin, bytes});
  return arena_ + begin;
}

void SharedMemory::check_red_zones() {
#if SIMT_ASAN
  __asan_unpoison_memory_region(arena_, kArenaBytes);
#endif
  std::size_t end = 0;  // of the array before
  const SharedSite* before = nullptr;
  const auto check = [&](std::size_t from, std::size_t to, const SharedSite* under, const SharedSite* over) {
    for (std::size_t i = from; i < to; ++i) {
      if (arena_[i] == kRedByte) continue;
      std::string message = "red zone written, ";
      if (over != nullptr)
        message += pgad::str(i - from, " bytes after the end of shared array '", over->name, "' at ", over->file, ":",
                             over->line);
      if (under != nullptr)
        message += pgad::str(over != nullptr ? ", " : "", to - i, " bytes before the start of shared array '",
                             under->name, "' at ", under->file, ":", under->line);
      detail::fail_block(message);
    }
  };
  for (const Array& array : arrays_) {
    check(end, array.begin, array.site, before);
    end = array.begin + array.bytes;
    before = array.site;
  }
  if (before != nullptr) check(end, end + kRedZone, nullptr, before);
}

}  // namespace simt
