#pragma once
// Where the time of a recorded step goes.

#include <string>

#include "engine/step_graph.h"

namespace pgad {

// A table: kernel, shape, calls, ms and share of the step, GFLOP/s and GB/s by the least work its results take, and how
// these compare with what the machine was measured to do (copying memory beyond its caches; multiplying matrices).
// Replays the step `rounds` times: its results change as they would in training or searching on.
std::string profile_table(StepGraph& step, Exec& exec, int rounds);

}  // namespace pgad
