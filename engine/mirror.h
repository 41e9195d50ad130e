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

// A tensor that the host fills for the next step while the device is still at this one: from the host's page-locked
// side to a block of its own on the device, beside the work; from there to the tensor, in the work's order. On the CPU
// all three are the same memory, which a step has read when it returns.
class StagedInput {
 public:
  StagedInput() = default;
  StagedInput(Exec& exec, const Shape& shape) : tensor_(exec.zeros(shape)) {
    const bool estimate_for_cpu = exec.device().dry && exec.device().type == DeviceType::kCpu;
    if (exec.runtime() && !estimate_for_cpu) stage_ = std::make_shared<Stage>(exec, shape);
  }

  const Tensor& tensor() const { return tensor_; }
  // The host's side; waits until the last send() has read it.
  std::span<float> host() const {
    if (!stage_) return tensor_.span<float>();
    stage_->sent->wait();
    return {stage_->host, static_cast<std::size_t>(tensor_.numel())};
  }
  void send() {
    if (!stage_) return;
    Stage& s = *stage_;
    s.received->hold(Queue::kCopies);
    s.runtime->copy_in(s.block.data<float>(), s.host, s.block.bytes(), Queue::kCopies);
    s.sent->record(Queue::kCopies);
  }
  // What the last send() took.
  void receive() {
    if (!stage_) return;
    Stage& s = *stage_;
    s.sent->hold(Queue::kWork);
    s.runtime->copy_within(tensor_.data<float>(), s.block.data<float>(), s.block.bytes());
    s.received->record(Queue::kWork);
  }

 private:
  using Queue = DeviceRuntime::Queue;
  struct Stage {
    Stage(Exec& exec, const Shape& shape)
        : runtime(exec.runtime()),
          block(exec.empty(shape)),
          host(static_cast<float*>(runtime->allocate_host(block.bytes()))),
          sent(runtime->make_event()),
          received(runtime->make_event()) {
      received->record(Queue::kWork);  // the block may have served work that is not done yet
    }
    ~Stage() {
      try {
        sent->wait();
      } catch (const Error&) {  // the device failed: who used it has been told
      }
      runtime->release_host(host);
    }
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;

    std::shared_ptr<DeviceRuntime> runtime;
    Tensor block;
    float* host;
    std::unique_ptr<DeviceRuntime::Event> sent, received;
  };

  Tensor tensor_;
  std::shared_ptr<Stage> stage_;
};

}  // namespace pgad
