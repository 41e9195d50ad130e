#include "autograd/grad.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "autograd/op.h"
#include "autograd/ops.h"

namespace pgad {
namespace {

// Identity; a new node that shares its input's memory.
struct Alias final : Op {
  const char* name() const override { return "alias"; }
  Computed forward(Exec&, std::span<const Tensor> in) const override { return in[0]; }
  std::vector<Var> vjp(std::span<const Var>, const Var&, Var dout, std::span<const char>) const override {
    return {dout};
  }
};

Var alias(const Var& x) { return apply(std::make_shared<Alias>(), {x}); }

enum class After { kKeep, kRelease };

std::vector<Var> differentiate(std::span<const Var> ys, std::span<const Var> seeds, std::span<const Var> xs,
                               bool create_graph, After after) {
  PGAD_CHECK(ys.size() == seeds.size(), ys.size(), " values, ", seeds.size(), " seeds");
  std::unordered_set<Node*> targets;
  std::uint64_t first = std::numeric_limits<std::uint64_t>::max();  // of the targets' ids
  for (const Var& x : xs) {
    PGAD_CHECK(x.requires_grad(), "gradient in a value that does not require one, shape ", x.shape());
    targets.insert(x.node());
    first = std::min(first, x.node()->id);
  }

  // What ys were computed from, in order of creation, without what is older than every target: ids grow from inputs to
  // results, so no target has had an influence on that.
  std::vector<std::shared_ptr<Node>> nodes;
  std::unordered_set<Node*> seen;
  std::vector<Node*> stack;
  for (const Var& y : ys) stack.push_back(y.node());
  while (!stack.empty()) {
    Node* node = stack.back();
    stack.pop_back();
    if (!node->requires_grad || node->id < first || !seen.insert(node).second) continue;
    PGAD_CHECK(!node->released, "this part of the graph was released by an earlier differentiation");
    nodes.push_back(node->shared_from_this());
    for (const Var& v : node->in) stack.push_back(v.node());
  }
  std::sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return a->id < b->id; });

  std::unordered_set<Node*> needed;  // nodes through which a target influences one of ys
  for (const auto& node : nodes) {
    bool need = targets.count(node.get()) > 0;
    for (const Var& v : node->in) need = need || needed.count(v.node()) > 0;
    if (need) needed.insert(node.get());
  }

  const HistoryScope scope(create_graph);
  std::unordered_map<Node*, Var> gradient;
  const auto accumulate = [&](const Var& v, const Var& g) {
    PGAD_CHECK(g.shape() == v.shape(), "gradient ", g.shape(), " of a value ", v.shape());
    Var& sum = gradient[v.node()];
    sum = sum.defined() ? add(sum, g) : g;
  };
  for (std::size_t i = 0; i < ys.size(); ++i)
    if (needed.count(ys[i].node()) > 0) accumulate(ys[i], seeds[i]);
  const auto go_through = [&](Node* node) {
    const auto found = gradient.find(node);
    if (found == gradient.end() || node->op == nullptr) return;
    std::vector<char> needs;
    bool any = false;
    for (const Var& v : node->in) {
      needs.push_back(needed.count(v.node()) > 0);
      any = any || needs.back();
    }
    if (!any) return;
    Var dout = found->second;
    if (targets.count(node) == 0) gradient.erase(found);  // its memory can serve again
    const Var out = Var::of_node(*node);
    const std::vector<Var> din = node->op->vjp(node->in, out, std::move(dout), needs);
    PGAD_CHECK(din.size() == node->in.size(), node->op->name());
    for (std::size_t i = 0; i < din.size(); ++i)
      if (needs[i] && din[i].defined()) accumulate(node->in[i], din[i]);
  };
  for (; !nodes.empty(); nodes.pop_back()) {
    Node* node = nodes.back().get();
    go_through(node);
    if (after == After::kRelease && node->op != nullptr) {
      node->op.reset();
      node->in.clear();
      node->saved = {};
      node->released = true;
    }
  }

  std::vector<Var> result;
  for (const Var& x : xs) {
    const auto found = gradient.find(x.node());
    result.push_back(found != gradient.end() ? found->second : constant_like(x, 0.0));
  }
  return result;
}

}  // namespace

std::vector<Var> grad(const Var& y, std::span<const Var> xs, bool create_graph, const Var& seed) {
  const HistoryScope scope(create_graph);
  const Var s = seed.defined() ? seed : constant_like(y, 1.0);
  return grad(std::span<const Var>(&y, 1), std::span<const Var>(&s, 1), xs, create_graph);
}

std::vector<Var> grad(std::span<const Var> ys, std::span<const Var> seeds, std::span<const Var> xs, bool create_graph) {
  return differentiate(ys, seeds, xs, create_graph, After::kKeep);
}

std::vector<Var> grad_and_release(std::span<const Var> ys, std::span<const Var> seeds, std::span<const Var> xs) {
  return differentiate(ys, seeds, xs, /*create_graph=*/false, After::kRelease);
}

std::vector<Var> vjp_of(const std::function<Var(std::span<const Var>)>& formula, std::span<const Var> in,
                        const Var& dout, std::span<const char> needs) {
  const bool outer = HistoryScope::on();
  std::vector<Var> result(in.size());
  std::vector<Var> aliases, targets;
  std::vector<std::size_t> where;
  Var out;
  {
    const HistoryScope scope(true);
    for (const Var& x : in) aliases.push_back(alias(x));
    for (std::size_t i = 0; i < in.size(); ++i)
      if (aliases[i].requires_grad() && (needs.empty() || needs[i])) {
        targets.push_back(aliases[i]);
        where.push_back(i);
      }
    out = formula(aliases);
  }
  if (targets.empty()) return result;
  const std::vector<Var> gradients = grad(out, targets, outer, dout);
  for (std::size_t i = 0; i < where.size(); ++i) result[where[i]] = gradients[i];
  return result;
}

}  // namespace pgad
