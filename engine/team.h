#pragma once
// Threads that share the loops of one calling thread.

#include <cstddef>
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

// Calls body(0) ... body(n - 1), each at most once, in that order of beginning, on so many threads (0: one for each
// available processor): for work of uneven length. No more are begun once `stop` says so or a body has thrown; that
// exception is thrown here, when all threads are done. Returns whether all were called.
bool for_each_index(std::size_t n, int threads, const std::function<bool()>& stop,
                    const std::function<void(std::size_t)>& body);

}  // namespace pgad
