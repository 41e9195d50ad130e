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
    void make_wait(Queue) override {}
  };

  bool dry() const override { return true; }
  std::string description() const override { return "estimate"; }
  std::string tuning_key() const override { return ""; }
  std::size_t free_bytes_impl() const override { return ~std::size_t{0}; }
  int multiprocessors() const override { return 1; }
  void* allocate_impl(std::size_t bytes) override {
    void* here = reinterpret_cast<void*>(next_);
    next_ += (bytes + 4095) / 4096 * 4096;
    return here;
  }
  void release(void*) noexcept override {}
  void* allocate_host_impl(std::size_t bytes) override { return std::calloc(bytes, 1); }
  void release_host(void* pointer) noexcept override { std::free(pointer); }
  void copy_in_impl(void*, const void*, std::size_t, Queue) override {}
  void copy_within_impl(void*, const void*, std::size_t) override {}
  void copy_out_impl(void* to, const void*, std::size_t bytes) override { std::memset(to, 0, bytes); }
  void fill_impl(void*, unsigned char, std::size_t) override {}
  void synchronize_impl() override {}
  std::unique_ptr<Event> make_event_impl() override { return std::make_unique<NoEvent>(); }
  void begin_capture_impl() override {}
  std::unique_ptr<Graph> end_capture_impl(std::string*) override { return std::make_unique<NoGraph>(); }
  void* stream() override { return nullptr; }
  void make_current() const override {}

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
      if constexpr (kEmulation)
        return make_emulated_runtime(device.index);
      else
        throw DeviceError(kNoEmulation);
  }
  return nullptr;
}

}  // namespace pgad
