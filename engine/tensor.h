#pragma once
// Tensor: a contiguous value type over a pooled buffer, or a view of a part of one. Copies and views share memory;
// kernels write through data().
// Images and feature maps are NHWC, convolution weights OHWI, dense weights [out, in].

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <span>
#include <type_traits>
#include <vector>

#include "engine/allocator.h"
#include "engine/check.h"

namespace pgad {

enum class DType { kF32, kF64 };

template <class T>
constexpr DType dtype_of() {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>);
  return std::is_same_v<T, float> ? DType::kF32 : DType::kF64;
}
inline std::size_t size_of(DType t) { return t == DType::kF32 ? 4 : 8; }

// Up to four dimensions; rank 0 is a scalar.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  explicit Shape(std::span<const std::int64_t> dims);

  int rank() const { return rank_; }
  std::int64_t operator[](int i) const { return dims_[static_cast<std::size_t>(i)]; }
  std::int64_t numel() const;
  std::int64_t back() const { return dims_[static_cast<std::size_t>(rank_ - 1)]; }
  bool operator==(const Shape&) const = default;

 private:
  std::array<std::int64_t, 4> dims_{};
  int rank_ = 0;
};
std::ostream& operator<<(std::ostream&, const Shape&);

class Tensor {
 public:
  Tensor() = default;
  Tensor(std::shared_ptr<Buffer> buffer, const Shape& shape, DType dtype)
      : buffer_(std::move(buffer)), shape_(shape), dtype_(dtype) {}

  bool defined() const { return buffer_ != nullptr; }
  const Shape& shape() const { return shape_; }
  std::int64_t dim(int i) const { return shape_[i]; }
  std::int64_t numel() const { return shape_.numel(); }
  DType dtype() const { return dtype_; }
  std::size_t bytes() const { return static_cast<std::size_t>(numel()) * size_of(dtype_); }

  // Without memory: the shape alone. See Var::set_value.
  static Tensor promised(const Shape& shape, DType dtype) { return Tensor(nullptr, shape, dtype); }

  // Where the elements lie, on whichever device: for kernels. Throws Error if T is not the element type.
  template <class T>
  T* data() const {
    PGAD_CHECK(buffer_ != nullptr && dtype_ == dtype_of<T>(), "tensor of shape ", shape_);
    return static_cast<T*>(buffer_->data()) + first_;
  }
  const void* address() const {
    return buffer_ ? static_cast<const std::byte*>(buffer_->data()) + static_cast<std::size_t>(first_) * size_of(dtype_)
                   : nullptr;
  }
  // The elements, where they lie in the host's memory (else see Exec::upload and read). Throws Error if they don't.
  template <class T>
  std::span<T> span() const {
    PGAD_CHECK(buffer_ != nullptr && buffer_->on_host(), "tensor of shape ", shape_, " is on a device");
    return {data<T>(), static_cast<std::size_t>(numel())};
  }
  // The same memory under another shape of as many elements.
  Tensor reshaped(const Shape& shape) const { return view(0, shape, numel()); }
  // Where a view begins: the element of the tensor it was cut from.
  std::int64_t first() const { return first_; }
  // The elements from the first-th on, as many as the shape has, in the same memory.
  Tensor view(std::int64_t first, const Shape& shape) const { return view(first, shape, shape.numel()); }

 private:
  Tensor view(std::int64_t first, const Shape& shape, std::int64_t count) const;

  std::shared_ptr<Buffer> buffer_;
  std::int64_t first_ = 0;  // element of the buffer
  Shape shape_;
  DType dtype_ = DType::kF32;
};

}  // namespace pgad
