// Streams, and which device is current.

#include <utility>

#include "simt/emulator.h"

namespace simt {

int& current_device() {
  thread_local int device = 0;
  return device;
}

void expect_current(int device, const char* what) {
  if (current_device() != device)
    throw Error(pgad::str(what, " of device ", device, " while device ", current_device(),
                          " is the calling thread's current one"));
}

void Stream::submit(std::function<void()> work) {
  expect_current(device_, "work");
  if (capturing_) {
    captured_.push_back(std::move(work));
    return;
  }
  struct Around {
    const std::function<void(bool)>& call;
    explicit Around(const std::function<void(bool)>& c) : call(c) {
      if (call) call(true);
    }
    ~Around() {
      if (call) call(false);
    }
  };
  const Around around(around_work_);
  work();
}

void Stream::begin_capture() {
  PGAD_CHECK(!capturing_, "the stream is capturing already");
  capturing_ = true;
}

std::vector<std::function<void()>> Stream::end_capture() {
  PGAD_CHECK(capturing_, "the stream is not capturing");
  capturing_ = false;
  return std::exchange(captured_, {});
}

}  // namespace simt
