#pragma once
// oneDNN's engine and stream, kept in the Exec.

#include <oneapi/dnnl/dnnl.hpp>

namespace pgad {

struct Onednn {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
};

}  // namespace pgad
