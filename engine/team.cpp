#include "engine/team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

namespace pgad {
namespace {

// Loops follow each other within microseconds: to sleep and be woken costs more than the next loop. Who waits much
// longer takes the core from others, perhaps from the thread it waits for (docs/performance.md).
constexpr int kSpins = 1000;  // of some 15 to 50 microseconds

void pause_briefly() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// In a part, and when the thread's team is gone: parts are done one after the other.
thread_local bool alone = false;

using Part = std::function<void(int)>;

// One helper, and the place where it is given its part.
//
// A wake-up that is lost must not stop a program: the caller looks again by itself. (Two programs slept for minutes,
// caller and helper, and went on when a debugger made the caller look.) libstdc++ 12's notify_one() asks first whether
// anybody waits, and behind a store with less order than the default a processor, x86 too, may ask before the store is
// seen.
class alignas(64) Helper {
 public:
  Helper() : thread_([this] { serve(); }) {}
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;
  ~Helper() {
    state_.store(kEnd);
    state_.notify_one();
    thread_.join();
  }

  void offer(const Part& part, int index) {
    part_ = &part;
    index_ = index;
    state_.store(kOffered);
    state_.notify_one();
  }
  // Does the part if the helper has not begun it, else waits until it is done.
  void finish() noexcept {
    std::uint32_t offered = kOffered;
    if (state_.compare_exchange_strong(offered, kIdle, std::memory_order_acquire)) return (*part_)(index_);
    spin_while(kTaken);
    while (!done_.try_acquire_for(std::chrono::milliseconds(10))) {
    }
  }

 private:
  enum : std::uint32_t { kIdle, kOffered, kTaken, kEnd };

  void spin_while(std::uint32_t state) const {
    for (int i = 0; i < kSpins && state_.load(std::memory_order_acquire) == state; ++i) pause_briefly();
  }

  void serve() noexcept {
    alone = true;
    for (;;) {
      spin_while(kIdle);
      state_.wait(kIdle, std::memory_order_acquire);
      std::uint32_t state = kOffered;
      if (state_.compare_exchange_strong(state, kTaken, std::memory_order_acquire)) {
        (*part_)(index_);
        state_.store(kIdle);
        done_.release();
      } else if (state == kEnd) {
        return;
      }  // else the caller did it itself
    }
  }

  std::atomic<std::uint32_t> state_ = kIdle;
  std::binary_semaphore done_{0};  // released by the helper, and acquired by the caller, for each part that it did
  const Part* part_ = nullptr;
  int index_ = 0;
  std::thread thread_;  // last: it uses the rest from its start
};

// The helpers of one calling thread.
class Team {
 public:
  Team() = default;
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team() {
    alone = true;  // objects that end later may still compute
    // The child of a fork has no such threads to wait for. It keeps what it inherited.
    if (getpid() != process_) {
      [[maybe_unused]] static auto* const kept = new std::vector(std::move(helpers_));
    }
  }

  void run(int parts, const Part& part) noexcept {
    const int helped = std::min(parts - 1, have(parts - 1));
    for (int i = 0; i < helped; ++i) helpers_[static_cast<std::size_t>(i)]->offer(part, i + 1);
    alone = true;
    part(0);
    for (int i = helped + 1; i < parts; ++i) part(i);
    for (int i = 0; i < helped; ++i) helpers_[static_cast<std::size_t>(i)]->finish();
    alone = false;
  }

 private:
  // Starts helpers until there are `wanted`, or no more can be had; returns how many there are.
  int have(int wanted) {
    if (static_cast<int>(helpers_.size()) < wanted) {
      // Signals are for the program's own threads.
      sigset_t all, before;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, &before);
      try {
        while (static_cast<int>(helpers_.size()) < wanted) helpers_.push_back(std::make_unique<Helper>());
      } catch (const std::exception&) {  // no more threads: the caller does their parts
      }
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    return static_cast<int>(helpers_.size());
  }

  std::vector<std::unique_ptr<Helper>> helpers_;
  pid_t process_ = getpid();
};

}  // namespace

int available_processors() {
  cpu_set_t processors;
  if (sched_getaffinity(0, sizeof processors, &processors) == 0) return CPU_COUNT(&processors);
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));  // more than cpu_set_t can name
}

void run_parts(int parts, const std::function<void(int)>& part) {
  if (parts <= 1 || alone) {
    for (int i = 0; i < parts; ++i) part(i);
    return;
  }
  thread_local Team team;
  team.run(parts, part);
}

bool for_each_index(std::size_t n, int threads, const std::function<bool()>& stop,
                    const std::function<void(std::size_t)>& body) {
  std::atomic<std::size_t> next = 0;
  std::atomic<bool> failed = false, stopped = false;
  std::exception_ptr error;
  const auto most = std::max<std::size_t>(1, std::min<std::size_t>(n, 4096));
  const int parts = static_cast<int>(
      std::clamp<std::size_t>(static_cast<std::size_t>(threads > 0 ? threads : available_processors()), 1, most));
  run_parts(parts, [&](int) {
    try {
      while (!failed && !stopped) {
        const std::size_t i = next++;
        if (i >= n) return;
        if (stop())
          stopped = true;
        else
          body(i);
      }
    } catch (...) {
      if (!failed.exchange(true)) error = std::current_exception();
    }
  });
  if (error) std::rethrow_exception(error);
  return !stopped;
}

}  // namespace pgad
