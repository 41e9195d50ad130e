// DeviceRuntime on CUDA's runtime library. That library is linked statically and looks for the driver when it is first
// called, so that a program built with CUDA starts on a machine that has none.

#include <cuda_runtime_api.h>

#include <array>
#include <cstring>

#include "engine/cuda/cuda_check.h"
#include "engine/runtime.h"

namespace pgad {
namespace {

constexpr int kLeastMajor = 8;  // compute capability 8.0: bf16 and tf32 matrix instructions, asynchronous copies

class CudaGraph : public DeviceRuntime::Graph {
 public:
  CudaGraph(cudaGraphExec_t graph, cudaStream_t stream) : graph_(graph), stream_(stream) {}
  ~CudaGraph() override { (void)cudaGraphExecDestroy(graph_); }
  void launch() override { PGAD_CUDA_CHECK(cudaGraphLaunch(graph_, stream_)); }

 private:
  cudaGraphExec_t graph_;
  cudaStream_t stream_;
};

using Streams = std::array<cudaStream_t, 2>;  // by DeviceRuntime::Queue

class CudaEvent : public DeviceRuntime::Event {
 public:
  explicit CudaEvent(const Streams& streams) : streams_(streams) {
    PGAD_CUDA_CHECK(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming));
  }
  ~CudaEvent() override { (void)cudaEventDestroy(event_); }
  void record(DeviceRuntime::Queue queue) override { PGAD_CUDA_CHECK(cudaEventRecord(event_, stream(queue))); }
  void wait() override { PGAD_CUDA_CHECK(cudaEventSynchronize(event_)); }
  void make_wait(DeviceRuntime::Queue queue) override {
    PGAD_CUDA_CHECK(cudaStreamWaitEvent(stream(queue), event_, 0));
  }

 private:
  cudaStream_t stream(DeviceRuntime::Queue queue) const { return streams_[static_cast<std::size_t>(queue)]; }

  Streams streams_;
  cudaEvent_t event_ = nullptr;
};

class CudaRuntime : public DeviceRuntime {
 public:
  explicit CudaRuntime(int index) : index_(index) {
    PGAD_CUDA_CHECK(cudaSetDevice(index));  // not make_current(): it opens the device's context, which may fail
    PGAD_CUDA_CHECK(cudaGetDeviceProperties(&properties_, index));
    if (properties_.major < kLeastMajor)
      throw DeviceError(str("device 'cuda:", index, "' is a ", properties_.name, " of compute capability ", properties_.major,
                      ".", properties_.minor, "; expected at least ", kLeastMajor, ".0"));
    for (cudaStream_t& s : streams_) PGAD_CUDA_CHECK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
  }
  ~CudaRuntime() override {
    for (const cudaStream_t s : streams_) (void)cudaStreamDestroy(s);
  }

  void make_current() const override {
    int current = -1;  // asking is cheaper than setting
    PGAD_CUDA_CHECK(cudaGetDevice(&current));
    if (current != index_) PGAD_CUDA_CHECK(cudaSetDevice(index_));
  }
  std::string description() const override {
    const double gib = static_cast<double>(properties_.totalGlobalMem) / (1 << 30);
    return str(properties_.name, " (sm_", properties_.major, properties_.minor, ", ", static_cast<int>(gib + 0.5),
               " GiB)");
  }
  std::string tuning_key() const override {
    int driver = 0;
    (void)cudaDriverGetVersion(&driver);
    return str(properties_.name, ", sm_", properties_.major, properties_.minor, ", ", properties_.multiProcessorCount,
               " multiprocessors, CUDA ", driver / 1000, ".", driver % 1000 / 10);
  }
  std::size_t free_bytes_impl() const override {
    std::size_t free = 0, total = 0;
    PGAD_CUDA_CHECK(cudaMemGetInfo(&free, &total));
    return free;
  }
  int multiprocessors() const override { return properties_.multiProcessorCount; }

  void* allocate_impl(std::size_t bytes) override {
    void* pointer = nullptr;
    const cudaError_t code = cudaMalloc(&pointer, bytes);
    if (code == cudaErrorMemoryAllocation) {
      (void)cudaGetLastError();
      return nullptr;
    }
    PGAD_CUDA_CHECK(code);
    return pointer;
  }
  // cudaFree waits for the device, so no kernel still works on the block.
  void release(void* pointer) noexcept override {
    (void)cudaSetDevice(index_);
    (void)cudaFree(pointer);
  }
  void* allocate_host_impl(std::size_t bytes) override {
    void* pointer = nullptr;
    PGAD_CUDA_CHECK(cudaMallocHost(&pointer, bytes));
    std::memset(pointer, 0, bytes);
    return pointer;
  }
  void release_host(void* pointer) noexcept override {
    (void)cudaSetDevice(index_);
    (void)cudaFreeHost(pointer);
  }

  void copy_in_impl(void* to, const void* from, std::size_t bytes, Queue queue) override {
    PGAD_CUDA_CHECK(
        cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, streams_[static_cast<std::size_t>(queue)]));
  }
  void copy_within_impl(void* to, const void* from, std::size_t bytes) override {
    PGAD_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, work()));
  }
  void copy_out_impl(void* to, const void* from, std::size_t bytes) override {
    PGAD_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, work()));
    synchronize();
  }
  void fill_impl(void* device, unsigned char byte, std::size_t bytes) override {
    PGAD_CUDA_CHECK(cudaMemsetAsync(device, byte, bytes, work()));
  }
  void synchronize_impl() override { PGAD_CUDA_CHECK(cudaStreamSynchronize(work())); }
  std::unique_ptr<Event> make_event_impl() override { return std::make_unique<CudaEvent>(streams_); }

  void begin_capture_impl() override {
    PGAD_CUDA_CHECK(cudaStreamBeginCapture(work(), cudaStreamCaptureModeThreadLocal));
  }
  std::unique_ptr<Graph> end_capture_impl(std::string* why) override {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    cudaError_t code = cudaStreamEndCapture(work(), &graph);
    if (code == cudaSuccess) code = cudaGraphInstantiate(&executable, graph, 0);
    if (graph != nullptr) (void)cudaGraphDestroy(graph);
    if (code == cudaSuccess) return std::make_unique<CudaGraph>(executable, work());
    (void)cudaGetLastError();
    *why = cudaGetErrorString(code);
    return nullptr;
  }

  void* stream() override { return work(); }

 private:
  cudaStream_t work() const { return streams_[static_cast<std::size_t>(Queue::kWork)]; }

  int index_;
  cudaDeviceProp properties_{};
  Streams streams_{};
};

}  // namespace

int cuda_device_count(std::string* why) {
  int count = 0, driver = 0, runtime = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code == cudaSuccess && count > 0) return count;
  (void)cudaGetLastError();
  if (why != nullptr) {
    (void)cudaDriverGetVersion(&driver);
    (void)cudaRuntimeGetVersion(&runtime);
    const auto version = [](int v) { return str(v / 1000, ".", v % 1000 / 10); };
    if (driver == 0)
      *why = "no NVIDIA driver was found on this machine";
    else if (code == cudaErrorInsufficientDriver)
      *why = str("the NVIDIA driver supports CUDA ", version(driver), ", this build needs ", version(runtime));
    else
      *why = code == cudaSuccess ? "no GPU was found" : str("CUDA says: ", cudaGetErrorString(code));
  }
  return 0;
}

std::shared_ptr<DeviceRuntime> make_cuda_runtime(int index) { return std::make_shared<CudaRuntime>(index); }

}  // namespace pgad
