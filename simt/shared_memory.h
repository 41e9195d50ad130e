#pragma once
// The running block's shared memory: arrays between red zones, filled with NaN.

#include <cstddef>
#include <vector>

#include "simt/execution.h"

namespace simt {

class SharedMemory {
 public:
  void open();  // for a new block, whose arrays are not there yet
  void* array(const SharedSite& site, std::size_t bytes, std::size_t alignment);
  void check_red_zones();  // at the block's end

 private:
  struct Array {
    const SharedSite* site;
    std::size_t begin, bytes;
  };
  unsigned char* arena_ = nullptr;
  std::size_t used_ = 0;      // of the arena; the next array's leading red zone begins here
  std::size_t declared_ = 0;  // bytes of all arrays
  std::vector<Array> arrays_;
};

}  // namespace simt
