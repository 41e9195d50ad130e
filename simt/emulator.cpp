// Launches: what can be launched, what is counted, block after block.

#include "simt/emulator.h"

#include <exception>
#include <mutex>

#include "simt/block.h"
#include "simt/sanitizers.h"

namespace simt {

Options& options() {
  static Options instance;
  return instance;
}

Statistics& statistics() {
  static Statistics instance;
  return instance;
}

namespace detail {
namespace {

// Throws Error where a device would not launch it.
void check_shape(const char* name, const Index& grid, const Index& block) {
  const auto refuse = [&](const auto&... parts) {
    throw Error(pgad::str("kernel '", name, "' <<<", text(grid), ", ", text(block), ">>>: ", parts...));
  };
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || block.x == 0 || block.y == 0 || block.z == 0)
    refuse("a dimension is 0");
  if (grid.x > 0x7fffffff || grid.y > 65535 || grid.z > 65535) refuse("the grid is too large");
  if (block.z > 64 || std::uint64_t{block.x} * block.y * block.z > kMaxThreads)
    refuse("the block is too large, at most ", kMaxThreads, " threads");
}

}  // namespace

Coordinates coordinates;

std::string text(const Index& i) { return pgad::str("(", i.x, ",", i.y, ",", i.z, ")"); }
std::string text(const Site& site) { return pgad::str(site.file, ":", site.line); }

void fail(const std::string& message) {
  if (coordinates.kernel == nullptr) throw Error(message);
  throw Error(pgad::str("kernel '", coordinates.kernel, "' block ", text(coordinates.block), " thread ",
                        text(coordinates.thread), ": ", message));
}
void fail(const Site& site, const std::string& message) { fail(pgad::str("at ", text(site), ": ", message)); }
void fail_block(const std::string& message) {
  throw Error(pgad::str("kernel '", coordinates.kernel, "' block ", text(coordinates.block), ": ", message));
}

void run_kernel(const char* name, const Index& grid, const Index& block, const std::function<void()>& thread) {
  check_shape(name, grid, block);
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  const Unwatched unwatched;
  const std::uint64_t blocks = std::uint64_t{grid.x} * grid.y * grid.z;
  const Order order = options().order;
  if (statistics().kept) {
    statistics().launches += 1;
    KernelStatistics& counts = statistics().kernels[name];
    counts.launches += 1;
    counts.shapes.insert({grid.x, grid.y, grid.z, block.x, block.y, block.z});
    counts.orders.insert(order);
  }

  coordinates = {name, {}, {}, block, grid};
  Schedule schedule(order, blocks);
  Block& running = running_block();
  running.begin_launch(std::size_t{block.x} * block.y * block.z, thread);
  std::exception_ptr error;
  try {
    for (std::uint64_t i = 0; i < blocks; ++i) {
      const std::uint64_t b = schedule.block(i);
      running.run({static_cast<unsigned>(b % grid.x), static_cast<unsigned>(b / grid.x % grid.y),
                   static_cast<unsigned>(b / grid.x / grid.y)},
                  block, schedule);
    }
  } catch (...) {
    error = std::current_exception();
  }
  running.end_launch();
  coordinates.kernel = nullptr;
  if (error) std::rethrow_exception(error);
}

}  // namespace detail
}  // namespace simt
