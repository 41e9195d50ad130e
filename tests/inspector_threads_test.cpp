// Inspectors on many threads, small enough for ThreadSanitizer. What they answer: inspector_test.cpp.

#include <gtest/gtest.h>
#include <pgad/inspector.h>

#include <atomic>
#include <thread>
#include <vector>

#include "model/config_io.h"
#include "model/model.h"
#include "tests/temp_dir.h"

namespace pgad::test {
namespace {

constexpr int kSide = 8;

std::string untrained_model(const TempDir& dir) {
  Exec exec(Device{}, 1);
  Model model;
  model.config = preset("tiny");
  model.config.network.resolution = kSide;
  model.config.network.channels = 1;
  model.config.network.fmap_max = 4;
  model.config.scoring.gamma = 0.5;
  model.preprocessing.resolution = kSide;
  model.level = 3;
  model.g = make_generator(exec, model.config.network, 1);
  model.d = make_discriminator(exec, model.config.network, 1);
  save_model(dir / "model.safetensors", model);
  return dir / "model.safetensors";
}

struct Grey {
  std::vector<std::uint8_t> pixels = std::vector<std::uint8_t>(kSide * kSide);
  explicit Grey(int seed) {
    for (std::size_t i = 0; i < pixels.size(); ++i)
      pixels[i] = static_cast<std::uint8_t>(i * 37 + static_cast<std::size_t>(seed) * 101);
  }
  Picture view() const { return {pixels.data(), kSide, kSide, 1}; }
};

TEST(InspectorThreads, CallersMeetInOneAndInManyInspectors) {
  constexpr int kThreads = 4, kEach = 12;
  const TempDir dir;
  const std::string model = untrained_model(dir);
  std::atomic<int> told = 0;
  InspectorOptions options;
  options.device = "cpu";
  options.threads = 1;
  options.more = {{"steps", "6"}, {"batch", "3"}};
  options.on_progress = [&](Ticket, double) { ++told; };
  Inspector common(model, options);
  std::vector<double> alone;
  for (int i = 0; i < kEach; ++i) alone.push_back(common.inspect(Grey(i).view()).score("residual"));
  std::atomic<int> different = 0, handed_out = 0, cancelled = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      Inspector own(model, options);
      for (int i = 0; i < kEach; ++i) {
        const Grey grey(i);
        const double expected = alone[static_cast<std::size_t>(i)];
        different += own.inspect(grey.view()).score("residual") != expected;
        different += common.inspect(grey.view()).score("residual") != expected;
        const Ticket ticket = common.submit(grey.view());
        if (i % 3 == t % 3) common.cancel(ticket);
        if (i == 5) common.warm_up();
        static_cast<void>(common.pending());
        while (const auto finished = common.poll(i % 2)) {
          ++handed_out;
          cancelled += finished->result.cancelled;
          EXPECT_EQ(finished->error, "");
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  while (const auto finished = common.poll(60)) {
    ++handed_out;
    cancelled += finished->result.cancelled;
  }
  EXPECT_EQ(different, 0);
  EXPECT_EQ(handed_out, kThreads * kEach);
  EXPECT_LE(cancelled, kThreads * kEach / 3);
  EXPECT_GT(told, 0);
}

TEST(InspectorThreads, DestructionGivesUpWhatIsUnderWay) {
  const TempDir dir;
  InspectorOptions options;
  options.device = "cpu";
  options.threads = 1;
  options.more = {{"steps", "1000000"}, {"batch", "2"}};
  for (int round = 0; round < 3; ++round) {
    Inspector inspector(untrained_model(dir), options);
    for (int i = 0; i < 5; ++i) inspector.submit(Grey(i).view());
  }
}

}  // namespace
}  // namespace pgad::test
