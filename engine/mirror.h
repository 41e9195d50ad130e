#pragma once
// A tensor that the host writes or reads again and again: on a device it has a side in page-locked memory of the host;
// on the CPU both sides are the same memory, and the transfers do nothing.

#include "engine/exec.h"

namespace pgad {

class Mirror {
 public:
  Mirror() = default;
  // Zeros on both sides.
  Mirror(Exec& exec, const Shape& shape) : tensor_(exec.zeros(shape)), runtime_(exec.runtime()) {
    if (!runtime_) return;
    host_ = {static_cast<float*>(runtime_->allocate_host(tensor_.bytes())),
             [runtime = runtime_](float* p) { runtime->release_host(p); }};
    uploaded_ = runtime_->make_event();
  }

  const Tensor& tensor() const { return tensor_; }
  // The host's side; waits until an upload under way has read it.
  std::span<float> host() const {
    if (!runtime_) return tensor_.span<float>();
    uploaded_->wait();
    return {host_.get(), static_cast<std::size_t>(tensor_.numel())};
  }
  // In the order of the device's work.
  void upload() {
    if (!runtime_) return;
    runtime_->copy_in(tensor_.data<float>(), host_.get(), tensor_.bytes());
    uploaded_->record();
  }
  // Waits for the work before it.
  void download() const {
    if (runtime_) runtime_->copy_out(host_.get(), tensor_.data<float>(), tensor_.bytes());
  }

 private:
  Tensor tensor_;
  std::shared_ptr<DeviceRuntime> runtime_;
  std::shared_ptr<float> host_;
  std::shared_ptr<DeviceRuntime::Event> uploaded_;
};

}  // namespace pgad
