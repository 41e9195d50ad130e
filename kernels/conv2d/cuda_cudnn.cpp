// Convolutions by cuDNN 9, where it is installed: an alternative to cuda.cu, chosen by measurement only. Of its
// engines, those that promise the same bits in every run; which one may depend on the batch. Doubled and bf16 operands
// are made by kernels of ours first, results are float32.

#include "kernels/bias_act/bias_act.h"
#include "kernels/conv2d/impl.h"

#if !__has_include(<cudnn.h>)
namespace pgad {
bool conv2d_cudnn(Exec&, const Conv2dArgs<float>&, ConvPass) { return false; }
bool conv2d_bias_act_cudnn(Exec&, const Conv2dBiasActArgs<float>&) { return false; }
bool conv2d_bias_act_cudnn_fused(Exec&, const Conv2dBiasActArgs<float>&) { return false; }
}  // namespace pgad
#else

#include <map>

#include "kernels/conv2d/cudnn_plan.h"
#include "kernels/cuda_workspace.h"

namespace pgad {
namespace {

struct Cudnn {
  cudnn::Api api;
  cudnnHandle_t handle = nullptr;
  std::map<cudnn::Problem, cudnn::Plan> plans;
  CudaWorkspace workspace;

  ~Cudnn() {
    plans.clear();
    if (handle != nullptr) (void)api.cudnnDestroy(handle);
  }

  bool run(Exec& exec, const Conv2dArgs<float>& s, ConvPass pass, const float* bias, float slope) {
    if (handle == nullptr) {
      api.check(api.cudnnCreate(&handle), "cudnnCreate");
      api.check(api.cudnnSetStream(handle, static_cast<cudaStream_t>(exec.stream())), "cudnnSetStream");
    }
    const cudnn::Problem problem{pass, s.n, s.h, s.w, s.ci, s.co, s.k, exec.precision(), s.alpha, bias != nullptr,
                                 slope};
    auto found = plans.find(problem);
    if (found == plans.end()) found = plans.try_emplace(problem, api, handle, problem).first;
    cudnn::Plan& plan = found->second;
    if (!plan.serves()) return false;
    const LibraryOperands operands = library_operands(exec, s, pass);
    const auto aligned = [](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; };
    if (!aligned(operands.a) || !aligned(operands.b) || !aligned(bias) || !aligned(s.out)) return false;
    const std::int64_t bytes = plan.workspace_bytes();
    void* const space = bytes == 0 ? nullptr : workspace.get(exec, bytes / 4 + 1);
    plan.run(handle, operands.a, operands.b, bias, s.out, space);
    return true;
  }
};

// bias null: neither bias nor activation.
bool convolve(Exec& exec, const Conv2dArgs<float>& s, ConvPass pass, const float* bias, float slope) {
  auto& cudnn = exec.library<Cudnn>();
  return cudnn.api.library.present() && cudnn.run(exec, s, pass, bias, slope);
}

}  // namespace

bool conv2d_cudnn(Exec& exec, const Conv2dArgs<float>& s, ConvPass pass) {
  return convolve(exec, s, pass, nullptr, 1.0f);
}

bool conv2d_bias_act_cudnn(Exec& exec, const Conv2dBiasActArgs<float>& s) {
  const Conv2dArgs<float>& c = s.conv;
  if (!convolve(exec, c, ConvPass::kForward, nullptr, 1.0f)) return false;
  version_for<BiasActArgs, float>(kBiasAct, exec)(exec, {c.n * c.h * c.w, c.co, c.out, s.bias, c.out, s.slope});
  return true;
}

bool conv2d_bias_act_cudnn_fused(Exec& exec, const Conv2dBiasActArgs<float>& s) {
  return convolve(exec, s.conv, ConvPass::kForward, s.bias, s.slope);
}

}  // namespace pgad
#endif
