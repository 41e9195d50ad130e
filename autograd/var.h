#pragma once
// Var: a tensor in the graph of operations that made it. Copies are the same node. A leaf is made from a tensor.

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/exec.h"

namespace pgad {

struct Op;
struct Node;

class Var {
 public:
  Var() = default;
  // A leaf. Gradients can be asked for it, and for what is computed from it, if requires_grad.
  Var(Exec& exec, Tensor value, bool requires_grad = false);

  bool defined() const { return node_ != nullptr; }
  Exec& exec() const;
  const Tensor& value() const;
  const Shape& shape() const { return value().shape(); }
  DType dtype() const { return value().dtype(); }
  bool requires_grad() const;
  // What the operation that made it kept for its vjp; undefined where it keeps nothing.
  const Tensor& saved() const;
  // Gives a leaf another tensor of the same shape and type, for all copies of it; before anything is computed from it.
  void set_value(Tensor value);
  // The same value without its history.
  Var detach() const { return Var(exec(), value()); }
  // The single element; reads memory on the host, so not inside a recorded step.
  double item() const;

  Node* node() const { return node_.get(); }
  static Var of_node(Node& node);
  long use_count() const { return node_.use_count(); }

 private:
  friend Var apply(std::shared_ptr<const Op>, std::vector<Var>);
  explicit Var(std::shared_ptr<Node> node) : node_(std::move(node)) {}
  std::shared_ptr<Node> node_;
};

struct Node : std::enable_shared_from_this<Node> {
  Exec* exec;
  Tensor value;
  bool requires_grad;
  std::uint64_t id;              // grows with creation: an input's is smaller than its result's
  std::shared_ptr<const Op> op;  // null for leaves, and where no history is kept
  std::vector<Var> in;
  Tensor saved;           // Computed::saved, as long as op is there
  bool released = false;  // by grad_and_release: op and in are gone

  ~Node();
};

// Whether operations keep their history; off, results are constants. Thread-local, restored by the destructor.
class HistoryScope {
 public:
  explicit HistoryScope(bool on);
  ~HistoryScope();
  HistoryScope(const HistoryScope&) = delete;
  HistoryScope& operator=(const HistoryScope&) = delete;
  static bool on();

 private:
  bool before_;
};

}  // namespace pgad
