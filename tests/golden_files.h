#pragma once
// Where the files of tests/golden lie: in PGAD_GOLDEN_DIR, else in the source tree, else beside the program.

#include <cstdlib>
#include <filesystem>
#include <string>

namespace pgad::test {

inline std::string golden_file(const std::string& name) {
  namespace fs = std::filesystem;
  if (const char* dir = std::getenv("PGAD_GOLDEN_DIR")) return (fs::path(dir) / name).string();
  const fs::path source = fs::path(PGAD_SOURCE_DIR) / "tests" / "golden";
  const fs::path dir = fs::exists(source) ? source : fs::read_symlink("/proc/self/exe").parent_path() / "golden";
  return (dir / name).string();
}

}  // namespace pgad::test
