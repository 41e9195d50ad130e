// Convolutions by cuDNN 9, where it is installed: an alternative to cuda.cu, chosen by measurement only. Of its
// algorithms, those that promise the same bits in every run; which one may depend on the batch.

#include "kernels/conv2d/impl.h"

#if !__has_include(<cudnn.h>)
namespace pgad {
bool conv2d_cudnn(Exec&, const Conv2dArgs<float>&, ConvPass) { return false; }
}  // namespace pgad
#else

#include <cudnn.h>

#include <limits>
#include <map>
#include <tuple>

#include "kernels/cuda_library.h"
#include "kernels/cuda_workspace.h"

namespace pgad {
namespace {

// What a shape needs, made once.
struct Plan {
  cudnnTensorDescriptor_t x = nullptr, y = nullptr;
  cudnnFilterDescriptor_t w = nullptr;
  cudnnConvolutionDescriptor_t conv = nullptr;
  int algorithm = -1;  // -1: cuDNN has none that serves
  std::size_t bytes = 0;
};

struct Cudnn {
  CudaLibrary library{"libcudnn.so.9"};
#define PGAD_CUDNN_FUNCTIONS(f)                     \
  f(cudnnCreate);                                   \
  f(cudnnDestroy);                                  \
  f(cudnnSetStream);                                \
  f(cudnnGetErrorString);                           \
  f(cudnnCreateTensorDescriptor);                   \
  f(cudnnSetTensor4dDescriptor);                    \
  f(cudnnDestroyTensorDescriptor);                  \
  f(cudnnCreateFilterDescriptor);                   \
  f(cudnnSetFilter4dDescriptor);                    \
  f(cudnnDestroyFilterDescriptor);                  \
  f(cudnnCreateConvolutionDescriptor);              \
  f(cudnnSetConvolution2dDescriptor);               \
  f(cudnnSetConvolutionMathType);                   \
  f(cudnnDestroyConvolutionDescriptor);             \
  f(cudnnGetConvolutionForwardAlgorithm_v7);        \
  f(cudnnGetConvolutionBackwardDataAlgorithm_v7);   \
  f(cudnnGetConvolutionBackwardFilterAlgorithm_v7); \
  f(cudnnConvolutionForward);                       \
  f(cudnnConvolutionBackwardData);                  \
  f(cudnnConvolutionBackwardFilter)
#define PGAD_MEMBER(name) decltype(::name)* name = nullptr
  PGAD_CUDNN_FUNCTIONS(PGAD_MEMBER);
#undef PGAD_MEMBER
  cudnnHandle_t handle = nullptr;
  std::map<std::tuple<ConvPass, std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>,
           Plan>
      plans;
  CudaWorkspace workspace;

  Cudnn() {
#define PGAD_FIND(name) library.find(name, #name)
    PGAD_CUDNN_FUNCTIONS(PGAD_FIND);
#undef PGAD_FIND
  }
  ~Cudnn() {
    for (auto& [key, plan] : plans) {
      if (plan.x != nullptr) cudnnDestroyTensorDescriptor(plan.x);
      if (plan.y != nullptr) cudnnDestroyTensorDescriptor(plan.y);
      if (plan.w != nullptr) cudnnDestroyFilterDescriptor(plan.w);
      if (plan.conv != nullptr) cudnnDestroyConvolutionDescriptor(plan.conv);
    }
    if (handle != nullptr) cudnnDestroy(handle);
  }

  void check(cudnnStatus_t status, const char* what) const {
    if (status != CUDNN_STATUS_SUCCESS) throw Error(str(what, ": cuDNN: ", cudnnGetErrorString(status)));
  }
#define PGAD_CUDNN(function, ...) check(function(__VA_ARGS__), #function)

