#pragma once
// A GPU's counterpart of workspace.h: device memory that a kernel needs while it runs, kept from call to call in the
// Exec. Calls follow each other on one stream, so they may share it.

#include <memory>
#include <vector>

#include "engine/exec.h"

namespace pgad {

class CudaWorkspace {
 public:
  CudaWorkspace() = default;
  CudaWorkspace(const CudaWorkspace&) = delete;
  CudaWorkspace& operator=(const CudaWorkspace&) = delete;
  ~CudaWorkspace() {
    for (void* block : blocks_) runtime_->release(block);
  }

  // So many floats; what an earlier call got may be overwritten.
  float* get(const Exec& exec, std::int64_t wanted) {
    if (wanted > floats_) {
      runtime_ = exec.runtime();
      blocks_.reserve(blocks_.size() + 1);
      void* block = runtime_->allocate(static_cast<std::size_t>(wanted) * sizeof(float));
      if (block == nullptr) throw DeviceError(str("no device memory left for a workspace of ", wanted, " floats"));
      blocks_.push_back(block);
      floats_ = wanted;
    }
    return static_cast<float*>(blocks_.back());
  }

 private:
  std::shared_ptr<DeviceRuntime> runtime_;
  std::vector<void*> blocks_;  // the last serves; captured graphs may still use the others
  std::int64_t floats_ = 0;
};

}  // namespace pgad
