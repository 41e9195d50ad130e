#include "engine/exec.h"

#include <omp.h>

#include <cstring>

namespace pgad {

Exec::Exec(Device device, int threads, Implementation implementation)
    : device_(device),
      threads_(threads > 0 ? threads : omp_get_num_procs()),
      implementation_(implementation),
      stats_(std::make_shared<AllocatorStats>()),
      own_pool_(std::make_shared<Pool>(stats_)),
      pool_(own_pool_) {
  omp_set_num_threads(threads_);
}

void Exec::guard_memory() { pool_ = own_pool_ = std::make_shared<Pool>(stats_, /*guarded=*/true); }

Tensor Exec::empty(const Shape& shape, DType dtype) {
  const auto bytes = static_cast<std::size_t>(shape.numel()) * size_of(dtype);
  return Tensor(std::make_shared<Buffer>(pool_, bytes), shape, dtype);
}

Tensor Exec::zeros(const Shape& shape, DType dtype) {
  // A recorded step would not repeat this write: inside one, ask a kernel for zeros.
  PGAD_CHECK(!recording(), "zeros() inside a recorded step");
  Tensor t = empty(shape, dtype);
  std::memset(dtype == DType::kF32 ? static_cast<void*>(t.data<float>()) : t.data<double>(), 0, t.bytes());
  return t;
}

}  // namespace pgad
