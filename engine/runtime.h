#pragma once
// What the engine asks of a device with memory of its own: blocks, an in-order stream of work with one for copies
// beside it, captured graphs. Implementations: CUDA's runtime (cuda/), its emulation on the CPU (simt/), and one that
// only counts (dry_runtime).

#include <cstddef>
#include <memory>
#include <string>

#include "engine/device.h"

namespace pgad {

class DeviceRuntime {
 public:
  // Work captured from the stream, launched as one, on the current device.
  class Graph {
   public:
    virtual ~Graph() = default;
    virtual void launch() = 0;
  };
  // In-order each; between the two only events make an order.
  enum class Queue {
    kWork,    // the stream of kernels
    kCopies,  // copies to the device beside them
  };
  // A point in a queue that the host, or the other queue, can wait for. An event that was never recorded counts as
  // reached: no one waits for it.
  class Event {
   public:
    virtual ~Event() = default;
    virtual void record(Queue queue = Queue::kWork) = 0;  // behind all that is in the queue now
    virtual void wait() = 0;                              // blocks the host
    // What is put into that queue from now on waits for the event; the host does not (CUDA: cudaStreamWaitEvent).
    virtual void make_wait(Queue queue) = 0;
  };

  virtual ~DeviceRuntime() = default;
  // Most of CUDA's calls, launches among them, go to the current device, which belongs to the calling thread. Whatever
  // is called below makes this one current; launches come after Exec::make_current(). It stays current afterwards: to
  // put another back would open a context there.
  virtual void make_current() const = 0;

  virtual bool dry() const { return false; }    // counts memory and kernels instead of having and running them
  virtual std::string description() const = 0;  // for people, e.g. "NVIDIA H200, 139.8 GiB, sm_90"
  virtual std::string tuning_key() const = 0;   // what timings of kernels are valid for
  virtual int multiprocessors() const = 0;

  std::size_t free_bytes() const {
    make_current();
    return free_bytes_impl();
  }
  // Null: no memory left.
  void* allocate(std::size_t bytes) {
    make_current();
    return allocate_impl(bytes);
  }
  virtual void release(void* pointer) noexcept = 0;
  // Page-locked memory of the host, zeros, from which copies run beside the host's work.
  void* allocate_host(std::size_t bytes) {
    make_current();
    return allocate_host_impl(bytes);
  }
  virtual void release_host(void* pointer) noexcept = 0;  // no copy under way may read it

  // All in the stream's order, but for copies put into kCopies. copy_in returns when `from` may change if it is
  // ordinary memory; if it came from allocate_host, it must stay there unchanged until an event recorded afterwards has
  // come.
  void copy_in(void* to_device, const void* from, std::size_t bytes, Queue queue = Queue::kWork) {
    make_current();
    copy_in_impl(to_device, from, bytes, queue);
  }
  void copy_within(void* to_device, const void* from_device, std::size_t bytes) {
    make_current();
    copy_within_impl(to_device, from_device, bytes);
  }
  // Waits until it is there.
  void copy_out(void* to, const void* from_device, std::size_t bytes) {
    make_current();
    copy_out_impl(to, from_device, bytes);
  }
  void fill(void* device, unsigned char byte, std::size_t bytes) {
    make_current();
    fill_impl(device, byte, bytes);
  }
  void synchronize() {
    make_current();
    synchronize_impl();
  }
  std::unique_ptr<Event> make_event() {
    make_current();
    return make_event_impl();
  }

  // What is launched in between is captured instead of run. end_capture returns null and says why where the device
  // cannot make a graph of it.
  void begin_capture() {
    make_current();
    begin_capture_impl();
  }
  std::unique_ptr<Graph> end_capture(std::string* why) {
    make_current();
    return end_capture_impl(why);
  }

  // cudaStream_t or simt::Stream*.
  virtual void* stream() = 0;

 private:
  // The device is current in these.
  virtual std::size_t free_bytes_impl() const = 0;
  virtual void* allocate_impl(std::size_t bytes) = 0;
  virtual void* allocate_host_impl(std::size_t bytes) = 0;
  virtual void copy_in_impl(void* to_device, const void* from, std::size_t bytes, Queue queue) = 0;
  virtual void copy_within_impl(void* to_device, const void* from_device, std::size_t bytes) = 0;
  virtual void copy_out_impl(void* to, const void* from_device, std::size_t bytes) = 0;
  virtual void fill_impl(void* device, unsigned char byte, std::size_t bytes) = 0;
  virtual void synchronize_impl() = 0;
  virtual std::unique_ptr<Event> make_event_impl() = 0;
  virtual void begin_capture_impl() = 0;
  virtual std::unique_ptr<Graph> end_capture_impl(std::string* why) = 0;
};

// Throws DeviceError where there is no such device.
std::shared_ptr<DeviceRuntime> make_cuda_runtime(int index);
std::shared_ptr<DeviceRuntime> make_emulated_runtime(int index);  // in simt/; only where kEmulation
std::shared_ptr<DeviceRuntime> make_dry_runtime();
// Null for the CPU.
std::shared_ptr<DeviceRuntime> make_runtime(const Device& device);

// Number of GPUs; 0 with the reason in `why` where there are none, or no driver, or this build has no CUDA.
int cuda_device_count(std::string* why);

}  // namespace pgad
