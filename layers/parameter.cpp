#include "layers/parameter.h"

#include "engine/rng.h"

namespace pgad {
namespace {

constexpr std::int64_t kMapSide = 4;

// Calls body(memory index, file index) for every element.
template <class Body>
void for_each_element(const Parameter& parameter, const Body& body) {
  const Shape& s = parameter.var.shape();
  switch (parameter.order) {
    case FileOrder::kPlain:
      for (std::int64_t i = 0; i < s.numel(); ++i) body(i, i);
      return;
    case FileOrder::kConv: {
      const std::int64_t taps = s[1] * s[2], ci = s[3];
      for (std::int64_t o = 0; o < s[0]; ++o)
        for (std::int64_t t = 0; t < taps; ++t)
          for (std::int64_t c = 0; c < ci; ++c) body((o * taps + t) * ci + c, (o * ci + c) * taps + t);
      return;
    }
    case FileOrder::kDenseToMap:
    case FileOrder::kDenseFromMap: {
      const bool rows = parameter.order == FileOrder::kDenseToMap;
      const std::int64_t pixels = kMapSide * kMapSide, c = s[rows ? 0 : 1] / pixels, other = s[rows ? 1 : 0];
      for (std::int64_t p = 0; p < pixels; ++p)
        for (std::int64_t k = 0; k < c; ++k)
          for (std::int64_t i = 0; i < other; ++i) {
            const std::int64_t memory = p * c + k, file = k * pixels + p;
            if (rows)
              body(memory * other + i, file * other + i);
            else
              body(i * pixels * c + memory, i * pixels * c + file);
          }
      return;
    }
  }
}

std::uint64_t fnv1a(const std::string& text) {
  std::uint64_t h = 14695981039346656037ull;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return h;
}

}  // namespace

std::vector<std::int64_t> file_shape(const Parameter& parameter) {
  const Shape& s = parameter.var.shape();
  if (parameter.order == FileOrder::kConv) return {s[0], s[3], s[1], s[2]};
  std::vector<std::int64_t> shape;
  for (int i = 0; i < s.rank(); ++i) shape.push_back(s[i]);
  return shape;
}

std::vector<float> to_file_order(const Parameter& parameter, const Tensor& values) {
  PGAD_CHECK(values.shape() == parameter.var.shape(), parameter.name, " ", values.shape());
  const float* in = values.data<float>();
  std::vector<float> out(static_cast<std::size_t>(values.numel()));
  for_each_element(parameter, [&](std::int64_t m, std::int64_t f) { out[static_cast<std::size_t>(f)] = in[m]; });
  return out;
}

void from_file_order(const Parameter& parameter, const float* values, const Tensor& out) {
  PGAD_CHECK(out.shape() == parameter.var.shape(), parameter.name, " ", out.shape());
  if (out.dtype() == DType::kF32) {
    float* p = out.data<float>();
    for_each_element(parameter, [&](std::int64_t m, std::int64_t f) { p[m] = values[f]; });
  } else {
    double* p = out.data<double>();
    for_each_element(parameter, [&](std::int64_t m, std::int64_t f) { p[m] = values[f]; });
  }
}

Parameter make_parameter(Exec& exec, DType dtype, const std::string& name, const Shape& shape, FileOrder order,
                         bool normal, std::uint64_t seed) {
  const Tensor values = exec.zeros(shape, dtype);
  if (normal) {
    Rng rng(seed, fnv1a(name));
    for (std::int64_t i = 0; i < shape.numel(); ++i) {
      const auto v = static_cast<float>(rng.normal());
      if (dtype == DType::kF32)
        values.data<float>()[i] = v;
      else
        values.data<double>()[i] = v;
    }
  }
  return {name, Var(exec, values, true), order};
}

}  // namespace pgad
