#include "engine/step_graph.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

#include "engine/log.h"

namespace pgad {

StepGraph::StepGraph(Exec& exec, const std::function<void()>& step, const StepGraph* other)
    : exec_(exec),
      pool_(other ? other->pool_
                  : std::make_shared<Pool>(exec.stats_, exec.runtime_, exec.now_.pool->guarded(), exec.own_pool_)) {
  PGAD_CHECK(!exec.recording(), "a step graph is already being recorded");
  record(step);
  if (exec_.runtime_) capture();
}

void StepGraph::record(const std::function<void()>& step) {
  struct Unpoisoned {
    Pool& pool;
    ~Unpoisoned() { pool.unpoison(); }
  };
  const Unpoisoned afterwards{*pool_};  // once all that was made below has been freed
  // What a step prepares of weights that it changes itself serves this step only, each time anew.
  PreparedWeights of_this_step(/*constant=*/false);
  ExecScopeState state = exec_.now_;
  state.pool = pool_;
  state.recorded = &calls_;
  if (state.prepared == nullptr) state.prepared = &of_this_step;
  const ExecScope scope(exec_, std::move(state));
  step();
}

// Replays the calls once, with the device noting them down instead of running them.
void StepGraph::capture() {
  ExecScopeState state = exec_.now_;
  state.capturing = true;
  const ExecScope scope(exec_, std::move(state));
  std::string why;
  exec_.runtime_->begin_capture();
  try {
    for (const RecordedCall& recorded : calls_) recorded.call(exec_);
  } catch (...) {
    (void)exec_.runtime_->end_capture(&why);
    throw;
  }
  graph_ = exec_.runtime_->end_capture(&why);
  if (!graph_ && !std::exchange(exec_.warned_of_graphs_, true))
    log_warning("no graph of this step (" + why + "); its kernels are launched one by one");
}

void StepGraph::replay() {
  if (graph_) {
    exec_.make_current();
    return graph_->launch();
  }
  for (const auto& recorded : calls_) recorded.call(exec_);
}

std::vector<StepGraph::ProfileLine> StepGraph::profile(int rounds) {
  using Clock = std::chrono::steady_clock;
  std::map<std::pair<std::string, std::string>, std::size_t> place;
  std::vector<ProfileLine> lines;
  std::vector<std::size_t> line_of;
  for (const RecordedCall& call : calls_) {
    const auto [found, made] = place.try_emplace({call.kernel, call.label}, lines.size());
    if (made) lines.push_back({call.kernel, call.label, 0, 0, {}});
    ProfileLine& line = lines[found->second];
    line.calls += 1;
    line.cost.flops += call.cost.flops;
    line.cost.bytes += call.cost.bytes;
    line_of.push_back(found->second);
  }
  std::vector<std::vector<double>> times(lines.size());
  for (int round = 0; round < rounds; ++round) {
    for (auto& t : times) t.push_back(0);
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      const auto begin = Clock::now();
      calls_[i].call(exec_);
      exec_.synchronize();
      times[line_of[i]].back() += std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    }
  }
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::nth_element(times[i].begin(), times[i].begin() + rounds / 2, times[i].end());
    lines[i].milliseconds = times[i][static_cast<std::size_t>(rounds / 2)];
  }
  std::sort(lines.begin(), lines.end(), [](const auto& a, const auto& b) { return a.milliseconds > b.milliseconds; });
  return lines;
}

}  // namespace pgad
