#pragma once
// Which hand-written kernels a test program has executed in emulation: after all its tests it prints how many kernels,
// shapes and orders ran, and fails where one of kernel_names.h was never run.

#include <gtest/gtest.h>

#include <iostream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>

#include "kernels/kernel_names.h"
#include "simt/emulator.h"
#include "tests/test_device.h"

namespace pgad::test {

// Convolutions and matrix products, of which conv2d_prepare (weights for the CPU's kernels) has no CUDA version.
inline bool is_product(std::string_view kernel) {
  return kernel == "matmul" || (kernel.starts_with("conv2d") && kernel != "conv2d_operand");
}

class EmulationCoverage : public testing::Environment {
 public:
  // covers: whether this program is to test a kernel. Its launches have its name; helpers' have names of their own.
  explicit EmulationCoverage(bool (*covers)(std::string_view kernel)) : covers_(covers) {}

  void TearDown() override {
    if (testing::GTEST_FLAG(filter) != "*" || on_gpu()) return;  // only some of the tests ran, or not in emulation
    const auto& launched = emulator_statistics().kernels;
    std::size_t shapes = 0;
    std::set<simt::Order> orders;
    for (const auto& [name, kernel] : launched) {
      shapes += kernel.shapes.size();
      orders.insert(kernel.orders.begin(), kernel.orders.end());
      EXPECT_EQ(kernel.orders.size(), std::size(simt::kAllOrders)) << "kernel '" << name << "' ran in too few orders";
    }
    std::cout << "emulated: " << launched.size() << " kernels in " << shapes << " launch shapes and " << orders.size()
              << " orders, " << emulator_statistics().launches << " launches\n";
    for (const std::string_view name : kKernelNames) {
      if (!covers_(name)) continue;
      EXPECT_TRUE(launched.contains(std::string(name))) << name << " was never run in emulation";
    }
  }

 private:
  bool (*covers_)(std::string_view);
};

}  // namespace pgad::test
