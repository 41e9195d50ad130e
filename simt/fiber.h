#pragma once
// A call stack of its own, run by turns with the thread that resumes it. AddressSanitizer and ThreadSanitizer are told
// of every switch. For ThreadSanitizer each start is a new thread, ordered after the one that started it, and switching
// orders nothing.

#include <cstddef>

namespace simt {

class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // The next resume() calls entry(argument) on an empty stack; an earlier call that has not ended is abandoned, its
  // destructors do not run. `entry` must not throw, and ends with yield().
  void start(void (*entry)(void*), void* argument);
  void resume();
  // Back to the caller of resume().
  void yield();

  // The call is over or abandoned; ThreadSanitizer still knows its thread, until all that have ended are forgotten. Not
  // before: a thread's number would be given to another one, and races between the two go unseen.
  void end();
  static void forget_ended();

 private:
  struct Context;
  static void main();
  static void switch_context(Context& from, Context& to);
  Context* fiber_;
  Context* resumer_;
  void (*entry_)(void*) = nullptr;
  void* argument_ = nullptr;
};

}  // namespace simt
