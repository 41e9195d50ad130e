// What README and docs/ name exists.

#include <fnmatch.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace pgad::test {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::vector<fs::path> documents() {
  const fs::path root(PGAD_SOURCE_DIR);
  std::vector<fs::path> paths = {root / "README.md"};
  for (const auto& entry : fs::recursive_directory_iterator(root / "docs"))
    if (entry.path().extension() == ".md") paths.push_back(entry.path());
  return paths;
}

// Calls `use` with the first group of each match.
template <class Use>
void each(const std::string& text, const char* pattern, const Use& use) {
  const std::regex regex(pattern);
  for (std::sregex_iterator i(text.begin(), text.end(), regex), end; i != end; ++i) use((*i)[1].str());
}

TEST(Docs, NamedTestsExist) {
  std::set<std::string> tests;
  for (const auto& entry : fs::directory_iterator(fs::path(PGAD_SOURCE_DIR) / "tests"))
    if (entry.path().extension() == ".cpp")
      each(text_of(entry.path()), R"(\nTEST(?:_F|_P)?\((\w+, \w+)\))",
           [&](std::string name) { tests.insert(name.replace(name.find(", "), 2, ".")); });
  ASSERT_GT(tests.size(), 300u);
  int seen = 0;
  for (const fs::path& document : documents())
    each(text_of(document), R"(`([A-Z]\w+\.[A-Z*][\w*]*)`)", [&](const std::string& name) {
      ++seen;
      EXPECT_TRUE(std::ranges::any_of(
          tests, [&](const std::string& test) { return fnmatch(name.c_str(), test.c_str(), 0) == 0; }))
          << document << ": no test " << name;
    });
  EXPECT_GT(seen, 80);
}

TEST(Docs, LinksLeadToFiles) {
  int seen = 0;
  for (const fs::path& document : documents())
    each(text_of(document), R"(\]\(([^)#]+)[^)]*\))", [&](const std::string& target) {
      if (target.find("://") != std::string::npos) return;
      ++seen;
      EXPECT_TRUE(fs::exists(document.parent_path() / target)) << document << " leads to " << target;
    });
  EXPECT_GT(seen, 30);
}

}  // namespace
}  // namespace pgad::test
