// DeviceRuntime on the emulator of simt/: the code path of a GPU down to allocator, stream and graph. Its memory
// is closed to the host: an access from outside a kernel or a copy is a segmentation fault, as it would be on a machine
// with a GPU.

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iterator>
#include <map>
#include <utility>

#include "engine/poison.h"
#include "engine/runtime.h"
#include "simt/emulator.h"

namespace pgad {
namespace {

constexpr std::size_t kArena = std::size_t{8} << 30;  // bytes of addresses; memory is taken when it is touched
constexpr std::size_t kGap = 256;                     // between blocks: also the alignment that cudaMalloc gives

class EmulatedGraph : public DeviceRuntime::Graph {
 public:
  EmulatedGraph(simt::Stream& stream, std::vector<std::function<void()>> work)
      : stream_(stream), work_(std::move(work)) {}
  void launch() override {
    for (const auto& w : work_) stream_.submit(w);
  }

 private:
  simt::Stream& stream_;
  std::vector<std::function<void()>> work_;
};

// What went wrong where nothing may be thrown.
[[noreturn]] void die(const char* what) {
  std::fprintf(stderr, "cuda-emulated: %s\n", what);
  std::abort();
}

using Queue = DeviceRuntime::Queue;

// Page-locked memory, and whether copies from it may still be under way. They have been made when they are put into the
// work's queue here, but not on a GPU; so what counts is what the host has waited for.
class HostMemory {
 public:
  ~HostMemory() {
    if (!blocks_.empty()) die("page-locked memory was never released");
  }
  void* allocate(std::size_t bytes) {
    void* block = std::calloc(bytes, 1);
    if (block == nullptr) throw DeviceError("cuda-emulated: no memory for the host's side");
    blocks_.emplace(block, Block{bytes});
    return block;
  }
  void release(void* block) {
    const auto found = blocks_.find(block);
    if (found == blocks_.end()) die("what is released is no page-locked memory");
    for (std::size_t q = 0; q < 2; ++q)
      if (found->second.last_copy[q] > come_[q]) die("page-locked memory is released while a copy may still read it");
    blocks_.erase(found);
    std::free(block);
  }
  void copied(const void* from, Queue queue) {
    const auto q = static_cast<std::size_t>(queue);
    ++put_[q];
    const auto behind = blocks_.upper_bound(const_cast<void*>(from));
    if (behind == blocks_.begin()) return;
    auto& [start, block] = *std::prev(behind);
    if (from < static_cast<const unsigned char*>(start) + block.bytes) block.last_copy[q] = put_[q];
  }
  std::uint64_t put(Queue queue) const { return put_[static_cast<std::size_t>(queue)]; }
  void wait(Queue queue, std::uint64_t put) {
    auto& come = come_[static_cast<std::size_t>(queue)];
    come = std::max(come, put);
  }

 private:
  struct Block {
    std::size_t bytes = 0;
    std::array<std::uint64_t, 2> last_copy{};  // by queue, a number of put_
  };
  std::map<void*, Block> blocks_;
  std::array<std::uint64_t, 2> put_{}, come_{};  // copies put into each queue, and those that the host has waited for
};

// Copies beside the work. As simt::Options::late_copies says they are made when an event behind them is waited for, so
// that a missing wait is noticed; or at once.
class CopyQueue {
 public:
  CopyQueue(simt::Stream& stream, int device) : stream_(stream), device_(device) {}
  void submit(std::function<void()> copy) {
    PGAD_CHECK(!stream_.capturing(), "a copy beside the work inside a captured step would not be repeated");
    waiting_.push_back(std::move(copy));
    if (!simt::options().late_copies) run(end());
  }
  std::size_t end() const { return done_ + waiting_.size(); }
  // Called by whoever waits, whichever device is current to him.
  void run(std::size_t end) {
    const int before = std::exchange(simt::current_device(), device_);
    for (; done_ < end; ++done_) {
      stream_.submit(waiting_.front());
      waiting_.pop_front();
    }
    simt::current_device() = before;
  }

 private:
  simt::Stream& stream_;
  int device_;
  std::deque<std::function<void()>> waiting_;
  std::size_t done_ = 0;
};

class EmulatedEvent : public DeviceRuntime::Event {
 public:
  EmulatedEvent(CopyQueue& copies, HostMemory& host, std::size_t& events)
      : copies_(copies), host_(host), events_(events) {
    if (events_ >= simt::options().max_events) throw DeviceError("cuda-emulated: no more events");
    ++events_;
  }
  ~EmulatedEvent() override { --events_; }
  void record(Queue queue) override {
    queue_ = queue;
    put_ = host_.put(queue);
    if (queue == Queue::kCopies) end_ = copies_.end();  // the stream's work is done when it is submitted
  }
  void wait() override {
    copies_.run(end_);
    host_.wait(queue_, put_);
  }
  void make_wait(Queue queue) override {
    if (queue == Queue::kWork) copies_.run(end_);
  }

