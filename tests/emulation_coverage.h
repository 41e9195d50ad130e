#pragma once
// Which hand-written kernels a test program has executed in emulation: after all its tests it prints how many kernels,
// shapes and orders ran, and fails where a kernel table with a CUDA version was never run.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

#include "simt/emulator.h"
#include "tests/test_device.h"

namespace pgad::test {

class EmulationCoverage : public testing::Environment {
 public:
  // covers: whether this program is to test the kernels of a folder of kernels/.
  explicit EmulationCoverage(std::function<bool(const std::string& family)> covers) : covers_(std::move(covers)) {}

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
    // Launches are named after their table's kernel: "sum" or "sum_rows" for the table "sum".
    const std::regex table(R"re(Kernel<\w+> k\w+\s*=\s*\{\s*"(\w+)"([^;]*)\};)re");
    int tables = 0;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(PGAD_SOURCE_DIR) / "kernels")) {
      if (!entry.is_directory() || !covers_(entry.path().filename().string())) continue;
      std::ifstream file(entry.path() / "ref.cpp");
      const std::string text{std::istreambuf_iterator<char>(file), {}};
      for (std::sregex_iterator it(text.begin(), text.end(), table), end; it != end; ++it) {
        const std::string name = (*it)[1];
        ++tables;
        if ((*it)[2].str().find("_COLUMNS(") == std::string::npos) {
          EXPECT_EQ(name, "conv2d_prepare") << "has no CUDA version";
          continue;
        }
        const auto found = launched.lower_bound(name);
        EXPECT_TRUE(found != launched.end() && found->first.starts_with(name))
            << "kernel '" << name << "' of " << entry.path().filename() << " was never run in emulation";
      }
    }
    EXPECT_GT(tables, 0);
  }

 private:
  std::function<bool(const std::string&)> covers_;
};

}  // namespace pgad::test
