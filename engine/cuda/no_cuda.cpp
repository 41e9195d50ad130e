// In place of cuda_runtime.cpp where the build has no CUDA.

#include "engine/runtime.h"

namespace pgad {

int cuda_device_count(std::string* why) {
  if (why != nullptr) *why = "this build has no CUDA (it was made without a CUDA toolkit)";
  return 0;
}

std::shared_ptr<DeviceRuntime> make_cuda_runtime(int) {
  std::string why;
  cuda_device_count(&why);
  throw DeviceError(why);
}

}  // namespace pgad
