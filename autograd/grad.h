#pragma once
// Reverse-mode differentiation, of any order.

#include <functional>
#include <span>
#include <vector>

#include "autograd/var.h"

namespace pgad {

// Gradients of sum(y * seed) in each of xs (seed undefined: ones; y usually has one element). With create_graph the
// results carry their own history and can be differentiated again. Where y does not depend on x, the gradient is zero.
std::vector<Var> grad(const Var& y, std::span<const Var> xs, bool create_graph = false, const Var& seed = {});
// The same of the sum over i of sum(ys[i] * seeds[i]): where the gradients of a loss in ys are known already.
std::vector<Var> grad(std::span<const Var> ys, std::span<const Var> seeds, std::span<const Var> xs,
                      bool create_graph = false);
// Takes the graph between ys and xs apart on the way, so that the memory of values that no Var holds serves again at
// once. Afterwards nothing that was in it can be differentiated (throws Error).
std::vector<Var> grad_and_release(std::span<const Var> ys, std::span<const Var> seeds, std::span<const Var> xs);

// The vjp of a formula in plain ops: how a fused op gets derivatives of every order. The formula sees aliases of the
// inputs, and differentiation stops at them: what the inputs themselves were computed from is the caller's business,
// not part of the formula. (Differentiating in the inputs directly would follow their history back into each other.)
// needs: as an Op's vjp has it; empty: all. What is not needed stays undefined.
std::vector<Var> vjp_of(const std::function<Var(std::span<const Var>)>& formula, std::span<const Var> in,
                        const Var& dout, std::span<const char> needs = {});

}  // namespace pgad
