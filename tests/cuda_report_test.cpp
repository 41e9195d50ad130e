// What ptxas said of every kernel when nvcc compiled it (scripts/nvcc_launcher.sh): no spills, no local memory. Writes
// the table of docs/gpu-status.md to cuda_report.md in the build folder.

#include <cxxabi.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <regex>
#include <set>

namespace {

namespace fs = std::filesystem;

struct Usage {
  int stack = -1, spilled = 0, registers = 0, shared = 0;
};

// Without namespaces, parameters and what the compiler adds to anonymous names.
std::string readable(const std::string& mangled) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status),
                                                    std::free);
  std::string name = status == 0 ? text.get() : mangled;
  name = std::regex_replace(name, std::regex(R"(\(anonymous namespace\)::|pgad::cuda_native::|_GLOBAL__N__\w+::)"), "");
  name = std::regex_replace(name, std::regex(R"(^void )"), "");
  return name.substr(0, name.rfind('('));
}

int number(const std::string& line, const char* pattern) {
  std::smatch found;
  return std::regex_search(line, found, std::regex(pattern)) ? std::stoi(found[1]) : 0;
}

TEST(CudaReport, NoKernelSpillsOrUsesLocalMemory) {
#ifndef PGAD_HAVE_CUDA
  GTEST_SKIP() << "built without CUDA";
#endif
  std::map<std::string, std::map<std::string, Usage>> kernels;  // by file and name; by architecture
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(PGAD_BINARY_DIR) / "kernels")) {
    if (entry.path().extension() != ".ptxas") continue;
    std::ifstream file(entry.path());
    std::string line, kernel, architecture;
    const std::string family = entry.path().parent_path().filename().string();
    const std::regex start(R"(Compiling entry function '(\w+)' for '(\w+)')");
    for (std::smatch found; std::getline(file, line);) {
      if (std::regex_search(line, found, start)) {
        kernel = family + " | `" + readable(found[1]) + "`";
        architecture = found[2];
        continue;
      }
      if (kernel.empty()) continue;
      Usage& usage = kernels[kernel][architecture];
      if (line.find("bytes stack frame") != std::string::npos) {
        usage.stack = number(line, R"((\d+) bytes stack frame)");
        usage.spilled = number(line, R"((\d+) bytes spill stores)") + number(line, R"((\d+) bytes spill loads)");
      } else if (line.find("Used ") != std::string::npos) {
        usage.registers = number(line, R"(Used (\d+) registers)");
        usage.shared = number(line, R"((\d+) bytes smem)");
      }
    }
  }
  ASSERT_GT(kernels.size(), 30u) << "no reports beside the object files";
  std::ofstream table(fs::path(PGAD_BINARY_DIR) / "cuda_report.md");
  table << "| family | kernel | registers sm_80, sm_90 | static shared memory |\n|---|---|---|---|\n";
  for (const auto& [name, by_architecture] : kernels) {
    for (const char* architecture : {"sm_80", "sm_90"})
      EXPECT_TRUE(by_architecture.contains(architecture)) << name << " was not compiled for " << architecture;
    std::string registers;
    int shared = 0;
    for (const auto& [architecture, usage] : by_architecture) {
      EXPECT_EQ(usage.stack, 0) << name << " for " << architecture << ": bytes of local memory";
      EXPECT_EQ(usage.spilled, 0) << name << " for " << architecture << ": bytes spilled";
      EXPECT_GT(usage.registers, 0) << name;
      registers += (registers.empty() ? "" : ", ") + std::to_string(usage.registers);
      shared = std::max(shared, usage.shared);
    }
    table << "| " << name << " | " << registers << " | " << shared << " |\n";
  }
  std::cout << kernels.size() << " kernels for sm_80 and sm_90: no spills, no local memory\n";
}

}  // namespace
