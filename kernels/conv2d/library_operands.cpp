#include "kernels/conv2d/impl.h"
#include "kernels/conv2d_operand/conv2d_operand.h"
#include "kernels/cuda_workspace.h"

namespace pgad {
namespace {

struct OperandWorkspaces {
  CudaWorkspace a, b;
};

const void* operand(Exec& exec, CudaWorkspace& workspace, Conv2dOperandArgs<float> s) {
  if (!s.doubled && !s.bf16) return s.x;
  const std::int64_t count = s.n * s.h * s.w * s.c;
  s.y = workspace.get(exec, s.bf16 ? (count + 1) / 2 : count);
  version_for<Conv2dOperandArgs, float>(kConv2dOperand, exec)(exec, s);  // part of the convolution: not recorded itself
  return s.y;
}

}  // namespace

LibraryOperands library_operands(Exec& exec, const Conv2dArgs<float>& s, ConvPass pass) {
  const bool bf16 = exec.precision() == Precision::kBf16;
  auto& spaces = exec.library<OperandWorkspaces>();
  const Conv2dOperandArgs<float> image{s.n,         s.h,  s.w, pass == ConvPass::kDgrad ? s.co : s.ci,
                                       s.upsampled, bf16, s.a, nullptr};
  const Conv2dOperandArgs<float> other =
      pass == ConvPass::kWgrad ? Conv2dOperandArgs<float>{s.n, s.h, s.w, s.co, false, bf16, s.b, nullptr}
                               : Conv2dOperandArgs<float>{s.co, s.k, s.k, s.ci, false, bf16, s.b, nullptr};
  return {operand(exec, spaces.a, image), operand(exec, spaces.b, other)};
}

}  // namespace pgad
