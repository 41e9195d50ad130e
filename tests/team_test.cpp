// Threads that share a loop. Also run under ThreadSanitizer.

#include "engine/team.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

#include "engine/exec.h"

namespace pgad::test {
namespace {

std::ptrdiff_t threads_of_process() {
  std::thread([] {}).join();  // with a program's first thread ThreadSanitizer starts one of its own
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), std::filesystem::directory_iterator());
}

// How often each of so many parts was called, over many loops in a row.
void expect_each_part_once(int parts, int loops) {
  std::vector<std::int64_t> sums(static_cast<std::size_t>(parts));  // plain memory: a missing order is a race
  for (int loop = 1; loop <= loops; ++loop) run_parts(parts, [&](int i) { sums[static_cast<std::size_t>(i)] += loop; });
  for (const std::int64_t sum : sums) EXPECT_EQ(sum, std::int64_t{loops} * (loops + 1) / 2);
}

TEST(Team, CallsEachPartOnce) {
  for (const int parts : {0, 1, 2, 3, 7}) expect_each_part_once(parts, 2000);
  expect_each_part_once(64, 20);
}

TEST(Team, AlsoWhenHelpersHaveFallenAsleep) {
  for (int i = 0; i < 10; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    expect_each_part_once(3, 2);
  }
}

TEST(Team, PartsRunSideBySide) {
  // Each waits for the other: one after the other they would wait for ever. A caller may take a part whose helper has
  // not woken, but not while it is in its own.
  std::atomic<int> here = 0;
  run_parts(2, [&](int) {
    ++here;
    while (here < 2) std::this_thread::yield();
  });
  EXPECT_EQ(here, 2);
}

TEST(Team, HelpersAreKeptAndEndWithTheirThread) {
  const auto before = threads_of_process();
  std::thread([&] {
    expect_each_part_once(3, 10);
    EXPECT_EQ(threads_of_process(), before + 3);
    expect_each_part_once(2, 10);
    expect_each_part_once(3, 10);
    EXPECT_EQ(threads_of_process(), before + 3);
  }).join();
  EXPECT_EQ(threads_of_process(), before);
}

TEST(Team, InsideAPartItRunsOneAfterTheOther) {
  std::vector<int> inner(6);
  const auto before = threads_of_process();
  run_parts(2, [&](int i) {
    const auto thread = std::this_thread::get_id();
    run_parts(3, [&, i](int j) {
      EXPECT_EQ(std::this_thread::get_id(), thread);
      inner[static_cast<std::size_t>(3 * i + j)] += 1;
    });
  });
  EXPECT_EQ(inner, std::vector<int>(6, 1));
  EXPECT_LE(threads_of_process(), before + 1);
}

TEST(Team, EachCallingThreadHasItsOwn) {
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) callers.emplace_back([] { expect_each_part_once(3, 500); });
  for (std::thread& caller : callers) caller.join();
}

TEST(Team, HelpersTakeNoSignals) {
  std::atomic<int> here = 0;
  run_parts(2, [&](int i) {
    ++here;
    while (here < 2) std::this_thread::yield();  // so that part 1 is the helper's
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    EXPECT_EQ(sigismember(&blocked, SIGINT), i);
    EXPECT_EQ(sigismember(&blocked, SIGTERM), i);
  });
}

TEST(Team, WorksInTheChildOfAFork) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "a lock of AddressSanitizer's allocator that a helper holds as it starts stays locked in the child";
#endif
  expect_each_part_once(3, 10);
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);  // a child that waits for helpers which it does not have
    std::vector<int> done(3);
    for (int loop = 0; loop < 10; ++loop) run_parts(3, [&](int i) { done[static_cast<std::size_t>(i)] += 1; });
#if !defined(__SANITIZE_THREAD__)  // which does not let a forked process start threads
    std::thread([] { expect_each_part_once(2, 3); }).join();
#endif
    exit(done == std::vector<int>(3, 10) && !::testing::Test::HasFailure() ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
}

// Root is not held to RLIMIT_NPROC: memory is what lacks.
TEST(Team, WithoutMoreThreadsTheCallerDoesTheParts) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer's own memory has no limit";
#endif
  const pid_t child = fork();
  if (child == 0) {
    alarm(30);
    rlimit limit{};
    limit.rlim_cur = limit.rlim_max = 1;  // no more address space: stacks cannot be mapped
    setrlimit(RLIMIT_AS, &limit);
    std::vector<int> done(40);
    const auto caller = std::this_thread::get_id();
    run_parts(40, [&](int i) { done[static_cast<std::size_t>(i)] += std::this_thread::get_id() == caller; });
    _exit(done == std::vector<int>(40, 1) ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
}

TEST(Team, ForEachIndexCallsEachOnceStopsAndThrows) {
  for (const int threads : {0, 1, 3}) {
    std::vector<std::atomic<int>> called(100);
    const auto never = [] { return false; };
    EXPECT_TRUE(for_each_index(called.size(), threads, never, [&](std::size_t i) { ++called[i]; }));
    for (const auto& count : called) EXPECT_EQ(count, 1);
    EXPECT_TRUE(for_each_index(0, threads, never, [](std::size_t) { FAIL(); }));
    std::atomic<int> begun = 0;
    EXPECT_FALSE(for_each_index(
        1000, threads, [&] { return begun >= 5; }, [&](std::size_t) { ++begun; }));
    EXPECT_LE(begun, 5 + 2);  // others may be in one
    EXPECT_GE(begun, 5);
    // Bodies take a millisecond each, so that the others cannot be through with all while one is on its way to
    // throwing.
    constexpr int many = 100'000;
    std::atomic<int> before = 0;
    EXPECT_THROW(for_each_index(many, threads, never,
                                [&](std::size_t i) {
                                  ++before;
                                  if (i == 3) throw Error("no");
                                  std::this_thread::sleep_for(std::chrono::milliseconds(1));
                                }),
                 Error);
    EXPECT_GE(before, 4);
    EXPECT_LT(before, many);
  }
}

TEST(Team, ThreadsByDefaultAreTheProcessorsItMayUse) {
  EXPECT_GE(available_processors(), 1);
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++i)
    if (CPU_ISSET(i, &before)) CPU_SET(i, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(available_processors(), 1);
  EXPECT_EQ(Exec().threads(), 1);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(available_processors(), CPU_COUNT(&before));
}

}  // namespace
}  // namespace pgad::test
