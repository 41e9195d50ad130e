#include "simt/emulator.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <utility>

#include "simt/execution.h"
#include "simt/fiber.h"

#if SIMT_ASAN
#include <sanitizer/asan_interface.h>
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
namespace {

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
};

// What a thread did before release(tag) is ordered before what another does after acquire(tag).
void release(void* tag) {
#if SIMT_TSAN
  __tsan_release(tag);
#endif
}
void acquire(void* tag) {
#if SIMT_TSAN
  __tsan_acquire(tag);
#endif
}

constexpr unsigned kWarp = 32;
constexpr unsigned kMaxThreads = 1024;
constexpr std::size_t kMaxStaticShared = 48 * 1024;
constexpr std::size_t kRedZone = 64;
constexpr unsigned char kRedByte = 0xA5, kPoisonByte = 0xFF;  // floats of poison are NaN
constexpr std::size_t kArenaBytes = 512 * 1024;

std::string text(const detail::Index& i) { return pgad::str("(", i.x, ",", i.y, ",", i.z, ")"); }
std::string text(const Site& site) { return pgad::str(site.file, ":", site.line); }
bool operator==(const Site& a, const Site& b) { return a.line == b.line && std::strcmp(a.file, b.file) == 0; }

// Threads that wait for each other: at a barrier, or some lanes of a warp. Each has its own piece of memory, whose
// address orders memory for ThreadSanitizer: nothing of an earlier meeting clings to it.
struct Meeting {
  const char* what;
  Site site;
  unsigned warp;  // of a meeting of lanes
  unsigned mask;
  unsigned expected;
  unsigned first;  // the thread that came first, for messages
  unsigned arrived = 0, departed = 0;
  int count = 0;
  std::array<void*, kWarp> parcels{};
};

struct Copy {
  void* to;
  const void* from;  // null: zeros
  std::size_t bytes;
};

struct Thread {
  detail::Index index;
  Meeting* meeting = nullptr;  // waits there
  bool ended = false;
  std::vector<std::vector<Copy>> groups;  // committed copies that have not landed, oldest first
  std::vector<Copy> copies;               // not committed
};

struct Array {
  const SharedSite* site;
  std::size_t begin, bytes;
};

// The set of threads that can run.
class Runnable {
 public:
  void clear() { words_.fill(0); }
  void insert(unsigned i) { words_[i / 64] |= std::uint64_t{1} << i % 64; }
  void erase(unsigned i) { words_[i / 64] &= ~(std::uint64_t{1} << i % 64); }
  // The first at or after `from`, the last at or before it; -1 if there is none.
  int next(int from) const {
    for (int word = from / 64; word < kWords; ++word) {
      const std::uint64_t bits =
          words_[word] & (word == from / 64 ? ~std::uint64_t{0} << from % 64 : ~std::uint64_t{0});
      if (bits != 0) return word * 64 + std::countr_zero(bits);
    }
    return -1;
  }
  int previous(int from) const {
    if (from < 0) return -1;
    for (int word = from / 64; word >= 0; --word) {
      const std::uint64_t bits =
          words_[word] & (word == from / 64 ? ~std::uint64_t{0} >> (63 - from % 64) : ~std::uint64_t{0});
      if (bits != 0) return word * 64 + 63 - std::countl_zero(bits);
    }
    return -1;
  }

 private:
  static constexpr int kWords = kMaxThreads / 64;
  std::array<std::uint64_t, kWords> words_{};
};

class Emulator {
 public:
  void run(const char* name, const detail::Index& grid, const detail::Index& block, std::size_t dynamic_shared,
           const std::function<void()>& thread);
  void meet_warp(const char* what, unsigned mask, const Site& site, void* parcel, detail::Combine combine,
                 detail::Memory memory);
  int meet_block(const char* what, const Site& site, bool predicate);
  void* shared_array(const SharedSite& site, std::size_t bytes, std::size_t alignment, bool dynamic);

  const char* kernel = nullptr;  // null: none runs
  int current = -1;              // thread of the block; -1: none, the launcher runs
  std::size_t dynamic_bytes = 0;
  std::vector<Thread> threads;
  unsigned lane() const { return static_cast<unsigned>(current) % kWarp; }
  Thread& thread() { return threads[static_cast<std::size_t>(current)]; }

