#include "engine/step_graph.h"

#include <utility>

namespace pgad {

StepGraph::StepGraph(Exec& exec, const std::function<void()>& step)
    : exec_(exec), pool_(std::make_shared<Pool>(exec.stats_, exec.pool_->guarded())) {
  PGAD_CHECK(!exec.recording(), "a step graph is already being recorded");
  std::swap(exec_.pool_, pool_);
  exec_.recorded_ = &calls_;
  const auto restore = [&] {
    exec_.recorded_ = nullptr;
    std::swap(exec_.pool_, pool_);
    pool_->unpoison();
  };
  try {
    step();
  } catch (...) {
    restore();
    throw;
  }
  restore();
}

void StepGraph::replay() {
  for (const auto& recorded : calls_) recorded.call(exec_);
}

}  // namespace pgad
