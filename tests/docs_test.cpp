// What README and docs/ name exists.

#include <fnmatch.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
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

// Calls `use` with what stands between `open` and the next `close`, each time.
template <class Use>
void each(const std::string& text, const std::string& open, const std::string& close, const Use& use) {
  for (std::size_t at = 0; (at = text.find(open, at)) != std::string::npos;) {
    at += open.size();
    const std::size_t end = text.find(close, at);
    if (end == std::string::npos) return;
    use(text.substr(at, end - at));
    at = end + close.size();
  }
}

// Suite.Name, with `*` for any part.
bool names_a_test(const std::string& word) {
  const std::size_t dot = word.find('.');
  const auto begins = [&](std::size_t at) { return at < word.size() && (std::isupper(word[at]) || word[at] == '*'); };
  return dot != std::string::npos && begins(0) && begins(dot + 1) && std::ranges::all_of(word, [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) || c == '*' || c == '.';
         });
}

TEST(Docs, NamedTestsExist) {
  std::set<std::string> tests;
  for (const auto& entry : fs::directory_iterator(fs::path(PGAD_SOURCE_DIR) / "tests"))
    if (entry.path().extension() == ".cpp")
      each(text_of(entry.path()), "\nTEST", ")", [&](std::string name) {
        name.erase(0, name.find('(') + 1);
        if (const std::size_t comma = name.find(", "); comma != std::string::npos)
          tests.insert(name.replace(comma, 2, "."));
      });
  ASSERT_GT(tests.size(), 300u);
  int seen = 0;
  for (const fs::path& document : documents())
    each(text_of(document), "`", "`", [&](const std::string& word) {
      if (!names_a_test(word)) return;
      ++seen;
      EXPECT_TRUE(std::ranges::any_of(
          tests, [&](const std::string& test) { return fnmatch(word.c_str(), test.c_str(), 0) == 0; }))
          << document << ": no test " << word;
    });
  EXPECT_GT(seen, 80);
}

TEST(Docs, LinksLeadToFiles) {
  int seen = 0;
  for (const fs::path& document : documents())
    each(text_of(document), "](", ")", [&](std::string target) {
      target = target.substr(0, target.find('#'));
      if (target.empty() || target.find("://") != std::string::npos) return;
      ++seen;
      EXPECT_TRUE(fs::exists(document.parent_path() / target)) << document << " leads to " << target;
    });
  EXPECT_GT(seen, 30);
}

}  // namespace
}  // namespace pgad::test