 private:
  static void thread_main(void* emulator);
  void run_block(const detail::Index& index, const detail::Index& dim);
  int pick(int last);
  void wait(Meeting* meeting);
  void end_thread();
  void suspend();
  [[noreturn]] void report_deadlock();
  void open_arena();
  void check_red_zones();
  void fill(std::size_t begin, std::size_t bytes, unsigned char value) { std::memset(arena_ + begin, value, bytes); }

  std::mutex mutex_;
  const std::function<void()>* body_ = nullptr;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  Runnable runnable_;
  unsigned ended_ = 0;
  std::exception_ptr error_;
  std::mt19937_64 random_;
  std::unique_ptr<Meeting> barrier_;                     // that some threads of the block wait at
  std::vector<std::unique_ptr<Meeting>> left_barriers_;  // complete; some threads have yet to resume
  std::vector<std::unique_ptr<Meeting>> meetings_;       // of lanes
  unsigned char* arena_ = nullptr;
  std::size_t arena_used_ = 0;
  std::size_t static_bytes_ = 0;
  std::vector<Array> arrays_;
  char launch_tag_ = 0;  // what the threads did is ordered before what follows the launch
};

// Never destroyed: a static's destructor may still launch.
Emulator& emulator() {
  static Emulator& instance = *new Emulator;
  return instance;
}

void Emulator::run(const char* name, const detail::Index& grid, const detail::Index& block, std::size_t dynamic_shared,
                   const std::function<void()>& body) {
  const auto refuse = [&](const auto&... parts) {
    throw Error(
        pgad::str("kernel '", name, "' <<<", text(grid), ", ", text(block), ", ", dynamic_shared, ">>>: ", parts...));
  };
  if (kernel != nullptr && current >= 0) refuse("launched by a kernel");
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || block.x == 0 || block.y == 0 || block.z == 0)
    refuse("a dimension is 0");
  if (grid.x > 0x7fffffff || grid.y > 65535 || grid.z > 65535) refuse("the grid is too large");
  const std::uint64_t size = std::uint64_t{block.x} * block.y * block.z;
  if (block.z > 64 || size > kMaxThreads) refuse("the block is too large, at most ", kMaxThreads, " threads");
  if (dynamic_shared > options().max_shared_bytes)
    refuse("more shared memory than a block can have, ", options().max_shared_bytes, " bytes");

  const std::lock_guard lock(mutex_);
  const Unwatched unwatched;
  const std::uint64_t blocks = std::uint64_t{grid.x} * grid.y * grid.z;
  if (statistics().kept) {
    statistics().launches += 1;
    statistics().blocks += static_cast<std::int64_t>(blocks);
    statistics().threads += static_cast<std::int64_t>(blocks * size);
    KernelStatistics& counts = statistics().kernels[name];
    counts.launches += 1;
    counts.shapes.insert({grid.x, grid.y, grid.z, block.x, block.y, block.z});
    counts.orders.insert(options().order);
  }

  kernel = name;
  body_ = &body;
  dynamic_bytes = dynamic_shared;
  error_ = nullptr;
  random_.seed(options().seed);
  while (fibers_.size() < size) fibers_.push_back(std::make_unique<Fiber>());
  threads.resize(size);
  std::vector<std::uint64_t> permutation;
  if (options().order == Order::kRandom) {
    permutation.resize(blocks);
    std::iota(permutation.begin(), permutation.end(), 0);
    std::shuffle(permutation.begin(), permutation.end(), random_);
  }
  detail::coordinates.block_dim = block;
  detail::coordinates.grid_dim = grid;
  for (std::uint64_t i = 0; i < blocks && !error_; ++i) {
    std::uint64_t b = i;
    if (options().order == Order::kReverse) b = blocks - 1 - i;
    if (options().order == Order::kRandom) b = permutation[i];
    const detail::Index index{static_cast<unsigned>(b % grid.x), static_cast<unsigned>(b / grid.x % grid.y),
                              static_cast<unsigned>(b / grid.x / grid.y)};
    try {
      run_block(index, block);
    } catch (...) {
      error_ = std::current_exception();
    }
    current = -1;
  }
  acquire(&launch_tag_);
  for (const auto& fiber : fibers_) fiber->end();
  Fiber::forget_ended();
  kernel = nullptr;
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void Emulator::run_block(const detail::Index& index, const detail::Index& dim) {
  const auto size = static_cast<unsigned>(threads.size());
  detail::coordinates.block = index;
  runnable_.clear();
  ended_ = 0;
  barrier_.reset();
  left_barriers_.clear();
  meetings_.clear();
  open_arena();
  for (unsigned i = 0; i < size; ++i) {
    Thread& thread = threads[i];
    thread.index = {i % dim.x, i / dim.x % dim.y, i / dim.x / dim.y};
    thread.meeting = nullptr;
    thread.ended = false;
    thread.groups.clear();
    thread.copies.clear();
    fibers_[i]->start(&Emulator::thread_main, this);
    runnable_.insert(i);
  }
  int last = -1;
  while (ended_ < size) {
    last = pick(last);
    if (last < 0) report_deadlock();
    current = last;
    detail::coordinates.thread = threads[static_cast<unsigned>(last)].index;
    fibers_[static_cast<unsigned>(last)]->resume();
    if (error_) return;
  }
  current = -1;
  check_red_zones();
}

