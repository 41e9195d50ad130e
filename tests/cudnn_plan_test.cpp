// What cuDNN says to our convolutions without a GPU: it plans for a device by a description of it. That it has engines
// for them is all that can be tested so; results need a GPU (cuda_conv_test there).

#include <gtest/gtest.h>

#if !defined(PGAD_HAVE_CUDA) || !__has_include(<cudnn.h>)
TEST(CudnnPlan, HasEnginesForOurConvolutions) { GTEST_SKIP() << "built without CUDA or without cuDNN"; }
#else

#include <dlfcn.h>

#include "kernels/conv2d/cudnn_plan.h"

namespace pgad::cudnn {
namespace {

// An H100 SXM, by NVIDIA's data.
constexpr const char* kH100 = R"({"cudaDeviceId": 0, "deviceName": "NVIDIA H100 80GB HBM3", "deviceVer": 900,
  "driverVer": 13000, "totalGlobalMem": 85029158912, "multiProcessorCount": 132, "warpSize": 32,
  "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64], "maxThreadsPerBlock": 1024,
  "maxThreadsPerSM": 2048, "maxCtasPerSM": 32, "regsPerBlock": 65536, "maxRegistersPerSM": 65536,
  "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 232448, "reservedSharedMemoryPerBlock": 1024,
  "l2CacheSize": 52428800, "smClockRateKHz": 1980000, "memClockRateKHz": 2619000, "pciDeviceId": 9008,
  "isTccDriver": 0, "supportCoopLaunch": 1})";

std::size_t candidates(const Api& api, ConvPass pass, std::int64_t ci, std::int64_t co, std::int64_t k,
                       Precision precision, bool bias_act) {
  return Plan(api, nullptr, {pass, 16, 64, 64, ci, co, k, precision, 0.3f, bias_act, 0.2f}, kH100).candidates();
}

TEST(CudnnPlan, HasEnginesForOurConvolutions) {
  const Api api;
  if (!api.library.present()) GTEST_SKIP() << "no libcudnn.so.9";
  const CudaLibrary library{"libcudnn.so.9"};
  decltype(cudnnGetVersion)* version = nullptr;
  library.find(version, "cudnnGetVersion");
  if (version() < 91000 || CUDNN_VERSION < 91000) GTEST_SKIP() << "cuDNN " << version() << " plans for no device";
  // The engines that cuDNN compiles when it plans want a driver's library, of which they call nothing yet.
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) == nullptr &&
      dlopen(PGAD_CUDA_STUB, RTLD_NOW | RTLD_GLOBAL) == nullptr)
    GTEST_SKIP() << "neither libcuda.so.1 nor " << PGAD_CUDA_STUB;
  for (const Precision precision : {Precision::kFp32, Precision::kTf32, Precision::kBf16}) {
    for (const ConvPass pass : {ConvPass::kForward, ConvPass::kDgrad, ConvPass::kWgrad}) {
      EXPECT_GT(candidates(api, pass, 256, 256, 3, precision, false), 0u)
          << "pass " << static_cast<int>(pass) << ", " << precision_name(precision);
      EXPECT_NO_THROW(candidates(api, pass, 513, 512, 3, precision, false));  // there may be none
      EXPECT_NO_THROW(candidates(api, pass, 3, 256, 1, precision, false));
    }
    EXPECT_GT(candidates(api, ConvPass::kForward, 256, 256, 3, precision, true), 0u)
        << "with bias and activation, " << precision_name(precision);
  }
  // Without the tensor cores' rounding there are fewer.
  EXPECT_LT(candidates(api, ConvPass::kForward, 256, 256, 3, Precision::kFp32, false),
            candidates(api, ConvPass::kForward, 256, 256, 3, Precision::kTf32, false));
}

}  // namespace
}  // namespace pgad::cudnn
#endif
