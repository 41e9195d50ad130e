#pragma once
// Op: one differentiable operation.

#include <span>
#include <vector>

#include "autograd/var.h"

namespace pgad {

struct Op {
  virtual ~Op() = default;
  virtual const char* name() const = 0;
  virtual Tensor forward(Exec& exec, std::span<const Tensor> in) const = 0;
  // The vector-Jacobian product: for each input i with needs[i], the gradient of <out, dout> in in[i]. Written in Vars,
  // so that it can be differentiated again; an entry that is not needed, or zero everywhere, may stay undefined. dout
  // is the function's own: if dropped early, its memory serves again.
  virtual std::vector<Var> vjp(std::span<const Var> in, const Var& out, Var dout,
                               std::span<const char> needs) const = 0;
};

// Computes op on its inputs (at least one, all on the same Exec) and records it where derivatives may be asked for.
Var apply(std::shared_ptr<const Op> op, std::vector<Var> in);

}  // namespace pgad
