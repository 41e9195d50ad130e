#pragma once
// A trainable tensor with its name and its order in files. In memory NHWC orders (OHWI weights, dense maps flattened
// from HWC); in files PyTorch's (OIHW, flattened from CHW), so that others can read them.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "autograd/var.h"

namespace pgad {

enum class FileOrder {
  kPlain,         // bias, dense [out, in]
  kConv,          // memory [o, k, k, i], file [o, i, k, k]
  kDenseToMap,    // dense [4*4*c, in]: rows h, w, c in memory, c, h, w in the file
  kDenseFromMap,  // dense [out, 4*4*c]: columns likewise
};

struct Parameter {
  std::string name;  // e.g. "g.8x8.conv0.weight"
  Var var;
  FileOrder order = FileOrder::kPlain;
};

// The shape and values as the file holds them; float32 tensors only.
std::vector<std::int64_t> file_shape(const Parameter& parameter);
std::vector<float> to_file_order(const Parameter& parameter, const Tensor& values);
// Writes `values`, in the file's order, to `out`, a tensor of the parameter's shape.
void from_file_order(const Parameter& parameter, const float* values, const Tensor& out);

// What a network's weights are drawn by. Without a value none are: whoever makes it sets them all, e.g. from a file.
using Seed = std::optional<std::uint64_t>;

// A parameter drawn from N(0, 1) by (seed, name), or zero; the numbers depend on neither device nor element type.
Parameter make_parameter(Exec& exec, DType dtype, const std::string& name, const Shape& shape, FileOrder order,
                         bool normal, Seed seed);

}  // namespace pgad
