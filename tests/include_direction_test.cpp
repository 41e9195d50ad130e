// Dependencies point one way: apps -> layers -> autograd -> kernels -> engine.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>

namespace pgad::test {
namespace {

namespace fs = std::filesystem;

TEST(Includes, PointDown) {
  const std::map<std::string, std::set<std::string>> allowed = {
      {"engine", {"engine"}},
      {"kernels", {"engine", "kernels"}},
      {"autograd", {"engine", "kernels", "autograd"}},
      {"layers", {"engine", "kernels", "autograd", "layers"}},
      {"apps/config", {"engine", "layers", "apps/config"}},  // of layers only the two plain structs
      {"apps/data", {"engine", "layers", "apps/config", "apps/data"}},
      {"apps/model", {"engine", "layers", "autograd", "apps/config", "apps/data", "apps/model"}},
      {"apps/inspection",
       {"engine", "kernels", "autograd", "layers", "apps/config", "apps/data", "apps/model", "apps/inspection"}},
      {"apps/training",
       {"engine", "kernels", "autograd", "layers", "apps/config", "apps/data", "apps/model", "apps/inspection",
        "apps/training"}},
  };
  int seen = 0;
  for (const auto& [folder, targets] : allowed) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(PGAD_SOURCE_DIR) / folder)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".h" && extension != ".cpp" && extension != ".cu") continue;
      std::ifstream file(entry.path());
      std::string line;
      while (std::getline(file, line)) {
        const std::string start = "#include \"";
        if (line.rfind(start, 0) != 0) continue;
        ++seen;
        const std::string path = line.substr(start.size(), line.find('"', start.size()) - start.size());
        std::string target = path.substr(0, path.find('/'));
        if (target == "apps") target = path.substr(0, path.find('/', 5));
        EXPECT_TRUE(targets.count(target) > 0) << entry.path() << " includes " << path;
        EXPECT_TRUE(fs::exists(fs::path(PGAD_SOURCE_DIR) / path)) << entry.path() << " includes " << path;
      }
    }
  }
  EXPECT_GT(seen, 100);
}

}  // namespace
}  // namespace pgad::test
