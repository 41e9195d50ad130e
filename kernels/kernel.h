#pragma once
// One table per kernel: the same formula for each device, told apart by column. See pixelnorm/ for the pattern.

#include <type_traits>

#include "engine/exec.h"
#include "kernels/kernel_names.h"

namespace pgad {

// Columns. `ref` and `ref64` are the definition: plain loops accumulating in double. `cpu` is the fast version for a
// machine without a GPU; where it is empty, `ref` serves. `cuda` is made by nvcc, `emulated` is the same source for
// simt/; PGAD_CUDA_COLUMNS(function) gives both, or null where the build has none.
template <template <class> class Args>
struct Kernel {
  template <class T>
  using Function = void (*)(Exec&, const Args<T>&);

  const char* name;
  Function<float> ref;
  Function<double> ref64;
  Function<float> cpu;
  Function<float> cuda;
  Function<float> emulated;

  consteval Kernel(const char* name_, Function<float> ref_, Function<double> ref64_, Function<float> cpu_,
                   Function<float> cuda_, Function<float> emulated_)
      : name(name_), ref(ref_), ref64(ref64_), cpu(cpu_), cuda(cuda_), emulated(emulated_) {
    if (!is_kernel_name(name)) throw "not in kernel_names.h";
  }
};

// PGAD_DECLARE_CUDA(function, Args): the function of kernels/foo/cuda.cu, once per column.
#define PGAD_DECLARE_CUDA(function, ...)    \
  namespace cuda_native {                   \
  void function(Exec&, const __VA_ARGS__&); \
  }                                         \
  namespace cuda_emulated {                 \
  void function(Exec&, const __VA_ARGS__&); \
  }
// PGAD_CHOSEN_COLUMNS(chosen, function): the same where `chosen` chooses among versions on a GPU.
#define PGAD_CHOSEN_COLUMNS(chosen, function) PGAD_CUDA_COLUMN(chosen), PGAD_EMULATED_COLUMN(function)
#define PGAD_CUDA_COLUMNS(function) PGAD_CHOSEN_COLUMNS(cuda_native::function, function)
#ifdef PGAD_HAVE_CUDA
#define PGAD_CUDA_COLUMN(function) function
#else
#define PGAD_CUDA_COLUMN(function) nullptr
#endif
#ifdef PGAD_EMULATION
#define PGAD_EMULATED_COLUMN(function) cuda_emulated::function
#else
#define PGAD_EMULATED_COLUMN(function) nullptr
#endif

// The shape, where a profile tells calls of one kernel apart by it.
template <class Args>
std::string label_of(const Args& args) {
  if constexpr (requires { args.label(); })
    return args.label();
  else
    return "";
}

// The version of a kernel for the Exec's device. Throws Error where there is none.
template <template <class> class Args, class T>
auto version_for(const Kernel<Args>& kernel, const Exec& exec) {
  void (*function)(Exec&, const Args<T>&) = nullptr;
  if constexpr (std::is_same_v<T, double>) {
    if (exec.device().type == DeviceType::kCpu) function = kernel.ref64;
  } else {
    switch (exec.device().type) {
      case DeviceType::kCpu:
        function = exec.implementation() == Implementation::kReference || !kernel.cpu ? kernel.ref : kernel.cpu;
        break;
      case DeviceType::kCuda:
        function = kernel.cuda;
        break;
      case DeviceType::kCudaEmulated:
        function = kernel.emulated;
        break;
    }
  }
  PGAD_CHECK(function != nullptr, "kernel ", kernel.name, " has no version for this device and element type");
  return function;
}

template <class Function, class Args>
void call(Function function, Exec& exec, const Args& args) {
  exec.make_current();
  function(exec, args);
}

// Runs a kernel on the Exec's device, and records it where a step graph is being made.
template <template <class> class Args, class T>
void run(const Kernel<Args>& kernel, Exec& exec, const Args<T>& args) {
  if (exec.dry()) {
    if (exec.recording()) exec.record({kernel.name, label_of(args), args.cost(), [](Exec&) {}});
    return;
  }
  const auto function = version_for<Args, T>(kernel, exec);
  call(function, exec, args);
  if (exec.recording())
    exec.record({kernel.name, label_of(args), args.cost(), [function, args](Exec& e) { call(function, e, args); }});
}

}  // namespace pgad
