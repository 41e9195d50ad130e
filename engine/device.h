#pragma once
// Where tensors live and kernels run.

#include <string>

#include "engine/check.h"

namespace pgad {

enum class DeviceType { kCpu };

struct Device {
  DeviceType type = DeviceType::kCpu;
};

// "auto" or "cpu". Throws UsageError for anything else.
inline Device parse_device(const std::string& name) {
  if (name == "auto" || name == "cpu") return Device{};
  throw UsageError(str("device '", name, "': expected auto or cpu (this build has no other device)"));
}

}  // namespace pgad
