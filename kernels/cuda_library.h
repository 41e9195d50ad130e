#pragma once
// A vendor's shared library, opened at first use: programs start without it.

#include <dlfcn.h>

#include <initializer_list>

#include "engine/check.h"

namespace pgad {

class CudaLibrary {
 public:
  // The first of these names that there is; none: present() is false.
  explicit CudaLibrary(std::initializer_list<const char*> names) {
    for (const char* name : names)
      if ((handle_ = dlopen(name, RTLD_NOW | RTLD_LOCAL)) != nullptr) break;
  }
  CudaLibrary(const CudaLibrary&) = delete;
  CudaLibrary& operator=(const CudaLibrary&) = delete;
  // Never closed: such libraries keep threads and exit handlers of their own.
  ~CudaLibrary() = default;

  bool present() const { return handle_ != nullptr; }
  // Sets `function` to the library's; leaves it alone where the library is absent.
  template <class Function>
  void find(Function*& function, const char* name) const {
    if (!present()) return;
    function = reinterpret_cast<Function*>(dlsym(handle_, name));
    if (function == nullptr) throw Error(str("a library of CUDA's has no function ", name));
  }

 private:
  void* handle_ = nullptr;
};

}  // namespace pgad