int Emulator::pick(int last) {
  const int size = static_cast<int>(threads.size());
  int from = 0;
  switch (options().order) {
    case Order::kForward:
      from = last + 1 < size ? last + 1 : 0;
      break;
    case Order::kReverse: {
      const int found = runnable_.previous((last < 0 ? size : last) - 1);
      return found >= 0 ? found : runnable_.previous(size - 1);
    }
    case Order::kRandom:
      from = static_cast<int>(random_() % static_cast<unsigned>(size));
      break;
    case Order::kWarpDepthFirst:
      break;
  }
  const int found = runnable_.next(from);
  return found >= 0 ? found : runnable_.next(0);
}

void Emulator::thread_main(void* argument) {
  auto& self = *static_cast<Emulator*>(argument);
  try {
    (*self.body_)();
    const Unwatched unwatched;
    self.end_thread();
  } catch (...) {
    const Unwatched unwatched;
    self.error_ = std::current_exception();
  }
  self.suspend();
}

void Emulator::end_thread() {
  if (barrier_)
    detail::fail(pgad::str("leaves the kernel while thread ", text(threads[barrier_->first].index), " waits in ",
                           barrier_->what, " at ", text(barrier_->site)));
  for (const auto& meeting : meetings_)
    if (meeting->warp == static_cast<unsigned>(current) / kWarp && (meeting->mask >> lane() & 1) != 0 &&
        meeting->arrived < meeting->expected)
      detail::fail(pgad::str("leaves the kernel while thread ", text(threads[meeting->first].index),
                             " waits for it in ", meeting->what, " at ", text(meeting->site)));
  thread().ended = true;
  ++ended_;
  runnable_.erase(static_cast<unsigned>(current));
}

void Emulator::suspend() {
  release(&launch_tag_);
  fibers_[static_cast<unsigned>(current)]->yield();
}

void Emulator::report_deadlock() {
  std::map<const Meeting*, std::vector<const Thread*>> waiting;
  for (const Thread& thread : threads)
    if (thread.meeting != nullptr) waiting[thread.meeting].push_back(&thread);
  std::string message =
      pgad::str("kernel '", kernel, "' block ", text(detail::coordinates.block), ": deadlock, no thread can run:");
  for (const auto& [meeting, those] : waiting) {
    message += pgad::str("\n  ", those.size(), " of ", meeting->expected, " threads, the first ", text(those[0]->index),
                         ", are in ", meeting->what, " at ", text(meeting->site));
    if (meeting->mask != 0) message += pgad::str(" with mask 0x", std::hex, meeting->mask);
  }
  throw Error(message);
}

// Until the last of the others has come. The caller has entered itself in the meeting.
void Emulator::wait(Meeting* meeting) {
  thread().meeting = meeting;
  runnable_.erase(static_cast<unsigned>(current));
}

