#include "engine/device.h"

#include <charconv>

#include "engine/runtime.h"

namespace pgad {

Device parse_device(const std::string& name) {
  if (name == "cpu") return Device{};
  if (name == "cuda-emulated") {
    if (!kEmulation) throw DeviceError(str("device '", name, "': ", kNoEmulation, "; --device cpu works everywhere"));
    return Device{DeviceType::kCudaEmulated};
  }
  if (name == "auto") return Device{cuda_device_count(nullptr) > 0 ? DeviceType::kCuda : DeviceType::kCpu};
  int index = 0;
  bool valid = name == "cuda";
  if (name.starts_with("cuda:")) {
    const char *first = name.data() + 5, *last = name.data() + name.size();
    const auto [end, error] = std::from_chars(first, last, index);
    valid = first != last && end == last && error == std::errc() && index >= 0;
  }
  if (!valid) throw UsageError(str("device '", name, "': expected auto, cpu, cuda or cuda:N"));
  std::string why;
  const int count = cuda_device_count(&why);
  if (count == 0) throw DeviceError(str("device '", name, "': ", why, "; --device cpu works everywhere"));
  if (index >= count)
    throw DeviceError(str("device '", name, "': this machine has ", count, " GPU(s), numbered from 0"));
  return Device{DeviceType::kCuda, index};
}

Precision parse_precision(const std::string& name) {
  if (name == "fp32") return Precision::kFp32;
  if (name == "tf32") return Precision::kTf32;
  if (name == "bf16") return Precision::kBf16;
  throw UsageError(str("precision '", name, "': expected fp32, tf32 or bf16"));
}

const char* precision_name(Precision precision) {
  return precision == Precision::kFp32 ? "fp32" : precision == Precision::kTf32 ? "tf32" : "bf16";
}

}  // namespace pgad
