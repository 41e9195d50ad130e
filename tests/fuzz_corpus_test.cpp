// Every file of the fuzzers' corpora through what the fuzzers call: earlier findings must stay mended, and a corpus
// must hold files that are accepted and files that are not.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "images/atomic_file.h"
#include "tests/fuzz/entries.h"

namespace pgad {
namespace {

namespace fs = std::filesystem;

const fs::path kCorpus = fs::path(PGAD_SOURCE_DIR) / "tests/fuzz/corpus";

TEST(FuzzCorpus, EveryFileIsAcceptedOrRefused) {
  for (const fuzz::Entry& entry : fuzz::kEntries) {
    ASSERT_TRUE(fs::is_directory(kCorpus / entry.name)) << entry.name;
    int accepted = 0, refused = 0;
    for (const auto& file : fs::directory_iterator(kCorpus / entry.name)) {
      SCOPED_TRACE(file.path().string());
      EXPECT_NO_THROW(++(fuzz::run(entry, read_file(file.path().string())) ? accepted : refused));
    }
    EXPECT_GT(accepted, 0) << entry.name;
    EXPECT_TRUE(refused > 0 || std::string(entry.name) == "exif") << entry.name;  // which takes anything
  }
}

TEST(FuzzCorpus, IsSmallAndHasAnEntryForEachFolder) {
  std::set<std::string> names;
  for (const fuzz::Entry& entry : fuzz::kEntries) names.insert(entry.name);
  std::uintmax_t bytes = 0;
  for (const auto& file : fs::recursive_directory_iterator(kCorpus)) {
    if (file.is_directory())
      EXPECT_TRUE(names.contains(file.path().filename().string())) << file.path();
    else
      bytes += file.file_size();
  }
  EXPECT_LT(bytes, 300'000u);
}

}  // namespace
}  // namespace pgad
