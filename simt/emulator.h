#pragma once
// The emulator that executes CUDA kernels on the CPU, as its users (tests, step graphs) see it: options, statistics,
// streams, errors. It declares none of CUDA's names, so it can be included beside CUDA's own headers.
//
// Blocks run one after another, and each thread of a block is a fiber that runs until it waits. Launches from several
// OS threads exclude each other; options and statistics may be touched only while no kernel runs.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "engine/check.h"

namespace simt {

// What a kernel or a launch did wrong. The message names kernel, block, thread and place in the source.
class Error : public pgad::Error {
 public:
  using pgad::Error::Error;
};

// In which order the threads of a block, and the blocks of a grid, are run. A correct kernel gives the same result in
// every order; each order reveals other missing barriers.
enum class Order {
  kForward,         // sweeps from the first thread to the last, each until it waits
  kReverse,         // sweeps from the last to the first; blocks too
  kRandom,          // any thread that can run; blocks shuffled
  kWarpDepthFirst,  // the first warp as far as it gets, then the next
};
inline constexpr Order kAllOrders[] = {Order::kForward, Order::kReverse, Order::kRandom, Order::kWarpDepthFirst};
const char* name_of(Order);

struct Options {
  Order order = Order::kForward;
  // cp.async lands when it is waited for, and is NaN until then (finds missing waits); or at once. So do the copies of
  // DeviceRuntime::Queue::kCopies.
  bool late_copies = true;
  bool graphs = true;                        // whether captured work can be made a graph
  std::size_t max_events = ~std::size_t{0};  // that a device can hold
};
Options& options();

struct KernelStatistics {
  using Shape = std::tuple<unsigned, unsigned, unsigned, unsigned, unsigned, unsigned>;  // grid, block
  std::int64_t launches = 0;
  std::set<Shape> shapes;
  std::set<Order> orders;
};
struct Statistics {
  bool kept = true;  // false: nothing is counted, as on a GPU
  std::int64_t launches = 0;
  std::int64_t bytes_in = 0;  // copied from the host to a device
  std::map<std::string, KernelStatistics> kernels;
};
Statistics& statistics();

// CUDA's current device of the calling thread.
int& current_device();
// Throws Error where another device is current, as CUDA refuses what belongs to this one.
void expect_current(int device, const char* what);

// An in-order queue of a device. Work runs at once; while a capture is on, it is listed instead, as CUDA's stream
// capture does.
class Stream {
 public:
  explicit Stream(int device = 0) : device_(device) {}
  void submit(std::function<void()> work);
  void begin_capture();
  std::vector<std::function<void()>> end_capture();
  bool capturing() const { return capturing_; }
  // Called with true before any work of the stream runs and with false after it.
  void around_work(std::function<void(bool begins)> call) { around_work_ = std::move(call); }

 private:
  int device_;
  bool capturing_ = false;
  std::vector<std::function<void()>> captured_;
  std::function<void(bool)> around_work_;
};

}  // namespace simt
