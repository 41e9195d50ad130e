#pragma once
// The device on which tests of the GPU's code path run: the emulation, or a GPU where the environment variable
// PGAD_TEST_DEVICE is "cuda". A program asked for a GPU that isn't there skips all its tests, and says so.
// "gpu-rehearsal" is the emulation in a GPU's place: tests do what they do on a GPU, and the emulator counts nothing.
// So a test that leans on the emulator's counters fails on every machine, not only where there is a GPU.

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "engine/runtime.h"
#include "simt/emulator.h"

namespace pgad::test {

inline std::string test_device_name() {
  const char* name = std::getenv("PGAD_TEST_DEVICE");
  return name == nullptr || *name == '\0' ? "cuda-emulated" : name;
}

inline bool on_gpu() { return test_device_name() != "cuda-emulated"; }

inline bool is_rehearsal() { return test_device_name() == "gpu-rehearsal"; }

inline Device test_device() { return parse_device(is_rehearsal() ? "cuda-emulated" : test_device_name()); }

// What the emulator has counted; only for the part of a test that runs in emulation.
inline simt::Statistics& emulator_statistics() {
  if (on_gpu()) throw Error("a test reads the emulator's counters on device '" + test_device_name() + "'");
  return simt::statistics();
}

class TestDeviceThere : public testing::Environment {
  void SetUp() override {
    simt::statistics().kept = !is_rehearsal();
    std::string why;
    if (on_gpu() && !is_rehearsal() && cuda_device_count(&why) == 0)
      GTEST_SKIP() << "no GPU for PGAD_TEST_DEVICE=" << test_device_name() << ": " << why;  // CTest looks for it
  }
};
inline testing::Environment* const kTestDeviceThere = testing::AddGlobalTestEnvironment(new TestDeviceThere);

// At the beginning of a test that makes no sense on a GPU.
#define PGAD_EMULATION_ONLY(reason) \
  if (::pgad::test::on_gpu()) GTEST_SKIP() << "in emulation only: " << (reason)

}  // namespace pgad::test
