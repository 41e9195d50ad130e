#include "engine/tensor.h"

namespace pgad {

Shape::Shape(std::span<const std::int64_t> dims) : rank_(static_cast<int>(dims.size())) {
  PGAD_CHECK(dims.size() <= 4, "rank ", dims.size());
  for (std::size_t i = 0; i < dims.size(); ++i) {
    PGAD_CHECK(dims[i] > 0, "dimension ", i, " is ", dims[i]);
    dims_[i] = dims[i];
  }
}

std::int64_t Shape::numel() const {
  std::int64_t n = 1;
  for (int i = 0; i < rank_; ++i) n *= dims_[static_cast<std::size_t>(i)];
  return n;
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int i = 0; i < shape.rank(); ++i) out << (i ? ", " : "") << shape[i];
  return out << ']';
}

Tensor Tensor::view(std::int64_t first, const Shape& shape, std::int64_t count) const {
  PGAD_CHECK(shape.numel() == count && first >= 0 && first + count <= numel(), "cannot view ", shape, " at element ",
             first, " of ", shape_);
  Tensor view = *this;
  view.first_ += first;
  view.shape_ = shape;
  return view;
}

}  // namespace pgad
