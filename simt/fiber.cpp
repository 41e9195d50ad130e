#include "simt/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "engine/check.h"
#include "simt/sanitizers.h"

#if SIMT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
// simt_switch_stack(void** save, void* next): pushes the registers that a call preserves, exchanges the stack pointers
// and pops the other side's. A new stack holds zeros and the address to start at.
#if defined(__x86_64__)
asm(R"(
.text
.type simt_switch_stack, @function
simt_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size simt_switch_stack, .-simt_switch_stack
)");
constexpr std::size_t kFrameWords = 8;  // six registers, the start, and a null return address
constexpr std::size_t kStartWord = 6;
#elif defined(__aarch64__)
asm(R"(
.text
.type simt_switch_stack, %function
simt_switch_stack:
  stp x29, x30, [sp, #-160]!
  stp x19, x20, [sp, #16]
  stp x21, x22, [sp, #32]
  stp x23, x24, [sp, #48]
  stp x25, x26, [sp, #64]
  stp x27, x28, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #16]
  ldp x21, x22, [sp, #32]
  ldp x23, x24, [sp, #48]
  ldp x25, x26, [sp, #64]
  ldp x27, x28, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  ldp x29, x30, [sp], #160
  ret
.size simt_switch_stack, .-simt_switch_stack
)");
constexpr std::size_t kFrameWords = 20;
constexpr std::size_t kStartWord = 1;  // x30
#else
#error "the emulator cannot switch stacks on this processor: build with -DPGAD_EMULATION=OFF"
#endif
extern "C" void simt_switch_stack(void** save, void* next);

#define SIMT_NO_SANITIZE __attribute__((no_sanitize("thread", "address")))

namespace simt {
namespace {

constexpr std::size_t kStackBytes = SIMT_ASAN ? 256 * 1024 : 64 * 1024;  // AddressSanitizer's frames are larger

Fiber* starting = nullptr;
#if SIMT_TSAN
std::vector<void*> ended;
constexpr std::size_t kMaxEnded = 4096;  // ThreadSanitizer has numbers for about 8000 threads
#endif

std::size_t page_bytes() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

}  // namespace

struct Fiber::Context {
  void* mapping = nullptr;  // guard page, then the stack; null for the resumer's own stack
  const void* bottom = nullptr;
  std::size_t bytes = 0;
  void* tsan = nullptr;
  void* stack_pointer = nullptr;
};

Fiber::Fiber() : fiber_(new Context), resumer_(new Context) {
  const std::size_t guard = page_bytes();
  void* mapping =
      mmap(nullptr, guard + kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  PGAD_CHECK(mapping != MAP_FAILED, "no memory for a thread's stack");
  PGAD_CHECK(mprotect(mapping, guard, PROT_NONE) == 0);
  fiber_->mapping = mapping;
  fiber_->bottom = static_cast<char*>(mapping) + guard;
  fiber_->bytes = kStackBytes;
}

Fiber::~Fiber() {
  end();
  munmap(fiber_->mapping, page_bytes() + kStackBytes);
  delete fiber_;
  delete resumer_;
}

void Fiber::start(void (*entry)(void*), void* argument) {
  entry_ = entry;
  argument_ = argument;
  char* bottom = static_cast<char*>(const_cast<void*>(fiber_->bottom));
#if SIMT_ASAN
  __asan_unpoison_memory_region(bottom, kStackBytes);  // frames that were abandoned
#endif
#if SIMT_TSAN
  // Mapped anew: the accesses of the thread that had this stack before are forgotten.
  PGAD_CHECK(mmap(bottom, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
             bottom);
  end();
  fiber_->tsan = __tsan_create_fiber(0);
#endif
  std::uintptr_t frame[kFrameWords] = {};
  frame[kStartWord] = reinterpret_cast<std::uintptr_t>(&Fiber::main);
  fiber_->stack_pointer = bottom + kStackBytes - sizeof frame;
  std::memcpy(fiber_->stack_pointer, frame, sizeof frame);
}

SIMT_NO_SANITIZE void Fiber::switch_context(Context& from, Context& to) {
#if SIMT_ASAN
  void* fake_stack = nullptr;
  __sanitizer_start_switch_fiber(&fake_stack, to.bottom, to.bytes);
#endif
#if SIMT_TSAN
  from.tsan = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(to.tsan, __tsan_switch_to_fiber_no_sync);
#endif
  simt_switch_stack(&from.stack_pointer, to.stack_pointer);
#if SIMT_ASAN
  const void* old_bottom = nullptr;
  std::size_t old_bytes = 0;
  __sanitizer_finish_switch_fiber(fake_stack, &old_bottom, &old_bytes);
#endif
}

SIMT_NO_SANITIZE void Fiber::main() {
  Fiber* self = starting;
#if SIMT_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &self->resumer_->bottom, &self->resumer_->bytes);
#endif
  self->entry_(self->argument_);
  __builtin_trap();  // an ended fiber was resumed
}

SIMT_NO_SANITIZE void Fiber::resume() {
  starting = this;
  switch_context(*resumer_, *fiber_);
}

SIMT_NO_SANITIZE void Fiber::yield() { switch_context(*fiber_, *resumer_); }

void Fiber::end() {
#if SIMT_TSAN
  if (fiber_->tsan == nullptr) return;
  ended.push_back(std::exchange(fiber_->tsan, nullptr));
  if (ended.size() >= kMaxEnded) forget_ended();
#endif
}

void Fiber::forget_ended() {
#if SIMT_TSAN
  for (void* thread : ended) __tsan_destroy_fiber(thread);
  ended.clear();
#endif
}

}  // namespace simt
