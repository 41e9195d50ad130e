#pragma once
// Memory that a kernel needs while it runs, kept from call to call in the Exec: a steady step allocates nothing.

#include <cstdlib>
#include <memory>
#include <new>

#include "engine/exec.h"

namespace pgad {

struct Workspace {
  // So many floats, on a cache line's boundary; what an earlier call got is lost.
  float* get(std::int64_t wanted) {
    if (wanted > floats) {
      memory.reset();
      const std::size_t bytes = static_cast<std::size_t>(wanted) * sizeof(float);
      memory.reset(
          static_cast<float*>(std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment)));
      if (!memory) throw std::bad_alloc();
      floats = wanted;
    }
    return memory.get();
  }

 private:
  struct Free {
    void operator()(float* p) const { std::free(p); }
  };
  std::unique_ptr<float, Free> memory;
  std::int64_t floats = 0;
};

}  // namespace pgad
