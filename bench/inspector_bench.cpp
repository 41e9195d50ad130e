// Latency of one picture through libpgad's Inspector, and what many of them on many threads do to results and memory.
//
//   inspector_bench MODEL [PICTURES]          median and 99th percentile of inspect(), one picture at a time
//   inspector_bench MODEL --soak [PICTURES]   8 threads with an Inspector each; exit status 1 where bits differ or
//   memory grows
//
// Pictures are noise of the networks' size: a search takes as long as for any other, or a little longer.

#include <pgad/inspector.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t kThreads = 8;
constexpr int kKinds = 16;               // different pictures
constexpr double kGrowthAllowed = 1.02;  // of memory from a quarter of the pictures to all

struct Pictures {
  int side, channels;
  std::vector<std::vector<std::uint8_t>> pixels;

  explicit Pictures(const pgad::Inspector& inspector) : side(inspector.side()), channels(inspector.channels()) {
    std::mt19937 random(1);
    for (int i = 0; i < kKinds; ++i) {
      pixels.emplace_back(static_cast<std::size_t>(side) * side * channels);
      for (std::uint8_t& v : pixels.back()) v = static_cast<std::uint8_t>(random());
    }
  }
  pgad::Picture at(std::size_t i) const { return {pixels[i % pixels.size()].data(), side, side, channels}; }
};

double resident_mb() {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;)
    if (word == "VmRSS:") return file >> word, std::stod(word) / 1024;
  return 0;
}

int latency(const std::string& model, int count) {
  pgad::Inspector inspector(model);
  inspector.warm_up();
  const Pictures pictures(inspector);
  std::vector<double> ms;
  for (int i = 0; i < count; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const pgad::Result r = inspector.inspect(pictures.at(static_cast<std::size_t>(i)));
    ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
    if (r.map.empty()) return std::fprintf(stderr, "no map\n"), 1;
  }
  std::ranges::sort(ms);
  const auto at = [&](double share) {
    return ms[static_cast<std::size_t>(share * static_cast<double>(ms.size() - 1))];
  };
  std::printf("%s, %dx%d: %d pictures, median %.2f ms, 99th percentile %.2f ms, most %.2f ms\n",
              inspector.device().c_str(), pictures.side, pictures.side, count, at(0.5), at(0.99), ms.back());
  return 0;
}

std::uint64_t digest(const pgad::Result& r) {
  std::uint64_t hash = static_cast<std::uint64_t>(r.steps);
  for (const auto& [name, score] : r.scores) hash = hash * 0x9E3779B97F4A7C15u + std::bit_cast<std::uint64_t>(score);
  for (const float v : r.map) hash = hash * 0x9E3779B97F4A7C15u + std::bit_cast<std::uint32_t>(v);
  return hash;
}

int soak(const std::string& model, int count) {
  pgad::InspectorOptions options;
  options.threads = 1;
  std::vector<std::uint64_t> expected;
  {
    pgad::Inspector inspector(model, options);
    const Pictures pictures(inspector);
    for (std::size_t i = 0; i < kKinds; ++i) expected.push_back(digest(inspector.inspect(pictures.at(i))));
  }
  std::atomic<int> next = 0, others = 0;
  std::atomic<double> quarter = 0;
  std::atomic<bool> measured = false;
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&] {
      pgad::Inspector inspector(model, options);
      const Pictures pictures(inspector);
      for (int i; (i = next++) < count;) {
        const auto k = static_cast<std::size_t>(i);
        others += digest(inspector.inspect(pictures.at(k))) != expected[k % kKinds];
        if (i == count / 4) quarter = resident_mb();
      }
      while (!measured) std::this_thread::sleep_for(std::chrono::milliseconds(5));  // all are open until memory is read
    });
  while (next < count + static_cast<int>(kThreads)) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const double all = resident_mb();
  measured = true;
  for (std::thread& thread : threads) thread.join();
  std::printf(
      "%zu threads, %zu Inspectors, %d pictures: %d with other bits; resident %.1f MB after a quarter, %.1f MB at the "
      "end\n",
      kThreads, kThreads, count, others.load(), quarter.load(), all);
  return others == 0 && all <= quarter * kGrowthAllowed ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const bool soaks = argc > 2 && std::string(argv[2]) == "--soak";
  const int at = soaks ? 3 : 2;
  const int count = argc > at ? std::atoi(argv[at]) : soaks ? 1000 : 200;
  if (argc < 2 || argc > at + 1 || count < kKinds)
    return std::fprintf(stderr, "usage: inspector_bench MODEL [--soak] [PICTURES, at least %d]\n", kKinds), 2;
  try {
    return soaks ? soak(argv[1], count) : latency(argv[1], count);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
