// A steady step takes no memory from the heap: every allocation of this program is counted, also the libraries'.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "inspection/latent_search.h"
#include "kernels/conv2d/conv2d.h"
#include "training/train_step.h"

// Sanitizers have an allocator of their own.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#include <cerrno>

namespace {
std::uint64_t allocations = 0;
}

// GLIBC's documented way to replace the allocator: all of it, in the program itself.
extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
void* malloc(std::size_t n) { return ++allocations, __libc_malloc(n); }
void* calloc(std::size_t n, std::size_t size) { return ++allocations, __libc_calloc(n, size); }
void* realloc(void* p, std::size_t n) { return ++allocations, __libc_realloc(p, n); }
void* memalign(std::size_t alignment, std::size_t n) { return ++allocations, __libc_memalign(alignment, n); }
void* aligned_alloc(std::size_t alignment, std::size_t n) { return memalign(alignment, n); }
int posix_memalign(void** p, std::size_t alignment, std::size_t n) {
  *p = memalign(alignment, n);
  return *p != nullptr ? 0 : ENOMEM;
}
void free(void* p) { __libc_free(p); }
}

namespace pgad {
namespace {

void expect_no_allocations(const StepGraph& graph, Exec& exec) {
  for (const RecordedCall& call : graph.calls()) call.call(exec);  // workspaces grow in the first replay at the latest
  std::map<std::string, std::uint64_t> counts;
  for (const RecordedCall& call : graph.calls()) {
    const std::uint64_t before = allocations;
    call.call(exec);
    const std::uint64_t here = allocations - before;  // the map allocates, too
    counts[call.kernel] += here;
  }
  EXPECT_GT(counts.size(), 3u);
  for (const auto& [kernel, count] : counts) EXPECT_EQ(count, 0u) << kernel;
  std::cout << graph.size() << " calls\n";
}

NetworkConfig network() {
  NetworkConfig c;
  c.resolution = 16;
  c.fmap_max = 16;
  return c;
}

TEST(Allocations, TheCounterCounts) {
  const std::uint64_t before = allocations;
  std::vector<float> v(100);
  EXPECT_EQ(allocations, before + 1) << v.size();
}

TEST(Allocations, TrainingStep) {
  Exec exec;
  Networks networks(exec, network(), {}, 1);
  TrainStep step(exec, networks, network(), ObjectiveConfig(), {4, false, 8, true});
  step.run();
  expect_no_allocations(step.graph(), exec);
}

TEST(Allocations, SearchStep) {
  Exec exec;
  Networks networks(exec, network(), {}, 1);
  ScoringConfig scoring;
  LatentSearch search(exec, {networks.g.get(), networks.d.get(), network(), Loss::kLogistic, 4}, scoring, 3);
  const int slots[] = {0, 1, 2};
  search.begin(slots, {1, 1, 1});
  search.step();
  expect_no_allocations(*search.graph(), exec);  // without a gradient
  search.begin(slots);
  search.step();
  expect_no_allocations(*search.graph(), exec);
}

// Winograd's convolutions are ours, whatever library stands beside them.
TEST(Allocations, Winograd) {
  Exec exec;
  constexpr std::int64_t n = 2, side = 16, c = 32;
  const Tensor x = exec.zeros({n, side, side, c}), w = exec.zeros({c, 3, 3, c}), y = exec.zeros({n, side, side, c});
  const Tensor dw = exec.zeros({c, 3, 3, c});
  Conv2dArgs<float> forward{n, side, side, c, c, 3, 1.f, x.data<float>(), w.data<float>(), y.data<float>()};
  if (conv2d_prepared_floats(exec, forward, false) == 0) GTEST_SKIP() << "no vector code for this processor";
  const Tensor u = exec.zeros({conv2d_prepared_floats(exec, forward, false)});
  const auto run_all = [&] {
    run(kConv2dPrepare, exec, Conv2dPrepareArgs<float>{forward, false, u.data<float>()});
    forward.prepared = u.data<float>();
    run(kConv2d, exec, forward);
    run(kConv2dWgrad, exec,
        Conv2dArgs<float>{n, side, side, c, c, 3, 1.f, x.data<float>(), y.data<float>(), dw.data<float>()});
  };
  run_all();
  const std::uint64_t before = allocations;
  run_all();
  EXPECT_EQ(allocations, before);
}

}  // namespace
}  // namespace pgad

#else
TEST(Allocations, Counted) { GTEST_SKIP() << "not with sanitizers, nor without GLIBC"; }
#endif
