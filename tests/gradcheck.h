#pragma once
// Derivatives against central differences, in double. The op under test is always sandwiched: its inputs are results
// of other operations and its output goes through more, so that a vjp that follows its inputs' history, or forgets
// that the incoming gradient depends on the inputs too, is seen at second order.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "engine/rng.h"

namespace pgad::test {

using Function = std::function<Var(std::span<const Var>)>;

template <class T>
Tensor random_tensor_of(Exec& exec, const Shape& shape, std::uint64_t stream) {
  std::vector<T> values(static_cast<std::size_t>(shape.numel()));
  Rng rng(7, stream);
  for (T& v : values) v = static_cast<T>(rng.normal());
  return exec.from<T>(values, shape);
}
inline Tensor random_tensor(Exec& exec, const Shape& shape, std::uint64_t stream, DType dtype = DType::kF64) {
  return dtype == DType::kF64 ? random_tensor_of<double>(exec, shape, stream)
                              : random_tensor_of<float>(exec, shape, stream);
}

// Compares d f / d inputs with central differences of f; f maps leaves to one element.
inline void expect_gradient(const std::string& what, const Function& f, std::span<const Var> leaves, double tolerance) {
  const std::vector<Var> analytic = grad(f(leaves), leaves);
  constexpr double kStep = 1e-5;
  for (std::size_t k = 0; k < leaves.size(); ++k) {
    double* x = leaves[k].value().data<double>();
    double largest = 1, worst = 0;
    std::int64_t worst_at = -1;
    double worst_numeric = 0;
    for (std::int64_t i = 0; i < leaves[k].value().numel(); ++i) {
      const double before = x[i];
      x[i] = before + kStep;
      const double up = f(leaves).item();
      x[i] = before - kStep;
      const double down = f(leaves).item();
      x[i] = before;
      const double numeric = (up - down) / (2 * kStep);
      largest = std::max(largest, std::fabs(numeric));
      const double error = std::fabs(numeric - analytic[k].value().data<double>()[i]);
      if (!(error <= worst)) {
        worst = error;
        worst_at = i;
        worst_numeric = numeric;
      }
    }
    EXPECT_LE(worst / largest, tolerance)
        << what << ": input " << k << " element " << worst_at << ": finite difference " << worst_numeric;
  }
}

// First and second derivatives of `op` at random points of the given shapes.
inline void check_derivatives(const std::string& name, Exec& exec, const Function& op, const std::vector<Shape>& shapes,
                              double tolerance = 1e-6) {
  std::vector<Var> leaves;
  for (std::size_t i = 0; i < shapes.size(); ++i) leaves.emplace_back(exec, random_tensor(exec, shapes[i], i), true);
  // leaf -> u + u^2 / 8 -> op -> w y + y^2 / 2, summed. The last makes the gradient that reaches op depend on its
  // inputs.
  const Function sandwich = [&](std::span<const Var> u) {
    std::vector<Var> x;
    for (const Var& v : u) x.push_back(axpby(v, square(v), 1, 0.125));
    const Var y = op(x);
    const Var w(exec, random_tensor(exec, y.shape(), 100));
    return sum(axpby(mul(w, y), square(y), 1, 0.5));
  };
  expect_gradient(name + ", first order", sandwich, leaves, tolerance);
  const Function first_order = [&](std::span<const Var> u) {
    const std::vector<Var> g = grad(sandwich(u), u, /*create_graph=*/true);
    Var total;
    for (std::size_t i = 0; i < g.size(); ++i) {
      const Var w(exec, random_tensor(exec, g[i].shape(), 200 + i));
      const Var term = sum(mul(w, g[i]));
      total = total.defined() ? add(total, term) : term;
    }
    return total;
  };
  expect_gradient(name + ", second order", first_order, leaves, tolerance);
}

}  // namespace pgad::test
