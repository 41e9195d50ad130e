#include "layers/parameter.h"

#include <algorithm>

#include "engine/hash.h"
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
  const std::vector<float> in = parameter.var.exec().read<float>(values);
  std::vector<float> out(static_cast<std::size_t>(values.numel()));
  for_each_element(parameter, [&](std::int64_t m, std::int64_t f) {
    out[static_cast<std::size_t>(f)] = in[static_cast<std::size_t>(m)];
  });
  return out;
}

void from_file_order(const Parameter& parameter, const float* values, const Tensor& out) {
  PGAD_CHECK(out.shape() == parameter.var.shape(), parameter.name, " ", out.shape());
  const auto write = [&]<class T>(T) {
    std::vector<T> ordered(static_cast<std::size_t>(out.numel()));
    for_each_element(parameter,
                     [&](std::int64_t m, std::int64_t f) { ordered[static_cast<std::size_t>(m)] = values[f]; });
    parameter.var.exec().upload(std::span<const T>(ordered), out);
  };
  out.dtype() == DType::kF32 ? write(float{}) : write(double{});
}

Parameter make_parameter(Exec& exec, DType dtype, const std::string& name, const Shape& shape, FileOrder order,
                         Initial initial) {
  return {name, Var(exec, Tensor::promised(shape, dtype), /*requires_grad=*/true), order, initial};
}

std::int64_t Parameters::end_of(const std::vector<Parameter>& some) {
  std::int64_t end = 0;
  for (const Parameter& p : some) end = std::max(end, p.var.value().first() + p.var.shape().numel());
  return end;
}

Parameters::Parameters(Exec& exec, std::vector<Parameter> all, Seed seed) : all_(std::move(all)) {
  PGAD_CHECK(!all_.empty());
  std::int64_t size = 0;
  for (const Parameter& p : all_) size = aligned_end(size + p.var.shape().numel());
  flat_ = exec.zeros({size}, all_[0].var.dtype());
  std::int64_t first = 0;
  for (Parameter& p : all_) {
    const Tensor memory = flat_.view(first, p.var.shape());
    first = aligned_end(first + memory.numel());
    p.var.set_value(memory);
    if (!seed || p.initial == Initial::kZero || exec.dry()) continue;  // a dry run keeps no values
    Rng rng(*seed, fnv1a(p.name));
    std::vector<float> values(static_cast<std::size_t>(memory.numel()));
    for (float& v : values) v = static_cast<float>(rng.normal());
    if (memory.dtype() == DType::kF32)
      exec.upload(std::span<const float>(values), memory);
    else
      exec.upload(std::span<const double>(std::vector<double>(values.begin(), values.end())), memory);
  }
}

}  // namespace pgad