 private:
  CopyQueue& copies_;
  HostMemory& host_;
  std::size_t& events_;
  Queue queue_ = Queue::kWork;
  std::uint64_t put_ = 0;
  std::size_t end_ = 0;
};

class EmulatedRuntime : public DeviceRuntime {
 public:
  explicit EmulatedRuntime(int index) : index_(index) {
    void* arena = mmap(nullptr, kArena, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (arena == MAP_FAILED) throw DeviceError("cuda-emulated: no address space for the device's memory");
    arena_ = static_cast<unsigned char*>(arena);
    free_.emplace(arena_ + kGap, kArena - kGap);
    stream_.around_work([this](bool begins) { open(begins); });
  }
  ~EmulatedRuntime() override {
    PGAD_UNPOISON(arena_, used_);
    munmap(arena_, kArena);
  }

  void make_current() const override { simt::current_device() = index_; }
  std::string description() const override { return "cuda-emulated: CUDA's kernels executed on the CPU, for tests"; }
  std::string tuning_key() const override { return "cuda-emulated"; }
  std::size_t free_bytes_impl() const override {
    expect_current("the free memory");
    std::size_t bytes = 0;
    for (const auto& [address, size] : free_) bytes += size;
    return bytes;
  }
  int multiprocessors() const override { return 2; }

  // First fit; a block is followed by a gap that no one may touch.
  void* allocate_impl(std::size_t bytes) override {
    expect_current("memory");
    const std::size_t taken = (bytes + kGap - 1) / kGap * kGap + kGap;
    for (auto it = free_.begin(); it != free_.end(); ++it) {
      const auto [address, size] = *it;
      if (size < taken) continue;
      free_.erase(it);
      if (size > taken) free_.emplace(address + taken, size - taken);
      blocks_.emplace(address, taken);
      PGAD_UNPOISON(address, bytes);
      PGAD_POISON(address + bytes, taken - bytes);
      used_ = std::max(used_, static_cast<std::size_t>(address + taken - arena_));
      return address;
    }
    return nullptr;
  }
  void release(void* pointer) noexcept override {
    auto* address = static_cast<unsigned char*>(pointer);
    const auto found = blocks_.find(address);
    if (found == blocks_.end()) die("what is released is no block of this device");
    std::size_t size = found->second;
    blocks_.erase(found);
    PGAD_POISON(address, size);
    const auto next = free_.find(address + size);
    if (next != free_.end()) {
      size += next->second;
      free_.erase(next);
    }
    free_.emplace(address, size);
  }
  void* allocate_host_impl(std::size_t bytes) override {
    expect_current("page-locked memory");
    return host_.allocate(bytes);
  }
  void release_host(void* pointer) noexcept override { host_.release(pointer); }

  void copy_in_impl(void* to, const void* from, std::size_t bytes, Queue queue) override {
    const auto copy = [=] { std::memcpy(to, from, bytes); };
    if (queue == Queue::kCopies)
      copies_.submit(copy);
    else
      stream_.submit(copy);
    std::atomic_ref(simt::statistics().bytes_in).fetch_add(static_cast<std::int64_t>(bytes));
    host_.copied(from, queue);
  }
  void copy_within_impl(void* to, const void* from, std::size_t bytes) override {
    stream_.submit([=] { std::memcpy(to, from, bytes); });
  }
  void copy_out_impl(void* to, const void* from, std::size_t bytes) override {
    PGAD_CHECK(!stream_.capturing(), "the host waits inside a captured step");
    stream_.submit([=] { std::memcpy(to, from, bytes); });
    host_.wait(Queue::kWork, host_.put(Queue::kWork));
  }
  void fill_impl(void* device, unsigned char byte, std::size_t bytes) override {
    stream_.submit([=] { std::memset(device, byte, bytes); });
  }
  void synchronize_impl() override {
    expect_current("the stream");
    PGAD_CHECK(!stream_.capturing(), "the host waits inside a captured step");
    host_.wait(Queue::kWork, host_.put(Queue::kWork));
  }
  std::unique_ptr<Event> make_event_impl() override {
    expect_current("an event");
    return std::make_unique<EmulatedEvent>(copies_, host_, events_);
  }
  void begin_capture_impl() override {
    expect_current("the stream");
    stream_.begin_capture();
  }
  std::unique_ptr<Graph> end_capture_impl(std::string* why) override {
    auto work = stream_.end_capture();
    if (simt::options().graphs) return std::make_unique<EmulatedGraph>(stream_, std::move(work));
    *why = "the emulator's options say so";
    return nullptr;
  }
  void* stream() override { return &stream_; }

 private:
  void open(bool begins) const {
    const std::size_t pages = (used_ + 4095) / 4096 * 4096;
    if (pages > 0) mprotect(arena_, pages, begins ? PROT_READ | PROT_WRITE : PROT_NONE);
  }

  void expect_current(const char* what) const { simt::expect_current(index_, what); }

  int index_;
  unsigned char* arena_ = nullptr;
  std::size_t used_ = 0;                                 // bytes up to the end of the last block there ever was
  std::map<unsigned char*, std::size_t> free_, blocks_;  // by address, with the gap behind
  simt::Stream stream_{index_};
  CopyQueue copies_{stream_, index_};
  HostMemory host_;
  std::size_t events_ = 0;  // there are
};

}  // namespace

std::shared_ptr<DeviceRuntime> make_emulated_runtime(int index) { return std::make_shared<EmulatedRuntime>(index); }

}  // namespace pgad
