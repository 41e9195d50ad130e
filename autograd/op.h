#pragma once
// Op: one differentiable operation.

#include <span>
#include <utility>
#include <vector>

#include "autograd/var.h"

namespace pgad {

// What an operation makes: its value, and what its vjp wants to have kept beside it (undefined: nothing).
struct Computed {
  Tensor value, saved;
  Computed(Tensor value_, Tensor saved_ = {}) : value(std::move(value_)), saved(std::move(saved_)) {}
};

struct Op {
  virtual ~Op() = default;
  virtual const char* name() const = 0;
  virtual Computed forward(Exec& exec, std::span<const Tensor> in) const = 0;
  // The vector-Jacobian product: for each input i with needs[i], the gradient of <out, dout> in in[i]. Written in Vars,
  // so that it can be differentiated again (out.saved() is a constant to that); an entry that is not needed, or zero
  // everywhere, may stay undefined. dout is the function's own: if dropped early, its memory serves again.
  virtual std::vector<Var> vjp(std::span<const Var> in, const Var& out, Var dout,
                               std::span<const char> needs) const = 0;
};

// Computes op on its inputs (at least one, all on the same Exec) and records it where derivatives may be asked for.
Var apply(std::shared_ptr<const Op> op, std::vector<Var> in);

}  // namespace pgad
