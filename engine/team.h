#pragma once
// Threads that share the loops of one calling thread.

#include <functional>

namespace pgad {

// Processors that this process may run on (its affinity mask), at least 1.
int available_processors();

// Calls part(0) ... part(parts - 1), each once, side by side, and returns when all are done. Part 0 runs on the calling
// thread, the others on helpers, which belong to the calling thread and end with it. A part that its helper has not
// begun when the caller is done with its own is done by the caller: a machine that is busy with other work, or has no
// more threads to give, costs speed only. Called from inside a part it runs them one after the other.
//
// `part` must not throw (the program ends as from a noexcept function). Any thread may call; also in the child of a
// fork, which has no helpers.
void run_parts(int parts, const std::function<void(int)>& part);

}  // namespace pgad
