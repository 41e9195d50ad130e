#include "engine/exec.h"

#include <cstring>

#include "engine/team.h"

namespace pgad {

Exec::Exec(Device device, int threads, Implementation implementation, Precision precision, Isa isa)
    : device_(device),
      threads_(threads > 0 ? threads : available_processors()),
      implementation_(implementation),
      precision_(precision),
      isa_(isa),
      runtime_(make_runtime(device)),
      stats_(std::make_shared<AllocatorStats>()),
      own_pool_(std::make_shared<Pool>(stats_, runtime_)) {
  now_.pool = own_pool_;
  if (device.type == DeviceType::kCpu && precision != Precision::kFp32)
    throw UsageError("precision: the CPU computes in fp32 only; expected fp32");
}

Exec::~Exec() {
  try {
    make_current();
    libraries_.clear();     // their handles are the device's
  } catch (const Error&) {  // the device failed: who used it has been told
  }
}

void Exec::guard_memory() { now_.pool = own_pool_ = std::make_shared<Pool>(stats_, runtime_, /*guarded=*/true); }

void Exec::without_recording(const std::function<void()>& work) {
  ExecScopeState state = now_;
  state.recorded = nullptr;
  state.pool = own_pool_;
  const ExecScope scope(*this, std::move(state));
  work();
}

Tensor Exec::empty(const Shape& shape, DType dtype) {
  const auto bytes = static_cast<std::size_t>(shape.numel()) * size_of(dtype);
  return Tensor(std::make_shared<Buffer>(now_.pool, bytes), shape, dtype);
}

Tensor Exec::zeros(const Shape& shape, DType dtype) {
  Tensor t = empty(shape, dtype);
  clear(t);
  return t;
}

void Exec::clear(const Tensor& tensor) {
  // A recorded step would not repeat this write: inside one, ask a kernel for zeros.
  PGAD_CHECK(!recording(), "a host write inside a recorded step");
  void* data = const_cast<void*>(tensor.address());
  runtime_ ? runtime_->fill(data, 0, tensor.bytes()) : static_cast<void>(std::memset(data, 0, tensor.bytes()));
}

void Exec::copy_in(void* to, const void* from, std::size_t bytes) const {
  runtime_ ? runtime_->copy_in(to, from, bytes) : static_cast<void>(std::memcpy(to, from, bytes));
}

void Exec::copy_out(void* to, const void* from, std::size_t bytes) const {
  runtime_ ? runtime_->copy_out(to, from, bytes) : static_cast<void>(std::memcpy(to, from, bytes));
}

}  // namespace pgad
