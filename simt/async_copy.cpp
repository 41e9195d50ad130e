// cp.async: copies that land at any time until they are waited for.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <utility>

#include "simt/block.h"
#include "simt/sanitizers.h"

namespace simt {
namespace {

constexpr unsigned char kNotLanded = 0xFF;  // floats of these bytes are NaN

void land(const Copy& copy) {
  if (copy.from == nullptr)
    std::memset(copy.to, 0, copy.bytes);
  else
    std::memcpy(copy.to, copy.from, copy.bytes);
}

}  // namespace

namespace detail {

void check_aligned(const char* what, const void* address, std::size_t alignment, const Site& site) {
  if (reinterpret_cast<std::uintptr_t>(address) % alignment != 0)
    fail(site, pgad::str(what, ": address ", address, " is not a multiple of ", alignment));
}

// The destination is written both when the copy is issued and when it lands, for it may land at any time between.
void copy_async(void* shared, const void* global, std::size_t bytes, bool predicate, const Site& site) {
  check_aligned("cp.async to shared memory", shared, bytes, site);
  if (predicate) check_aligned("cp.async from global memory", global, bytes, site);
  const Copy copy{shared, predicate ? global : nullptr, bytes};
  if (!options().late_copies) {
    land(copy);
    return;
  }
  std::memset(shared, kNotLanded, bytes);
  const Unwatched unwatched;
  running_block().thread().copies.push_back(copy);
}

void commit_copies() {
  const Unwatched unwatched;
  Thread& thread = running_block().thread();
  thread.groups.push_back(std::exchange(thread.copies, {}));
}

void wait_copies(int groups_left) {
  std::vector<std::vector<Copy>> landing;
  {
    const Unwatched unwatched;
    auto& groups = running_block().thread().groups;
    const auto count = std::max<std::ptrdiff_t>(0, std::ssize(groups) - groups_left);
    landing.assign(std::make_move_iterator(groups.begin()), std::make_move_iterator(groups.begin() + count));
    groups.erase(groups.begin(), groups.begin() + count);
  }
  for (const auto& group : landing)
    for (const Copy& copy : group) land(copy);
}

}  // namespace detail
}  // namespace simt
