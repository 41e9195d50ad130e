// DeviceRuntime on the emulator of engine/simt: the code path of a GPU down to allocator, stream and graph. Its memory
// is closed to the host: an access from outside a kernel or a copy is a segmentation fault, as it would be on a machine
// with a GPU.

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <utility>

#include "engine/poison.h"
#include "engine/runtime.h"
#include "engine/simt/emulator.h"

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

// Copies beside the work. As simt::Options::late_copies says they are made when an event behind them is waited for, so
// that a missing wait is noticed; or at once.
class CopyQueue {
 public:
  explicit CopyQueue(simt::Stream& stream) : stream_(stream) {}
  void submit(std::function<void()> copy) {
    PGAD_CHECK(!stream_.capturing(), "a copy beside the work inside a captured step would not be repeated");
    waiting_.push_back(std::move(copy));
    if (!simt::options().late_copies) run(end());
  }
  std::size_t end() const { return done_ + waiting_.size(); }
  void run(std::size_t end) {
    for (; done_ < end; ++done_) {
      stream_.submit(waiting_.front());
      waiting_.pop_front();
    }
  }

 private:
  simt::Stream& stream_;
  std::deque<std::function<void()>> waiting_;
  std::size_t done_ = 0;
};

class EmulatedEvent : public DeviceRuntime::Event {
 public:
  explicit EmulatedEvent(CopyQueue& copies) : copies_(copies) {}
  void record(DeviceRuntime::Queue queue) override {
    if (queue == DeviceRuntime::Queue::kCopies) end_ = copies_.end();  // the stream's work is done when it is submitted
  }
  void wait() override { copies_.run(end_); }
  void hold(DeviceRuntime::Queue queue) override {
    if (queue == DeviceRuntime::Queue::kWork) copies_.run(end_);
  }

 private:
  CopyQueue& copies_;
  std::size_t end_ = 0;
};

class EmulatedRuntime : public DeviceRuntime {
 public:
  EmulatedRuntime() {
    void* arena = mmap(nullptr, kArena, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (arena == MAP_FAILED) throw Error("cuda-emulated: no address space for the device's memory");
    arena_ = static_cast<unsigned char*>(arena);
    free_.emplace(arena_ + kGap, kArena - kGap);
    stream_.around_work([this](bool begins) { open(begins); });
  }
  ~EmulatedRuntime() override {
    PGAD_UNPOISON(arena_, used_);
    munmap(arena_, kArena);
  }

  std::string description() const override { return "cuda-emulated: CUDA's kernels executed on the CPU, for tests"; }
  std::string tuning_key() const override { return "cuda-emulated"; }
  std::size_t free_bytes() const override {
    std::size_t bytes = 0;
    for (const auto& [address, size] : free_) bytes += size;
    return bytes;
  }
  int multiprocessors() const override { return 2; }

  // First fit; a block is followed by a gap that no one may touch.
  void* allocate(std::size_t bytes) override {
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
    if (found == blocks_.end()) std::abort();  // not a block of this device
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
  void* allocate_host(std::size_t bytes) override { return std::calloc(bytes, 1); }
  void release_host(void* pointer) noexcept override { std::free(pointer); }

  void copy_in(void* to, const void* from, std::size_t bytes, Queue queue) override {
    const auto copy = [=] { std::memcpy(to, from, bytes); };
    if (queue == Queue::kCopies)
      copies_.submit(copy);
    else
      stream_.submit(copy);
  }
  void copy_within(void* to, const void* from, std::size_t bytes) override {
    stream_.submit([=] { std::memcpy(to, from, bytes); });
  }
  void copy_out(void* to, const void* from, std::size_t bytes) override {
    PGAD_CHECK(!stream_.capturing(), "the host waits inside a captured step");
    stream_.submit([=] { std::memcpy(to, from, bytes); });
  }
  void fill(void* device, unsigned char byte, std::size_t bytes) override {
    stream_.submit([=] { std::memset(device, byte, bytes); });
  }
  void synchronize() override { PGAD_CHECK(!stream_.capturing(), "the host waits inside a captured step"); }
  std::unique_ptr<Event> make_event() override { return std::make_unique<EmulatedEvent>(copies_); }
  void begin_capture() override { stream_.begin_capture(); }
  std::unique_ptr<Graph> end_capture(std::string* why) override {
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

  unsigned char* arena_ = nullptr;
  std::size_t used_ = 0;                                 // bytes up to the end of the last block there ever was
  std::map<unsigned char*, std::size_t> free_, blocks_;  // by address, with the gap behind
  simt::Stream stream_;
  CopyQueue copies_{stream_};
};

}  // namespace

std::shared_ptr<DeviceRuntime> make_emulated_runtime() { return std::make_shared<EmulatedRuntime>(); }

}  // namespace pgad
