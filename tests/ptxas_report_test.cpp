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

struct Usage {  // of all variants of a kernel for one architecture
  int variants = 0, stack = 0, spilled = 0, least = 1 << 20, most = 0, shared = 0;
};

// The kernel's name without namespaces, parameters and template arguments; of matrix products the tile.
std::string readable(const std::string& mangled) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status),
                                                    std::free);
  const std::string name = status == 0 ? text.get() : mangled;
  std::smatch found;
  if (std::regex_search(name, found, std::regex(R"((\w+)Products, (\d+), (\d+), (\d+), (\d+), (\d+)>)")))
    return "gemm_kernel: " + found[1].str() + ", tile " + found[2].str() + "x" + found[3].str() + "x" + found[4].str() +
           ", " + found[5].str() + " threads, " + (found[6] == "4" ? "16" : "4") + "-byte loads";
  return std::regex_search(name, found, std::regex(R"((\w+_kernel))")) ? found[1].str() : name;
}

// The folder of kernels/ whose cuda.cu defines a kernel; most are compiled as one unit.
std::string family_of(const std::string& kernel, const std::map<std::string, std::string>& sources) {
  for (const auto& [family, text] : sources)
    if (text.find(' ' + kernel + '(') != std::string::npos) return family;
  return "(shared)";  // of cuda_common.h
}

int number(const std::string& line, const char* pattern) {
  std::smatch found;
  return std::regex_search(line, found, std::regex(pattern)) ? std::stoi(found[1]) : 0;
}

TEST(CudaReport, NoKernelSpillsOrUsesLocalMemory) {
#ifndef PGAD_HAVE_CUDA
  GTEST_SKIP() << "built without CUDA";
#endif
  std::map<std::string, std::string> sources;
  for (const auto& entry : fs::directory_iterator(fs::path(PGAD_SOURCE_DIR) / "kernels")) {
    std::ifstream file(entry.path() / "cuda.cu");
    sources[entry.path().filename().string()] = std::string(std::istreambuf_iterator<char>(file), {});
  }
  std::map<std::string, std::map<std::string, Usage>> kernels;  // by family and name; by architecture
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(PGAD_BINARY_DIR) / "kernels")) {
    if (entry.path().extension() != ".ptxas") continue;
    std::ifstream file(entry.path());
    std::string line, kernel, architecture;
    const std::string folder = entry.path().parent_path().filename().string();
    // An older build's reports may still lie there.
    if (folder != "conv2d" && folder != "matmul" && entry.path().filename() != "memory_bound.cu.o.ptxas") continue;
    const std::regex start(R"(Compiling entry function '(\w+)' for '(\w+)')");
    for (std::smatch found; std::getline(file, line);) {
      if (std::regex_search(line, found, start)) {
        const std::string name = readable(found[1]);
        kernel = (sources.contains(folder) ? folder : family_of(name, sources)) + " | " + name;
        architecture = found[2];
        kernels[kernel][architecture].variants += 1;
        continue;
      }
      if (kernel.empty()) continue;
      Usage& usage = kernels[kernel][architecture];
      if (line.find("bytes stack frame") != std::string::npos) {
        usage.stack += number(line, R"((\d+) bytes stack frame)");
        usage.spilled += number(line, R"((\d+) bytes spill stores)") + number(line, R"((\d+) bytes spill loads)");
      } else if (line.find("Used ") != std::string::npos) {
        usage.least = std::min(usage.least, number(line, R"(Used (\d+) registers)"));
        usage.most = std::max(usage.most, number(line, R"(Used (\d+) registers)"));
        usage.shared = std::max(usage.shared, number(line, R"((\d+) bytes smem)"));
      }
    }
  }
  ASSERT_GT(kernels.size(), 30u) << "no reports beside the object files";
  std::ofstream table(fs::path(PGAD_BINARY_DIR) / "cuda_report.md");
  table << "| family | kernel | variants | registers sm_80, sm_90 | shared memory, bytes |\n|---|---|---|---|---|\n";
  int variants = 0;
  for (const auto& [name, by_architecture] : kernels) {
    for (const char* architecture : {"sm_80", "sm_90"})
      EXPECT_TRUE(by_architecture.contains(architecture)) << name << " was not compiled for " << architecture;
    std::string registers;
    int shared = 0;
    for (const auto& [architecture, usage] : by_architecture) {
      EXPECT_EQ(usage.stack, 0) << name << " for " << architecture << ": bytes of local memory";
      EXPECT_EQ(usage.spilled, 0) << name << " for " << architecture << ": bytes spilled";
      EXPECT_GT(usage.least, 0) << name;
      registers += (registers.empty() ? "" : ", ") + std::to_string(usage.least) +
                   (usage.most > usage.least ? " to " + std::to_string(usage.most) : "");
      shared = std::max(shared, usage.shared);
    }
    variants += by_architecture.begin()->second.variants;
    table << "| " << name << " | " << by_architecture.begin()->second.variants << " | " << registers << " | " << shared
          << " |\n";
  }
  std::cout << kernels.size() << " kernels, " << variants
            << " variants, for sm_80 and sm_90: no spills, no local memory\n";
}

}  // namespace
