#pragma once
// Where tensors live and kernels run.

#include <string>

#include "engine/check.h"

namespace pgad {

enum class DeviceType {
  kCpu,
  kCuda,          // a GPU
  kCudaEmulated,  // the GPU's code path, its kernels executed by simt/: for tests, slow
};

// Whether this build can execute the GPU's code on the CPU: CMake's option PGAD_EMULATION.
#ifdef PGAD_EMULATION
inline constexpr bool kEmulation = true;
#else
inline constexpr bool kEmulation = false;
#endif
inline constexpr const char* kNoEmulation = "this build has no emulation of GPUs (PGAD_EMULATION was off)";

struct Device {
  DeviceType type = DeviceType::kCpu;
  int index = 0;     // of several GPUs
  bool dry = false;  // memory is counted but not there, kernels are counted but not run: for estimates
};

// "auto" (a GPU if there is one, else the CPU), "cpu", "cuda", "cuda:N", or for tests "cuda-emulated". Throws
// UsageError for anything else, and DeviceError where there is no such device, saying why.
Device parse_device(const std::string& name);

// What convolutions and matrix products compute with on a GPU; sums are always float32, and so are weights, statistics,
// losses and Adam.
enum class Precision {
  kFp32,
  kTf32,  // operands rounded to 10 bits of mantissa
  kBf16,  // operands rounded to 7 bits of mantissa
};
Precision parse_precision(const std::string& name);
const char* precision_name(Precision precision);

}  // namespace pgad
