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
  // Work captured from the stream, launched as one.
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
  // A point in a queue that the host, or the other queue, can wait for. Never recorded: it has come.
  class Event {
   public:
    virtual ~Event() = default;
    virtual void record(Queue queue = Queue::kWork) = 0;
    virtual void wait() = 0;
    virtual void hold(Queue queue) = 0;  // what is put into that queue from now on waits
  };

  virtual ~DeviceRuntime() = default;
  virtual std::string description() const = 0;  // for people, e.g. "NVIDIA H200, 139.8 GiB, sm_90"
  virtual std::string tuning_key() const = 0;   // what timings of kernels are valid for
  virtual std::size_t free_bytes() const = 0;
  virtual int multiprocessors() const = 0;

  virtual void* allocate(std::size_t bytes) = 0;  // null: no memory left
  virtual void release(void* pointer) noexcept = 0;
  // Page-locked memory of the host, zeros, from which copies run beside the host's work.
  virtual void* allocate_host(std::size_t bytes) = 0;
  virtual void release_host(void* pointer) noexcept = 0;

  // All in the stream's order, but for copies put into kCopies. copy_in returns when `from` may change if it is
  // ordinary memory; if it came from allocate_host, it must stay unchanged until an event recorded afterwards has come.
  virtual void copy_in(void* to_device, const void* from, std::size_t bytes, Queue queue = Queue::kWork) = 0;
  virtual void copy_within(void* to_device, const void* from_device, std::size_t bytes) = 0;
  virtual void copy_out(void* to, const void* from_device, std::size_t bytes) = 0;  // waits until it is there
  virtual void fill(void* device, unsigned char byte, std::size_t bytes) = 0;
  virtual void synchronize() = 0;
  virtual std::unique_ptr<Event> make_event() = 0;

  // What is launched in between is captured instead of run. end_capture returns null and says why where the device
  // cannot make a graph of it.
  virtual void begin_capture() = 0;
  virtual std::unique_ptr<Graph> end_capture(std::string* why) = 0;

  // cudaStream_t or simt::Stream*.
  virtual void* stream() = 0;
};

// Throws Error where there is no such device.
std::shared_ptr<DeviceRuntime> make_cuda_runtime(int index);
std::shared_ptr<DeviceRuntime> make_emulated_runtime();
std::shared_ptr<DeviceRuntime> make_dry_runtime();
// Null for the CPU.
std::shared_ptr<DeviceRuntime> make_runtime(const Device& device);

// Number of GPUs; 0 with the reason in `why` where there are none, or no driver, or this build has no CUDA.
int cuda_device_count(std::string* why);

}  // namespace pgad
