#include "autograd/var.h"

#include <atomic>
#include <utility>

#include "autograd/op.h"

namespace pgad {
namespace {

thread_local bool history_on = true;
// One for all threads: a graph may be built by several, and its ids must grow with creation all the same.
std::atomic<std::uint64_t> next_id = 0;

}  // namespace

HistoryScope::HistoryScope(bool on) : before_(history_on) { history_on = on; }
HistoryScope::~HistoryScope() { history_on = before_; }
bool HistoryScope::on() { return history_on; }

Node::~Node() {
  // Frees a long chain of nodes in a loop: a recursion could exhaust the stack.
  std::vector<Var> dying = std::move(in);
  while (!dying.empty()) {
    Var last = std::move(dying.back());
    dying.pop_back();
    if (last.defined() && last.node()->in.size() > 0 && last.use_count() == 1)
      for (Var& v : last.node()->in) dying.push_back(std::move(v));
  }
}

Var::Var(Exec& exec, Tensor value, bool requires_grad) : node_(std::make_shared<Node>()) {
  node_->exec = &exec;
  node_->value = std::move(value);
  node_->requires_grad = requires_grad;
  node_->id = next_id++;
}

Var Var::of_node(Node& node) { return Var(node.shared_from_this()); }

Exec& Var::exec() const {
  PGAD_CHECK(defined());
  return *node_->exec;
}

const Tensor& Var::value() const {
  PGAD_CHECK(defined());
  return node_->value;
}

const Tensor& Var::saved() const {
  PGAD_CHECK(defined());
  return node_->saved;
}

void Var::set_value(Tensor value) {
  PGAD_CHECK(defined() && !node_->op && value.shape() == shape() && value.dtype() == dtype(), value.shape(), " for ",
             shape());
  node_->value = std::move(value);
}

bool Var::requires_grad() const { return defined() && node_->requires_grad; }

double Var::item() const {
  PGAD_CHECK(value().numel() == 1, "item() of shape ", shape());
  return dtype() == DType::kF32 ? static_cast<double>(exec().read<float>(value())[0]) : exec().read<double>(value())[0];
}

Var apply(std::shared_ptr<const Op> op, std::vector<Var> in) {
  PGAD_CHECK(!in.empty(), op->name());
  std::vector<Tensor> values;
  bool requires_grad = false;
  for (const Var& v : in) {
    PGAD_CHECK(&v.exec() == &in[0].exec() && v.dtype() == in[0].dtype(), op->name(), ": inputs of different kinds");
    values.push_back(v.value());
    requires_grad = requires_grad || v.requires_grad();
  }
  Computed computed = op->forward(in[0].exec(), values);
  Var out(in[0].exec(), std::move(computed.value));
  if (HistoryScope::on() && requires_grad) {
    out.node_->requires_grad = true;
    out.node_->op = std::move(op);
    out.node_->saved = std::move(computed.saved);
    out.node_->in = std::move(in);
  }
  return out;
}

}  // namespace pgad
