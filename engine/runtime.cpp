#include "engine/runtime.h"

#include <cstdlib>
#include <cstring>

namespace pgad {
namespace {

// Addresses without memory behind them, for a machine of unlimited size.
class DryRuntime : public DeviceRuntime {
 public:
  class NoGraph : public Graph {
    void launch() override {}
  };
  class NoEvent : public Event {
    void record(Queue) override {}
    void wait() override {}
    void hold(Queue) override {}
  };

  std::string description() const override { return "estimate"; }
  std::string tuning_key() const override { return ""; }
  std::size_t free_bytes() const override { return ~std::size_t{0}; }
  int multiprocessors() const override { return 1; }
  void* allocate(std::size_t bytes) override {
    void* here = reinterpret_cast<void*>(next_);
    next_ += (bytes + 4095) / 4096 * 4096;
    return here;
  }
  void release(void*) noexcept override {}
  void* allocate_host(std::size_t bytes) override { return std::calloc(bytes, 1); }
  void release_host(void* pointer) noexcept override { std::free(pointer); }
  void copy_in(void*, const void*, std::size_t, Queue) override {}
  void copy_within(void*, const void*, std::size_t) override {}
  void copy_out(void* to, const void*, std::size_t bytes) override { std::memset(to, 0, bytes); }
  void fill(void*, unsigned char, std::size_t) override {}
  void synchronize() override {}
  std::unique_ptr<Event> make_event() override { return std::make_unique<NoEvent>(); }
  void begin_capture() override {}
  std::unique_ptr<Graph> end_capture(std::string*) override { return std::make_unique<NoGraph>(); }
  void* stream() override { return nullptr; }

 private:
  std::uintptr_t next_ = std::uintptr_t{1} << 46;  // where no process has memory: an access would be noticed
};

}  // namespace

std::shared_ptr<DeviceRuntime> make_dry_runtime() { return std::make_shared<DryRuntime>(); }

std::shared_ptr<DeviceRuntime> make_runtime(const Device& device) {
  if (device.dry) return make_dry_runtime();
  switch (device.type) {
    case DeviceType::kCpu:
      return nullptr;
    case DeviceType::kCuda:
      return make_cuda_runtime(device.index);
    case DeviceType::kCudaEmulated:
      return make_emulated_runtime();
  }
  return nullptr;
}

}  // namespace pgad
