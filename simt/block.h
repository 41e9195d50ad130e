#pragma once
// The running block: its threads, each a fiber, and where they wait for each other.

#include <array>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <vector>

#include "simt/execution.h"
#include "simt/fiber.h"
#include "simt/schedule.h"
#include "simt/shared_memory.h"

namespace simt {

inline constexpr unsigned kWarp = 32;

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
  std::array<void*, kWarp> parcels{};
};

// cp.async (async_copy.cpp).
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

class Block {
 public:
  // Before and after a launch's blocks, which are run one after another. `body` is what a thread does.
  void begin_launch(std::size_t threads, const std::function<void()>& body);
  void end_launch();
  // Throws the first error.
  void run(const detail::Index& index, const detail::Index& dim, Schedule& schedule);

  // Called by its threads.
  void meet_warp(const char* what, unsigned mask, const Site& site, void* parcel, detail::Combine combine,
                 detail::Memory memory);
  void meet_block(const char* what, const Site& site);
  unsigned lane() const { return current_ % kWarp; }
  Thread& thread() { return threads_[current_]; }
  SharedMemory& shared() { return shared_; }

 private:
  static void thread_main(void* block);
  void wait(Meeting* meeting);
  void end_thread();
  void suspend();
  [[noreturn]] void report_deadlock() const;

  const std::function<void()>* body_ = nullptr;
  Schedule* schedule_ = nullptr;
  std::vector<Thread> threads_;
  std::vector<std::unique_ptr<Fiber>> fibers_;  // of the threads; those of larger blocks before stay
  unsigned current_ = 0;                        // the running thread
  unsigned ended_ = 0;
  std::exception_ptr error_;
  SharedMemory shared_;
  std::unique_ptr<Meeting> barrier_;                     // that some threads of the block wait at
  std::vector<std::unique_ptr<Meeting>> left_barriers_;  // complete; some threads have yet to resume
  std::vector<std::unique_ptr<Meeting>> meetings_;       // of lanes
  char launch_tag_ = 0;  // what the threads did is ordered before what follows the launch
};

// There is one, for launches exclude each other.
Block& running_block();

}  // namespace simt
