#pragma once
// Exec: everything a kernel needs to run: the device, its threads, the memory pool, library handles, and the recorder
// of a step graph. One Exec belongs to one thread at a time; several may exist.

#include <functional>
#include <memory>
#include <string>
#include <typeindex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/device.h"
#include "engine/isa.h"
#include "engine/prepared_weights.h"
#include "engine/runtime.h"
#include "engine/tensor.h"

namespace pgad {

// Which column of the kernel tables runs. kReference is for tests: plain loops, accumulating in double.
enum class Implementation { kFastest, kReference };

// The least work that a kernel's result takes: every input read once, every output written once.
struct Cost {
  double flops = 0, bytes = 0;
};

struct RecordedCall {
  const char* kernel;
  std::string label;  // the shape, or empty
  Cost cost;
  std::function<void(class Exec&)> call;
};

// What holds for the work that is done at the moment, and is changed for a while by an ExecScope.
struct ExecScopeState {
  std::shared_ptr<Pool> pool;                     // where tensors come from: a recorded step has one of its own
  std::vector<RecordedCall>* recorded = nullptr;  // the step being recorded; null: none
  PreparedWeights* prepared = nullptr;            // where prepared weights are kept; null: nowhere
  bool capturing = false;                         // launches are captured instead of run
};

class Exec {
 public:
  // threads = 0: one for each processor that the process may run on. Throws Error where there is no such device.
  explicit Exec(Device device = {}, int threads = 0, Implementation implementation = Implementation::kFastest,
                Precision precision = Precision::kFp32, Isa isa = chosen_isa());
  ~Exec();
  Exec(const Exec&) = delete;
  Exec& operator=(const Exec&) = delete;

  Device device() const { return device_; }
  int threads() const { return threads_; }
  Implementation implementation() const { return implementation_; }
  Precision precision() const { return precision_; }
  Isa isa() const { return isa_; }  // of kernels on the CPU
  // Null for the CPU.
  const std::shared_ptr<DeviceRuntime>& runtime() const { return runtime_; }
  // Makes the device CUDA's current one in the calling thread, to which it belongs: whoever runs kernels calls this
  // first.
  void make_current() const {
    if (runtime_) runtime_->make_current();
  }
  // What kernels are launched on: cudaStream_t or simt::Stream*.
  void* stream() const { return runtime_->stream(); }
  // Waits for everything launched so far (not for copies beside it, see StagedInput).
  void synchronize() const {
    if (runtime_) runtime_->synchronize();
  }
  std::string description() const {
    return runtime_ ? runtime_->description() : str("CPU, ", threads_, " threads, ", isa_name(isa_));
  }

  // Uninitialised memory.
  Tensor empty(const Shape& shape, DType dtype = DType::kF32);
  Tensor zeros(const Shape& shape, DType dtype = DType::kF32);
  template <class T>
  Tensor from(std::span<const T> values, const Shape& shape) {
    PGAD_CHECK(static_cast<std::int64_t>(values.size()) == shape.numel(), values.size(), " values for ", shape);
    Tensor t = empty(shape, dtype_of<T>());
    upload(values, t);
    return t;
  }
  // Zeros.
  void clear(const Tensor& tensor);
  // Values to the elements of a tensor from the first-th on, in the order of the device's work.
  template <class T>
  void upload(std::span<const std::type_identity_t<T>> values, const Tensor& to, std::int64_t first) {
    PGAD_CHECK(!recording(), "a host write inside a recorded step would not be repeated");
    PGAD_CHECK(first >= 0 && first + static_cast<std::int64_t>(values.size()) <= to.numel(), first, " of ", to.shape());
    copy_in(to.data<T>() + first, values.data(), values.size_bytes());
  }
  template <class T>
  void upload(std::span<const T> values, const Tensor& to) {
    upload<T>(values, to, 0);
  }
  // Values of the elements of a tensor from the first-th on; waits for the work that makes them.
  template <class T>
  void download(const Tensor& from, std::int64_t first, std::span<std::type_identity_t<T>> values) const {
    PGAD_CHECK(!recording(), "a host read inside a recorded step");
    PGAD_CHECK(first >= 0 && first + static_cast<std::int64_t>(values.size()) <= from.numel(), first, " of ",
               from.shape());
    copy_out(values.data(), from.data<T>() + first, values.size_bytes());
  }
  template <class T>
  std::vector<T> read(const Tensor& from, std::int64_t first, std::int64_t count) const {
    std::vector<T> values(static_cast<std::size_t>(count));
    download<T>(from, first, values);
    return values;
  }
  template <class T>
  std::vector<T> read(const Tensor& from) const {
    return read<T>(from, 0, from.numel());
  }

  // From now on blocks lie between guard lines; memory().overruns counts the damaged ones. For tests.
  void guard_memory();
  const AllocatorStats& memory() const { return *stats_; }
  // Gives cached blocks back to the system, e.g. when the resolution changes.
  void trim() { own_pool_->trim(); }
  // Memory is counted but not there, kernels are counted but not run: for estimates.
  bool dry() const { return runtime_ && runtime_->dry(); }

  // The handles and caches of one library (e.g. cuDNN's), made at first use and kept as long as the Exec.
  template <class Library>
  Library& library() {
    auto& slot = libraries_[std::type_index(typeid(Library))];
    if (!slot) slot = std::make_shared<Library>();
    return *static_cast<Library*>(slot.get());
  }

  const ExecScopeState& now() const { return now_; }
  // Where prepared weights are kept at the moment; null: nowhere, they serve one call.
  PreparedWeights* prepared_weights() const { return now_.prepared; }
  bool recording() const { return now_.recorded != nullptr; }
  // Whether launches are being captured instead of run, see StepGraph.
  bool capturing() const { return now_.capturing; }
  void record(RecordedCall call) { now_.recorded->push_back(std::move(call)); }
  // Runs something whose results hold for all replays: it is not recorded, and its memory does not come from the step's
  // pool, where earlier calls of the step would overwrite it in the next replay.
  void without_recording(const std::function<void()>& work);

 private:
  friend class StepGraph;
  friend class ExecScope;
  void copy_in(void* to, const void* from, std::size_t bytes) const;
  void copy_out(void* to, const void* from, std::size_t bytes) const;

  Device device_;
  int threads_;
  Implementation implementation_;
  Precision precision_;
  Isa isa_;
  std::shared_ptr<DeviceRuntime> runtime_;
  std::shared_ptr<AllocatorStats> stats_;
  std::shared_ptr<Pool> own_pool_;
  ExecScopeState now_;
  bool warned_of_graphs_ = false;  // that steps cannot be captured: said once
  std::unordered_map<std::type_index, std::shared_ptr<void>> libraries_;
};

// `state` holds until the scope ends; scopes may nest. Begin with exec.now() and change what is to be changed.
class ExecScope {
 public:
  ExecScope(Exec& exec, ExecScopeState state) : exec_(exec), before_(std::exchange(exec.now_, std::move(state))) {}
  ~ExecScope() { exec_.now_ = std::move(before_); }
  ExecScope(const ExecScope&) = delete;
  ExecScope& operator=(const ExecScope&) = delete;

 private:
  Exec& exec_;
  ExecScopeState before_;
};

// Keeps prepared weights in `store`.
class PreparedScope : public ExecScope {
 public:
  PreparedScope(Exec& exec, PreparedWeights& store) : ExecScope(exec, changed(exec, store)) {}

 private:
  static ExecScopeState changed(const Exec& exec, PreparedWeights& store) {
    ExecScopeState state = exec.now();
    state.prepared = &store;
    return state;
  }
};

}  // namespace pgad
