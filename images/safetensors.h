#pragma once
// Weights, optimiser states and checkpoints as .safetensors, which other frameworks read and write too:
//
//   bytes 0..7       N, little endian
//   bytes 8..8+N     JSON {"__metadata__": {string: string}, NAME: {"dtype": "F32", "shape": [..],
//   "data_offsets": [b, e]}} the rest         the tensors' elements, little endian, row-major, without holes;
//   offsets count from here
//
// Files written here have their data at a multiple of 8 and each tensor aligned to its element. Files read
// may have any order and alignment. Errors name the file, the tensor and the value.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "engine/check.h"

namespace pgad {

// The format's word for an element type.
template <class T>
constexpr const char* safetensors_dtype() {
  if constexpr (std::is_same_v<T, float>) return "F32";
  if constexpr (std::is_same_v<T, double>) return "F64";
  if constexpr (std::is_same_v<T, std::int64_t>) return "I64";
  if constexpr (std::is_same_v<T, std::uint64_t>) return "U64";
  if constexpr (std::is_same_v<T, std::int32_t>) return "I32";
  if constexpr (std::is_same_v<T, std::uint8_t>) return "U8";
}

// One tensor to be written; `bytes` must stay alive until then.
struct SafeTensorView {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

template <class T>
SafeTensorView safe_tensor_view(std::string name, std::vector<std::int64_t> shape, std::span<const T> elements) {
  return {std::move(name), safetensors_dtype<T>(), std::move(shape), std::as_bytes(elements)};
}

// Writes atomically: readers see the old file or the new one. Tensors keep their order, except that larger
// elements come first (alignment). Throws Error, leaving the old file, if writing fails; also on equal names,
// the name
// __metadata__, unknown dtypes, names or metadata that are not UTF-8, and sizes that contradict the shape.
void write_safetensors(const std::string& path, std::span<const SafeTensorView> tensors,
                       const std::map<std::string, std::string>& metadata = {});

// One tensor that was read.
struct SafeTensor {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;

  // A copy of the elements. Throws Error if T is not the tensor's dtype.
  template <class T>
  std::vector<T> elements() const {
    if (dtype != safetensors_dtype<T>())
      throw Error(str("tensor of dtype ", dtype, " read as ", safetensors_dtype<T>()));
    std::vector<T> out(bytes.size() / sizeof(T));
    if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
    return out;
  }
};

struct SafeTensorsFile {
  std::string path;
  std::map<std::string, std::string> metadata;
  std::map<std::string, SafeTensor> tensors;

  bool contains(const std::string& name) const { return tensors.contains(name); }
  // Throws Error naming the file, the tensor, what was found and what was wanted.
  const SafeTensor& get(const std::string& name, const std::string& dtype, std::span<const std::int64_t> shape) const;
  const SafeTensor& get(const std::string& name, const std::string& dtype,
                        std::initializer_list<std::int64_t> shape) const {
    return get(name, dtype, std::span<const std::int64_t>(shape.begin(), shape.size()));
  }
};

// Throws Error unless everything the header claims is true of the whole file.
SafeTensorsFile read_safetensors(const std::string& path);

}  // namespace pgad
