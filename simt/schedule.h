#pragma once
// In which order the blocks of a launch and the threads of a block are run: what Order says.

#include <array>
#include <cstdint>
#include <random>
#include <vector>

#include "simt/emulator.h"

namespace simt {

inline constexpr unsigned kMaxThreads = 1024;  // of a block

// Of one launch.
class Schedule {
 public:
  Schedule(Order order, std::uint64_t blocks);
  std::uint64_t block(std::uint64_t i) const;  // the i-th to run
  void begin_block(unsigned threads);          // all of which can run
  // Whether a thread can run: not while it waits, or once it has ended.
  void insert(unsigned thread) { runnable_[thread / 64] |= std::uint64_t{1} << thread % 64; }
  void erase(unsigned thread) { runnable_[thread / 64] &= ~(std::uint64_t{1} << thread % 64); }
  // The thread to run now; -1: none can.
  int next();

 private:
  int first_from(int thread) const;  // that can run, -1: none
  int last_up_to(int thread) const;

  Order order_;
  std::uint64_t blocks_;
  std::vector<std::uint64_t> permutation_;  // of the blocks, kRandom only
  std::mt19937_64 random_{0};
  int threads_ = 0;
  int last_ = -1;                                           // the thread that ran last
  std::array<std::uint64_t, kMaxThreads / 64> runnable_{};  // a bit each
};

}  // namespace simt
