#pragma once
// Convolutions as cuDNN 9's graph interface takes them: a graph of operations, of whose engines the first that serves
// becomes a plan. Only for builds where there is cudnn.h.

#include <cudnn.h>

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/conv2d/impl.h"
#include "kernels/cuda_library.h"

namespace pgad::cudnn {

// The functions of the library that is opened at first use.
struct Api {
  CudaLibrary library{"libcudnn.so.9"};
#define PGAD_CUDNN_FUNCTIONS(f)     \
  f(cudnnCreate);                   \
  f(cudnnDestroy);                  \
  f(cudnnSetStream);                \
  f(cudnnGetErrorString);           \
  f(cudnnBackendCreateDescriptor);  \
  f(cudnnBackendDestroyDescriptor); \
  f(cudnnBackendSetAttribute);      \
  f(cudnnBackendGetAttribute);      \
  f(cudnnBackendFinalize);          \
  f(cudnnBackendExecute)
#define PGAD_MEMBER(name) decltype(::name)* name = nullptr
  PGAD_CUDNN_FUNCTIONS(PGAD_MEMBER);
#undef PGAD_MEMBER
  Api();
  void check(cudnnStatus_t status, const char* what) const;
};

// Operands and result are NHWC and OHWI, 16-byte aligned; operands bf16 where the precision is, else float32. The
// result is float32.
struct Problem {
  ConvPass pass;
  std::int64_t n, h, w, ci, co, k;
  Precision precision;
  float alpha;
  bool bias_act;  // forward only
  float slope;
  auto operator<=>(const Problem&) const = default;
};

class Descriptor {
 public:
  Descriptor() = default;
  Descriptor(const Api& api, cudnnBackendDescriptorType_t type);
  Descriptor(Descriptor&& other) noexcept { *this = std::move(other); }
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(api_, other.api_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Descriptor() {
    if (descriptor_ != nullptr) (void)api_->cudnnBackendDestroyDescriptor(descriptor_);
  }
  cudnnBackendDescriptor_t get() const { return descriptor_; }

 private:
  const Api* api_ = nullptr;
  cudnnBackendDescriptor_t descriptor_ = nullptr;
};

class Plan {
 public:
  // handle null: for the device that `device_json` describes, as cuDNN's CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION
  // does: asks for engines, and makes no plan.
  Plan(const Api& api, cudnnHandle_t handle, const Problem& problem, const std::string& device_json = "");

  bool serves() const { return plan_.get() != nullptr; }
  std::int64_t workspace_bytes() const { return bytes_; }
  // a, b as in Conv2dArgs.
  void run(cudnnHandle_t handle, const void* a, const void* b, const float* bias, float* out, void* workspace);
  // Engines that keep what Problem and pgad promise, in the order in which cuDNN recommends them.
  std::size_t candidates() const { return configs_.size(); }

 private:
  enum Id : std::int64_t { kX = 1, kW, kY, kAlpha, kBias, kVirtual };
  void make_operations();
  void find_configs(cudnnHandle_t handle, const std::string& device_json);
  Descriptor tensor(std::int64_t id, cudnnDataType_t type, const std::int64_t (&dims)[4], bool is_virtual,
                    bool by_value = false) const;
  // Adds an operation on `in` (and `second`) and returns its result.
  Descriptor& then(cudnnPointwiseMode_t mode, const Descriptor& in, const Descriptor* second, bool last);
  bool acceptable(const Descriptor& config) const;

  const Api* api_;
  Problem problem_;
  std::int64_t result_dims_[4] = {};
  std::vector<std::unique_ptr<Descriptor>> kept_;  // what others refer to
  std::vector<cudnnBackendDescriptor_t> operations_;
  Descriptor graph_, plan_;
  std::vector<Descriptor> configs_;
  std::int64_t bytes_ = 0;
};

}  // namespace pgad::cudnn
