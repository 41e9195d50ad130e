#pragma once
// One table per kernel: the same formula for each device, told apart by column. See pixelnorm/ for the pattern.

#include <type_traits>

#include "engine/exec.h"

namespace pgad {

// Columns. `ref` and `ref64` are the definition: plain loops accumulating in double. `cpu` is the fast version for a
// machine without a GPU; where it is empty, `ref` serves. `cuda` is empty as long as there is no such device.
template <template <class> class Args>
struct Kernel {
  const char* name;
  void (*ref)(Exec&, const Args<float>&);
  void (*ref64)(Exec&, const Args<double>&);
  void (*cpu)(Exec&, const Args<float>&);
  void (*cuda)(Exec&, const Args<float>&);
};

// The shape, where a profile tells calls of one kernel apart by it.
template <class Args>
std::string label_of(const Args& args) {
  if constexpr (requires { args.label(); })
    return args.label();
  else
    return "";
}

// Runs a kernel on the Exec's device, and records it where a step graph is being made.
template <template <class> class Args, class T>
void run(const Kernel<Args>& kernel, Exec& exec, const Args<T>& args) {
  void (*function)(Exec&, const Args<T>&) = nullptr;
  if constexpr (std::is_same_v<T, double>) {
    function = kernel.ref64;
  } else if (exec.implementation() == Implementation::kReference || kernel.cpu == nullptr) {
    function = kernel.ref;
  } else {
    function = kernel.cpu;
  }
  PGAD_CHECK(function != nullptr, "kernel ", kernel.name, " has no version for this device and element type");
  function(exec, args);
  if (exec.recording())
    exec.record({kernel.name, label_of(args), args.cost(), [function, args](Exec& e) { function(e, args); }});
}

}  // namespace pgad
