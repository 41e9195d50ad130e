// Dependencies point one way: docs/architecture.md.

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
      {"simt", {"engine", "simt"}},
      {"kernels", {"engine", "simt", "kernels"}},
      {"autograd", {"engine", "kernels", "autograd"}},
      {"layers", {"engine", "kernels", "autograd", "layers"}},
      {"images", {"engine", "images"}},
      {"synthesis", {"engine", "images", "synthesis"}},
      {"preparation", {"engine", "images", "preparation"}},
      {"model", {"engine", "kernels", "autograd", "layers", "images", "model"}},
      {"inspection", {"engine", "kernels", "autograd", "layers", "images", "model", "inspection"}},
      {"training", {"engine", "kernels", "autograd", "layers", "images", "model", "inspection", "training"}},
      {"report", {"engine", "layers", "images", "model", "inspection", "report"}},
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
        const std::string target = path.substr(0, path.find('/'));
        EXPECT_TRUE(targets.count(target) > 0) << entry.path() << " includes " << path;
        EXPECT_TRUE(fs::exists(fs::path(PGAD_SOURCE_DIR) / path)) << entry.path() << " includes " << path;
      }
    }
  }
  EXPECT_GT(seen, 100);
}

}  // namespace
}  // namespace pgad::test
