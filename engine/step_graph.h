#pragma once
// StepGraph: a step of fixed shapes, run once while its kernel calls are recorded, then replayed.
//
// Invariants. The step reads its inputs from tensors that outlive the graph and writes its results to such tensors or
// to ones that it returns; it never looks at values on the host, so every replay makes the same calls. On a GPU the
// calls are captured, and replayed as one graph. Memory it
// allocates comes from a pool of the graph's own and keeps its addresses until the graph dies. Tensors from outside
// must not be freed while the step is recorded. Replaying allocates nothing.

#include <functional>
#include <memory>
#include <vector>

#include "engine/exec.h"

namespace pgad {

class StepGraph {
 public:
  // Runs `step` once and records it. With `other`, the two take their memory from one pool: what neither holds in a
  // tensor after its recording serves both. They must not run at the same time.
  StepGraph(Exec& exec, const std::function<void()>& step, const StepGraph* other = nullptr);
  StepGraph(const StepGraph&) = delete;
  StepGraph& operator=(const StepGraph&) = delete;

  void replay();
  // Replays `rounds` times with a clock around each call. One line per kernel and shape, the longest first.
  struct ProfileLine {
    std::string kernel, label;
    int calls;            // in one replay
    double milliseconds;  // median over the rounds of their sum
    Cost cost;            // of all the calls
  };
  std::vector<ProfileLine> profile(int rounds);
  std::size_t size() const { return calls_.size(); }
  const std::vector<RecordedCall>& calls() const { return calls_; }

 private:
  void record(const std::function<void()>& step);
  void capture();

  Exec& exec_;
  std::shared_ptr<Pool> pool_;
  std::vector<RecordedCall> calls_;
  std::unique_ptr<DeviceRuntime::Graph> graph_;  // null on the CPU, and where the device could make none
};

}  // namespace pgad
