#pragma once
// A trainable tensor with its name and its order in files, and the flat tensor that holds all of a network's. In memory
// NHWC orders (OHWI weights, dense maps flattened from HWC); in files PyTorch's (OIHW, flattened from CHW), so that
// others can read them.

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

enum class Initial { kZero, kNormal };  // what it is drawn from: 0, or N(0, 1)

struct Parameter {
  std::string name;  // e.g. "g.8x8.conv0.weight"
  Var var;           // a leaf; without memory until it is one of a network's Parameters
  FileOrder order = FileOrder::kPlain;
  Initial initial = Initial::kZero;
};

// The shape and values as the file holds them; float32 tensors only.
std::vector<std::int64_t> file_shape(const Parameter& parameter);
std::vector<float> to_file_order(const Parameter& parameter, const Tensor& values);
// Writes `values`, in the file's order, to `out`, a tensor of the parameter's shape.
void from_file_order(const Parameter& parameter, const float* values, const Tensor& out);

// What a network's weights are drawn by. Without a value none are: whoever makes it sets them all, e.g. from a file.
using Seed = std::optional<std::uint64_t>;

// A parameter without memory.
Parameter make_parameter(Exec& exec, DType dtype, const std::string& name, const Shape& shape, FileOrder order,
                         Initial initial);

// Where the next part of a flat tensor begins behind one that ends here: at a multiple of 64 elements, as vectors and
// libraries want it.
inline std::int64_t aligned_end(std::int64_t end) { return (end + 63) / 64 * 64; }

// The parameters of one network as views of one flat tensor. What works on all of them (Adam, the moving average,
// norms) sees a single tensor; moments, gradients and averages are flat tensors of the same layout. Copies share the
// memory.
class Parameters {
 public:
  Parameters() = default;
  // Gives memory to `all`, in this order, and draws them by (seed, name): the numbers depend on neither device nor
  // element type. Each begins at an aligned_end(); the gaps are 0.
  Parameters(Exec& exec, std::vector<Parameter> all, Seed seed);

  const std::vector<Parameter>& all() const { return all_; }
  const Tensor& flat() const { return flat_; }  // [size]
  // The part of a tensor of this layout that belongs to a parameter, in its shape.
  static Tensor view(const Tensor& flat, const Parameter& parameter) {
    return flat.view(parameter.var.value().first(), parameter.var.shape());
  }
  // One past the last element of any of these.
  static std::int64_t end_of(const std::vector<Parameter>& some);

 private:
  std::vector<Parameter> all_;
  Tensor flat_;
};

}  // namespace pgad