int Emulator::meet_block(const char* what, const Site& site, bool predicate) {
  Meeting* meeting = nullptr;
  bool last = false;
  {
    const Unwatched unwatched;
    const auto size = static_cast<unsigned>(threads.size());
    if (ended_ > 0) detail::fail(site, pgad::str(what, ": ", ended_, " threads of the block have left the kernel"));
    if (!barrier_) barrier_.reset(new Meeting{what, site, 0, 0, size, static_cast<unsigned>(current)});
    meeting = barrier_.get();
    if (std::strcmp(meeting->what, what) != 0 || !(meeting->site == site))
      detail::fail(site,
                   pgad::str("divergent barrier: ", what, " here, but thread ", text(threads[meeting->first].index),
                             " waits in ", meeting->what, " at ", text(meeting->site)));
    meeting->count += predicate;
    last = ++meeting->arrived == size;
    if (last) {
      for (unsigned i = 0; i < size; ++i) {
        threads[i].meeting = nullptr;
        runnable_.insert(i);
      }
      left_barriers_.push_back(std::move(barrier_));
    } else {
      wait(meeting);
    }
  }
  release(meeting);
  if (!last) suspend();
  acquire(meeting);
  const Unwatched unwatched;
  const int count = meeting->count;
  if (++meeting->departed == meeting->expected)
    std::erase_if(left_barriers_, [&](const auto& left) { return left.get() == meeting; });
  return count;
}

void Emulator::meet_warp(const char* what, unsigned mask, const Site& site, void* parcel, detail::Combine combine,
                         detail::Memory memory) {
  Meeting* meeting = nullptr;
  bool last = false;
  {
    const Unwatched unwatched;
    const unsigned warp = static_cast<unsigned>(current) / kWarp;
    const unsigned lanes = std::min(kWarp, static_cast<unsigned>(threads.size()) - warp * kWarp);
    if (lanes < kWarp) mask &= (1u << lanes) - 1;
    if ((mask >> lane() & 1) == 0)
      detail::fail(site, pgad::str(what, ": lane ", lane(), " is not in its own mask 0x", std::hex, mask));
    for (unsigned i = 0; i < lanes; ++i)
      if ((mask >> i & 1) != 0 && threads[warp * kWarp + i].ended)
        detail::fail(site, pgad::str(what, ": lane ", i, " of the mask has left the kernel"));
    for (const auto& other : meetings_) {
      if (other->warp != warp || (other->mask & mask) == 0 || other->arrived == other->expected) continue;
      if (other->mask != mask || !(other->site == site) || std::strcmp(other->what, what) != 0)
        detail::fail(site, pgad::str("divergent warp: ", what, " with mask 0x", std::hex, mask, std::dec,
                                     " here, but thread ", text(threads[other->first].index), " waits in ", other->what,
                                     " with mask 0x", std::hex, other->mask, std::dec, " at ", text(other->site)));
      meeting = other.get();
    }
    if (meeting == nullptr) {
      meetings_.emplace_back(new Meeting{what, site, warp, mask, static_cast<unsigned>(std::popcount(mask)),
                                         static_cast<unsigned>(current)});
      meeting = meetings_.back().get();
    }
    meeting->parcels[lane()] = parcel;
    last = ++meeting->arrived == meeting->expected;
    if (last) {
      if (combine != nullptr) combine(meeting->parcels.data(), mask);
      for (unsigned i = 0; i < lanes; ++i) {
        if ((mask >> i & 1) == 0) continue;
        threads[warp * kWarp + i].meeting = nullptr;
        runnable_.insert(warp * kWarp + i);
      }
    } else {
      wait(meeting);
    }
  }
  if (memory == detail::Memory::kOrdered) release(meeting);
  if (!last) suspend();
  if (memory == detail::Memory::kOrdered) acquire(meeting);
  const Unwatched unwatched;
  if (++meeting->departed == meeting->expected)
    std::erase_if(meetings_, [&](const auto& left) { return left.get() == meeting; });
}

void Emulator::open_arena() {
  // For ThreadSanitizer mapped anew for each block: its memory is another one, not the last block's.
  if (arena_ == nullptr || (SIMT_TSAN && arena_used_ > 0)) {
    void* mapping = mmap(arena_, kArenaBytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | (arena_ != nullptr ? MAP_FIXED : 0), -1, 0);
    PGAD_CHECK(mapping != MAP_FAILED, "no memory for a block's shared arrays");
    arena_ = static_cast<unsigned char*>(mapping);
  }
#if SIMT_ASAN
  __asan_unpoison_memory_region(arena_, kArenaBytes);
#endif
  arena_used_ = 0;
  static_bytes_ = 0;
  arrays_.clear();
}

