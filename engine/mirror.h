#pragma once
// A tensor that the host writes or reads again and again: on a device it has a side in page-locked memory of the host;
// on the CPU both sides are the same memory, and the transfers do nothing.

#include "engine/exec.h"

namespace pgad {

// Page-locked memory of the host, and the event behind the last copy that reads it: no one writes or releases it before
// that has come.
class HostBlock {
 public:
  HostBlock(std::shared_ptr<DeviceRuntime> runtime, std::size_t bytes)
      : runtime_(std::move(runtime)),
        bytes_(bytes),
        read_(runtime_->make_event()),
        data_(static_cast<float*>(runtime_->allocate_host(bytes))) {}
  ~HostBlock() {
    try {
      read_->wait();
    } catch (const Error&) {  // the device failed: who used it has been told
    }
    runtime_->release_host(data_);
  }
  HostBlock(const HostBlock&) = delete;
  HostBlock& operator=(const HostBlock&) = delete;

  // Waits until the last copy has read it.
  float* data() const {
    read_->wait();
    return data_;
  }
  void copy_to(float* device, DeviceRuntime::Queue queue) {
    runtime_->copy_in(device, data_, bytes_, queue);
    read_->record(queue);
  }
  // What is put into that queue from now on waits for the last copy.
  void make_wait(DeviceRuntime::Queue queue) { read_->make_wait(queue); }

 private:
  std::shared_ptr<DeviceRuntime> runtime_;
  std::size_t bytes_;
  std::unique_ptr<DeviceRuntime::Event> read_;
  float* data_;  // last: where an event cannot be made, nothing has been taken
};

class Mirror {
 public:
  Mirror() = default;
  // Zeros on both sides.
  Mirror(Exec& exec, const Shape& shape) : tensor_(exec.zeros(shape)), runtime_(exec.runtime()) {
    if (runtime_) host_ = std::make_shared<HostBlock>(runtime_, tensor_.bytes());
  }

  const Tensor& tensor() const { return tensor_; }
  // The host's side; waits until an upload under way has read it.
  std::span<float> host() const {
    if (!runtime_) return tensor_.span<float>();
    return {host_->data(), static_cast<std::size_t>(tensor_.numel())};
  }
  // In the order of the device's work.
  void upload() {
    if (runtime_) host_->copy_to(tensor_.data<float>(), DeviceRuntime::Queue::kWork);
  }
  // Waits for the work before it.
  void download() const {
    if (runtime_) runtime_->copy_out(host_->data(), tensor_.data<float>(), tensor_.bytes());
  }

 private:
  Tensor tensor_;
  std::shared_ptr<DeviceRuntime> runtime_;
  std::shared_ptr<HostBlock> host_;
};

// A tensor that the host fills for the next step while the device is still at this one: from the host's page-locked
// side to a block of its own on the device, beside the work; from there to the tensor, in the work's order. On the CPU
// all three are the same memory, which a step has read when it returns.
class StagedInput {
 public:
  StagedInput() = default;
  StagedInput(Exec& exec, const Shape& shape) : tensor_(exec.zeros(shape)) {
    const bool estimate_for_cpu = exec.dry() && exec.device().type == DeviceType::kCpu;
    if (exec.runtime() && !estimate_for_cpu) stage_ = std::make_shared<Stage>(exec, shape);
  }

  const Tensor& tensor() const { return tensor_; }
  // The host's side; waits until the last send() has read it.
  std::span<float> host() const {
    if (!stage_) return tensor_.span<float>();
    return {stage_->host.data(), static_cast<std::size_t>(tensor_.numel())};
  }
  void send() {
    if (!stage_) return;
    stage_->received->make_wait(Queue::kCopies);
    stage_->host.copy_to(stage_->block.data<float>(), Queue::kCopies);
  }
  // What the last send() took.
  void receive() {
    if (!stage_) return;
    stage_->host.make_wait(Queue::kWork);
    stage_->runtime->copy_within(tensor_.data<float>(), stage_->block.data<float>(), stage_->block.bytes());
    stage_->received->record(Queue::kWork);
  }

 private:
  using Queue = DeviceRuntime::Queue;
  struct Stage {
    Stage(Exec& exec, const Shape& shape)
        : runtime(exec.runtime()),
          received(runtime->make_event()),
          block(exec.empty(shape)),
          host(runtime, block.bytes()) {
      received->record(Queue::kWork);  // the block may have served work that is not done yet
    }

    std::shared_ptr<DeviceRuntime> runtime;
    std::unique_ptr<DeviceRuntime::Event> received;
    Tensor block;
    HostBlock host;  // ends first: it waits for the copy into `block`
  };

  Tensor tensor_;
  std::shared_ptr<Stage> stage_;
};

}  // namespace pgad
