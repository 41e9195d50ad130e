#include "simt/block.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <utility>

#include "simt/sanitizers.h"

namespace simt {
namespace {

using detail::text;

bool operator==(const Site& a, const Site& b) { return a.line == b.line && std::strcmp(a.file, b.file) == 0; }

}  // namespace

// Never destroyed: a static's destructor may still launch.
Block& running_block() {
  static Block& instance = *new Block;
  return instance;
}

void Block::begin_launch(std::size_t threads, const std::function<void()>& body) {
  body_ = &body;
  threads_.resize(threads);
  while (fibers_.size() < threads) fibers_.push_back(std::make_unique<Fiber>());
}

void Block::end_launch() {
  acquire(&launch_tag_);
  for (const auto& fiber : fibers_) fiber->end();
  Fiber::forget_ended();
}

void Block::run(const detail::Index& index, const detail::Index& dim, Schedule& schedule) {
  const auto size = static_cast<unsigned>(threads_.size());
  detail::coordinates.block = index;
  schedule_ = &schedule;
  schedule.begin_block(size);
  error_ = nullptr;
  ended_ = 0;
  barrier_.reset();
  left_barriers_.clear();
  meetings_.clear();
  shared_.open();
  for (unsigned i = 0; i < size; ++i) {
    Thread& thread = threads_[i];
    thread.index = {i % dim.x, i / dim.x % dim.y, i / dim.x / dim.y};
    thread.meeting = nullptr;
    thread.ended = false;
    thread.groups.clear();
    thread.copies.clear();
    fibers_[i]->start(&Block::thread_main, this);
  }
  while (ended_ < size) {
    const int next = schedule.next();
    if (next < 0) report_deadlock();
    current_ = static_cast<unsigned>(next);
    detail::coordinates.thread = threads_[current_].index;
    fibers_[current_]->resume();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }
  shared_.check_red_zones();
}

void Block::thread_main(void* argument) {
  auto& self = *static_cast<Block*>(argument);
  try {
    (*self.body_)();
    const Unwatched unwatched;
    self.end_thread();
  } catch (...) {
    const Unwatched unwatched;
    self.error_ = std::current_exception();
  }
  self.suspend();
}

void Block::end_thread() {
  if (barrier_)
    detail::fail(pgad::str("leaves the kernel while thread ", text(threads_[barrier_->first].index), " waits in ",
                           barrier_->what, " at ", text(barrier_->site)));
  for (const auto& meeting : meetings_)
    if (meeting->warp == current_ / kWarp && (meeting->mask >> lane() & 1) != 0 && meeting->arrived < meeting->expected)
      detail::fail(pgad::str("leaves the kernel while thread ", text(threads_[meeting->first].index),
                             " waits for it in ", meeting->what, " at ", text(meeting->site)));
  thread().ended = true;
  ++ended_;
  schedule_->erase(current_);
}

void Block::suspend() {
  release(&launch_tag_);
  fibers_[current_]->yield();
}

void Block::report_deadlock() const {
  std::map<const Meeting*, std::vector<const Thread*>> waiting;
  for (const Thread& thread : threads_)
    if (thread.meeting != nullptr) waiting[thread.meeting].push_back(&thread);
  std::string message = "deadlock, no thread can run:";
  for (const auto& [meeting, those] : waiting) {
    message += pgad::str("\n  ", those.size(), " of ", meeting->expected, " threads, the first ", text(those[0]->index),
                         ", are in ", meeting->what, " at ", text(meeting->site));
    if (meeting->mask != 0) message += pgad::str(" with mask 0x", std::hex, meeting->mask);
  }
  detail::fail_block(message);
}

// Until the last of the others has come. The caller has entered itself in the meeting.
void Block::wait(Meeting* meeting) {
  thread().meeting = meeting;
  schedule_->erase(current_);
}

void Block::meet_block(const char* what, const Site& site) {
  Meeting* meeting = nullptr;
  bool last = false;
  {
    const Unwatched unwatched;
    const auto size = static_cast<unsigned>(threads_.size());
    if (ended_ > 0) detail::fail(site, pgad::str(what, ": ", ended_, " threads of the block have left the kernel"));
    if (!barrier_) barrier_.reset(new Meeting{what, site, 0, 0, size, current_});
    meeting = barrier_.get();
    if (std::strcmp(meeting->what, what) != 0 || !(meeting->site == site))
      detail::fail(site,
                   pgad::str("divergent barrier: ", what, " here, but thread ", text(threads_[meeting->first].index),
                             " waits in ", meeting->what, " at ", text(meeting->site)));
    last = ++meeting->arrived == size;
    if (last) {
      for (unsigned i = 0; i < size; ++i) {
        threads_[i].meeting = nullptr;
        schedule_->insert(i);
      }
      left_barriers_.push_back(std::move(barrier_));
    } else {
      wait(meeting);
    }
  }
  release(meeting);
  if (!last) suspend();
  acquire(meeting);
  const Unwatched unwatched;
  if (++meeting->departed == meeting->expected)
    std::erase_if(left_barriers_, [&](const auto& left) { return left.get() == meeting; });
}

void Block::meet_warp(const char* what, unsigned mask, const Site& site, void* parcel, detail::Combine combine,
                      detail::Memory memory) {
  Meeting* meeting = nullptr;
  bool last = false;
  {
    const Unwatched unwatched;
    const unsigned warp = current_ / kWarp;
    const unsigned lanes = std::min(kWarp, static_cast<unsigned>(threads_.size()) - warp * kWarp);
    if (lanes < kWarp) mask &= (1u << lanes) - 1;
    if ((mask >> lane() & 1) == 0)
      detail::fail(site, pgad::str(what, ": lane ", lane(), " is not in its own mask 0x", std::hex, mask));
    for (unsigned i = 0; i < lanes; ++i)
      if ((mask >> i & 1) != 0 && threads_[warp * kWarp + i].ended)
        detail::fail(site, pgad::str(what, ": lane ", i, " of the mask has left the kernel"));
    for (const auto& other : meetings_) {
      if (other->warp != warp || (other->mask & mask) == 0 || other->arrived == other->expected) continue;
      if (other->mask != mask || !(other->site == site) || std::strcmp(other->what, what) != 0)
        detail::fail(
            site, pgad::str("divergent warp: ", what, " with mask 0x", std::hex, mask, std::dec, " here, but thread ",
                            text(threads_[other->first].index), " waits in ", other->what, " with mask 0x", std::hex,
                            other->mask, std::dec, " at ", text(other->site)));
      meeting = other.get();
    }
    if (meeting == nullptr) {
      meetings_.emplace_back(new Meeting{what, site, warp, mask, static_cast<unsigned>(std::popcount(mask)), current_});
      meeting = meetings_.back().get();
    }
    meeting->parcels[lane()] = parcel;
    last = ++meeting->arrived == meeting->expected;
    if (last) {
      if (combine != nullptr) combine(meeting->parcels.data(), mask);
      for (unsigned i = 0; i < lanes; ++i) {
        if ((mask >> i & 1) == 0) continue;
        threads_[warp * kWarp + i].meeting = nullptr;
        schedule_->insert(warp * kWarp + i);
      }
    } else {
      wait(meeting);
    }
  }
  if (memory == detail::Memory::kOrdered) release(meeting);
  if (!last) suspend();
  if (memory == detail::Memory::kOrdered) acquire(meeting);
  const Unwatched unwatched;
  if (++meeting->departed == meeting->expected)
    std::erase_if(meetings_, [&](const auto& left) { return left.get() == meeting; });
}

namespace detail {

void meet_warp(const char* what, unsigned mask, const Site& site, void* parcel, Combine combine, Memory memory) {
  running_block().meet_warp(what, mask, site, parcel, combine, memory);
}

void meet_block(const char* what, const Site& site) { running_block().meet_block(what, site); }

int lane() { return static_cast<int>(running_block().lane()); }

std::uint64_t exchange(const char* what, unsigned mask, const Site& site, std::uint64_t value, int source) {
  struct Parcel {
    std::uint64_t value, received;
    int source;
    const char* what;
    const Site* site;
  } parcel{value, 0, source, what, &site};
  meet_warp(
      what, mask, site, &parcel,
      [](void* const* parcels, unsigned lanes) {
        for (unsigned i = 0; i < kWarp; ++i) {
          if ((lanes >> i & 1) == 0) continue;
          auto& to = *static_cast<Parcel*>(parcels[i]);
          if (to.source < 0 || to.source >= static_cast<int>(kWarp) || (lanes >> to.source & 1) == 0)
            fail(*to.site, pgad::str(to.what, ": lane ", i, " reads lane ", to.source, ", which is not in the mask 0x",
                                     std::hex, lanes));
          to.received = static_cast<Parcel*>(parcels[to.source])->value;
        }
      },
      Memory::kUnordered);
  return parcel.received;
}

void* shared_array(const SharedSite& site, std::size_t bytes, std::size_t alignment) {
  const Unwatched unwatched;
  return running_block().shared().array(site, bytes, alignment);
}

}  // namespace detail
}  // namespace simt