void* Emulator::shared_array(const SharedSite& site, std::size_t bytes, std::size_t alignment, bool dynamic) {
  const Unwatched unwatched;
  for (const Array& array : arrays_)
    if (array.site == &site) return arena_ + array.begin;
  if (!dynamic) static_bytes_ += bytes;
  if (static_bytes_ > kMaxStaticShared)
    detail::fail(pgad::str("shared array '", site.name, "' at ", site.file, ":", site.line, ": ", static_bytes_,
                           " bytes declared, at most ", kMaxStaticShared, " can be"));
  if (static_bytes_ + dynamic_bytes > options().max_shared_bytes)
    detail::fail(pgad::str("shared array '", site.name, "': the block has ", static_bytes_ + dynamic_bytes,
                           " bytes of shared memory, at most ", options().max_shared_bytes, " can be"));
  alignment = std::max<std::size_t>(alignment, 16);
  const std::size_t begin = (arena_used_ + kRedZone + alignment - 1) / alignment * alignment;
  const std::size_t end = begin + bytes + kRedZone;
  if (end > kArenaBytes) detail::fail("too many shared arrays");
#if SIMT_ASAN
  __asan_unpoison_memory_region(arena_ + arena_used_, end - arena_used_);
#endif
  fill(arena_used_, begin - arena_used_, kRedByte);
  fill(begin, bytes, kPoisonByte);
  fill(begin + bytes, kRedZone, kRedByte);
#if SIMT_ASAN
  __asan_poison_memory_region(arena_ + begin + bytes, kRedZone);
  __asan_poison_memory_region(arena_ + arena_used_, begin - arena_used_);
#endif
  arena_used_ = begin + bytes;  // the next array's leading red zone begins here
  arrays_.push_back({&site, begin, bytes});
  return arena_ + begin;
}

void Emulator::check_red_zones() {
#if SIMT_ASAN
  __asan_unpoison_memory_region(arena_, kArenaBytes);
#endif
  std::size_t end = 0;  // of the array before
  const SharedSite* before = nullptr;
  const auto check = [&](std::size_t from, std::size_t to, const SharedSite* under, const SharedSite* over) {
    for (std::size_t i = from; i < to; ++i) {
      if (arena_[i] == kRedByte) continue;
      std::string message =
          pgad::str("kernel '", kernel, "' block ", text(detail::coordinates.block), ": red zone written, ");
      if (over != nullptr)
        message += pgad::str(i - from, " bytes after the end of shared array '", over->name, "' at ", over->file, ":",
                             over->line);
      if (under != nullptr)
        message += pgad::str(over != nullptr ? ", " : "", to - i, " bytes before the start of shared array '",
                             under->name, "' at ", under->file, ":", under->line);
      throw Error(message);
    }
  };
  for (const Array& array : arrays_) {
    check(end, array.begin, array.site, before);
    end = array.begin + array.bytes;
    before = array.site;
  }
  if (before != nullptr) check(end, end + kRedZone, nullptr, before);
}

void land(const Copy& copy) {
  if (copy.from == nullptr)
    std::memset(copy.to, 0, copy.bytes);
  else
    std::memcpy(copy.to, copy.from, copy.bytes);
}

}  // namespace

const char* name_of(Order order) {
  switch (order) {
    case Order::kForward:
      return "forward";
    case Order::kReverse:
      return "reverse";
    case Order::kRandom:
      return "random";
    case Order::kWarpDepthFirst:
      return "warp by warp";
  }
  return "?";
}

Options& options() {
  static Options instance;
  return instance;
}

Statistics& statistics() {
  static Statistics instance;
  return instance;
}

int& current_device() {
  thread_local int device = 0;
  return device;
}

void expect_current(int device, const char* what) {
  if (current_device() != device)
    throw Error(pgad::str(what, " of device ", device, " while device ", current_device(),
                          " is the calling thread's current one"));
}

void Stream::submit(std::function<void()> work) {
  expect_current(device_, "work");
  if (capturing_) {
    captured_.push_back(std::move(work));
    return;
  }
  struct Around {
    const std::function<void(bool)>& call;
    explicit Around(const std::function<void(bool)>& c) : call(c) {
      if (call) call(true);
    }
    ~Around() {
      if (call) call(false);
    }
  };
  const Around around(around_work_);
  work();
}

void Stream::begin_capture() {
  PGAD_CHECK(!capturing_, "the stream is capturing already");
  capturing_ = true;
}