  const Plan& plan(const Exec& exec, const Conv2dArgs<float>& s, ConvPass pass) {
    const auto [entry, added] = plans.try_emplace({pass, s.n, s.h, s.w, s.ci, s.co, s.k});
    Plan& p = entry->second;
    if (!added) return p;
    const auto to_int = [](std::int64_t value) {
      PGAD_CHECK(value <= std::numeric_limits<int>::max(), value, " is too long for cuDNN");
      return static_cast<int>(value);
    };
    const int n = to_int(s.n), h = to_int(s.h), w = to_int(s.w), ci = to_int(s.ci), co = to_int(s.co), k = to_int(s.k);
    PGAD_CUDNN(cudnnCreateTensorDescriptor, &p.x);
    PGAD_CUDNN(cudnnCreateTensorDescriptor, &p.y);
    PGAD_CUDNN(cudnnCreateFilterDescriptor, &p.w);
    PGAD_CUDNN(cudnnCreateConvolutionDescriptor, &p.conv);
    PGAD_CUDNN(cudnnSetTensor4dDescriptor, p.x, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, n, ci, h, w);
    PGAD_CUDNN(cudnnSetTensor4dDescriptor, p.y, CUDNN_TENSOR_NHWC, CUDNN_DATA_FLOAT, n, co, h, w);
    PGAD_CUDNN(cudnnSetFilter4dDescriptor, p.w, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NHWC, co, ci, k, k);
    PGAD_CUDNN(cudnnSetConvolution2dDescriptor, p.conv, k / 2, k / 2, 1, 1, 1, 1, CUDNN_CROSS_CORRELATION,
               CUDNN_DATA_FLOAT);
    // Which the algorithms are asked for: the default allows TF32.
    PGAD_CUDNN(cudnnSetConvolutionMathType, p.conv,
               exec.precision() == Precision::kFp32 ? CUDNN_FMA_MATH : CUDNN_DEFAULT_MATH);
    const auto choose = [&](const auto* found, int count) {
      for (int i = 0; i < count; ++i) {
        if (found[i].status != CUDNN_STATUS_SUCCESS || found[i].determinism != CUDNN_DETERMINISTIC) continue;
        if (exec.precision() == Precision::kFp32 && found[i].mathType != CUDNN_FMA_MATH) continue;
        p.algorithm = static_cast<int>(found[i].algo);
        p.bytes = found[i].memory;
        PGAD_CUDNN(cudnnSetConvolutionMathType, p.conv, found[i].mathType);
        return;
      }
    };
    int count = 0;
    if (pass == ConvPass::kForward) {
      cudnnConvolutionFwdAlgoPerf_t found[CUDNN_CONVOLUTION_FWD_ALGO_COUNT];
      PGAD_CUDNN(cudnnGetConvolutionForwardAlgorithm_v7, handle, p.x, p.w, p.conv, p.y,
                 CUDNN_CONVOLUTION_FWD_ALGO_COUNT, &count, found);
      choose(found, count);
    } else if (pass == ConvPass::kDgrad) {
      cudnnConvolutionBwdDataAlgoPerf_t found[CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT];
      PGAD_CUDNN(cudnnGetConvolutionBackwardDataAlgorithm_v7, handle, p.w, p.y, p.conv, p.x,
                 CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT, &count, found);
      choose(found, count);
    } else {
      cudnnConvolutionBwdFilterAlgoPerf_t found[CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT];
      PGAD_CUDNN(cudnnGetConvolutionBackwardFilterAlgorithm_v7, handle, p.x, p.y, p.conv, p.w,
                 CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT, &count, found);
      choose(found, count);
    }
    return p;
  }

  bool run(Exec& exec, const Conv2dArgs<float>& s, ConvPass pass) {
    if (handle == nullptr) {
      PGAD_CUDNN(cudnnCreate, &handle);
      PGAD_CUDNN(cudnnSetStream, handle, static_cast<cudaStream_t>(exec.stream()));
    }
    const Plan& p = plan(exec, s, pass);
    if (p.algorithm < 0) return false;
    float* const space = p.bytes == 0 ? nullptr : workspace.get(exec, static_cast<std::int64_t>(p.bytes / 4 + 1));
    const float zero = 0.0f;
    switch (pass) {
      case ConvPass::kForward:
        PGAD_CUDNN(cudnnConvolutionForward, handle, &s.alpha, p.x, s.a, p.w, s.b, p.conv,
                   static_cast<cudnnConvolutionFwdAlgo_t>(p.algorithm), space, p.bytes, &zero, p.y, s.out);
        break;
      case ConvPass::kDgrad:
        PGAD_CUDNN(cudnnConvolutionBackwardData, handle, &s.alpha, p.w, s.b, p.y, s.a, p.conv,
                   static_cast<cudnnConvolutionBwdDataAlgo_t>(p.algorithm), space, p.bytes, &zero, p.x, s.out);
        break;
      case ConvPass::kWgrad:
        PGAD_CUDNN(cudnnConvolutionBackwardFilter, handle, &s.alpha, p.x, s.a, p.y, s.b, p.conv,
                   static_cast<cudnnConvolutionBwdFilterAlgo_t>(p.algorithm), space, p.bytes, &zero, p.w, s.out);
        break;
    }
    return true;
  }
};

}  // namespace

bool conv2d_cudnn(Exec& exec, const Conv2dArgs<float>& s, ConvPass pass) {
  // cuDNN rounds no float32 operands to bf16, and enlarges no images on reading.
  if (exec.precision() == Precision::kBf16 || s.upsampled) return false;
  auto& cudnn = exec.library<Cudnn>();
  return cudnn.library.present() && cudnn.run(exec, s, pass);
}

}  // namespace pgad
#endif
