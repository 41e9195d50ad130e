#include "engine/runtime.h"
namespace pgad {
std::shared_ptr<DeviceRuntime> make_emulated_runtime() { throw Error("not yet"); }
}  // namespace pgad