std::vector<std::function<void()>> Stream::end_capture() {
  PGAD_CHECK(capturing_, "the stream is not capturing");
  capturing_ = false;
  return std::exchange(captured_, {});
}

namespace detail {

Coordinates coordinates;

void fail(const std::string& message) {
  const Emulator& e = emulator();
  if (e.kernel == nullptr) throw Error(message);
  throw Error(pgad::str("kernel '", e.kernel, "' block ", text(coordinates.block), " thread ", text(coordinates.thread),
                        ": ", message));
}

void fail(const Site& site, const std::string& message) { fail(pgad::str("at ", text(site), ": ", message)); }

void run_kernel(const char* name, const Index& grid, const Index& block, std::size_t dynamic_shared,
                const std::function<void()>& thread) {
  emulator().run(name, grid, block, dynamic_shared, thread);
}

void meet_warp(const char* what, unsigned mask, const Site& site, void* parcel, Combine combine, Memory memory) {
  emulator().meet_warp(what, mask, site, parcel, combine, memory);
}

void meet_block(const char* what, const Site& site) { emulator().meet_block(what, site, false); }

int count_block(const char* what, const Site& site, bool predicate) {
  return emulator().meet_block(what, site, predicate);
}

int lane() { return static_cast<int>(emulator().lane()); }

std::uint64_t exchange(const char* what, unsigned mask, const Site& site, std::uint64_t value, int source) {
  struct Parcel {
    std::uint64_t value, received;
    int source;
    const char* what;
    const Site* site;
  } parcel{value, 0, source, what, &site};
  meet_warp(
      what, mask, site, &parcel,
      [](void* const* parcels, unsigned lanes) {
        for (unsigned i = 0; i < kWarp; ++i) {
          if ((lanes >> i & 1) == 0) continue;
          auto& to = *static_cast<Parcel*>(parcels[i]);
          if (to.source < 0 || to.source >= static_cast<int>(kWarp) || (lanes >> to.source & 1) == 0)
            fail(*to.site, pgad::str(to.what, ": lane ", i, " reads lane ", to.source, ", which is not in the mask 0x",
                                     std::hex, lanes));
          to.received = static_cast<Parcel*>(parcels[to.source])->value;
        }
      },
      Memory::kUnordered);
  return parcel.received;
}

unsigned ballot(const char* what, unsigned mask, const Site& site, bool predicate) {
  struct Parcel {
    bool predicate;
    unsigned votes;
  } parcel{predicate, 0};
  meet_warp(
      what, mask, site, &parcel,
      [](void* const* parcels, unsigned lanes) {
        unsigned votes = 0;
        for (unsigned i = 0; i < kWarp; ++i)
          if ((lanes >> i & 1) != 0 && static_cast<Parcel*>(parcels[i])->predicate) votes |= 1u << i;
        for (unsigned i = 0; i < kWarp; ++i)
          if ((lanes >> i & 1) != 0) static_cast<Parcel*>(parcels[i])->votes = votes;
      },
      Memory::kUnordered);
  return parcel.votes;
}

void* shared_array(const SharedSite& site, std::size_t bytes, std::size_t alignment) {
  return emulator().shared_array(site, bytes, alignment, false);
}

void* dynamic_shared() {
  static constexpr SharedSite site{"dynamic shared memory", "the launch", 0};
  return emulator().shared_array(site, emulator().dynamic_bytes, 16, true);
}

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
  std::memset(shared, kPoisonByte, bytes);
  const Unwatched unwatched;
  emulator().thread().copies.push_back(copy);
}

void commit_copies() {
  const Unwatched unwatched;
  Thread& thread = emulator().thread();
  thread.groups.push_back(std::exchange(thread.copies, {}));
}

void wait_copies(int groups_left) {
  std::vector<std::vector<Copy>> landing;
  {
    const Unwatched unwatched;
    auto& groups = emulator().thread().groups;
    const auto count = std::max<std::ptrdiff_t>(0, std::ssize(groups) - groups_left);
    landing.assign(std::make_move_iterator(groups.begin()), std::make_move_iterator(groups.begin() + count));
    groups.erase(groups.begin(), groups.begin() + count);
  }
  for (const auto& group : landing)
    for (const Copy& copy : group) land(copy);
}

}  // namespace detail
}  // namespace simt
