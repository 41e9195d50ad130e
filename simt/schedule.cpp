#include "simt/schedule.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace simt {

const char* name_of(Order order) {
  switch (order) {
    case Order::kForward:
      return "forward";
    case Order::kReverse:
      return "reverse";
    case Order::kRandom:
      return "random";
    case Order::kWarpDepthFirst:
      return "warp by warp";
  }
  return "?";
}

Schedule::Schedule(Order order, std::uint64_t blocks) : order_(order), blocks_(blocks) {
  if (order != Order::kRandom) return;
  permutation_.resize(blocks);
  std::iota(permutation_.begin(), permutation_.end(), 0);
  std::shuffle(permutation_.begin(), permutation_.end(), random_);
}

std::uint64_t Schedule::block(std::uint64_t i) const {
  if (order_ == Order::kReverse) return blocks_ - 1 - i;
  return order_ == Order::kRandom ? permutation_[i] : i;
}

void Schedule::begin_block(unsigned threads) {
  threads_ = static_cast<int>(threads);
  last_ = -1;
  runnable_.fill(0);
  for (unsigned i = 0; i < threads; ++i) insert(i);
}

int Schedule::next() {
  if (order_ == Order::kReverse) {
    last_ = last_up_to((last_ < 0 ? threads_ : last_) - 1);
    if (last_ < 0) last_ = last_up_to(threads_ - 1);
    return last_;
  }
  int from = 0;  // kWarpDepthFirst: the first that can
  if (order_ == Order::kForward && last_ + 1 < threads_) from = last_ + 1;
  if (order_ == Order::kRandom) from = static_cast<int>(random_() % static_cast<unsigned>(threads_));
  last_ = first_from(from);
  if (last_ < 0) last_ = first_from(0);
  return last_;
}

int Schedule::first_from(int thread) const {
  std::uint64_t mask = ~std::uint64_t{0} << thread % 64;
  for (std::size_t word = static_cast<std::size_t>(thread) / 64; word < runnable_.size(); ++word) {
    if (const std::uint64_t bits = runnable_[word] & mask; bits != 0)
      return static_cast<int>(word) * 64 + std::countr_zero(bits);
    mask = ~std::uint64_t{0};
  }
  return -1;
}

int Schedule::last_up_to(int thread) const {
  if (thread < 0) return -1;
  std::uint64_t mask = ~std::uint64_t{0} >> (63 - thread % 64);
  for (int word = thread / 64; word >= 0; --word) {
    if (const std::uint64_t bits = runnable_[static_cast<std::size_t>(word)] & mask; bits != 0)
      return word * 64 + 63 - std::countl_zero(bits);
    mask = ~std::uint64_t{0};
  }
  return -1;
}

}  // namespace simt
