// What is read from a training's log of the generator, and what it is warned of.

#include "report/generator_figures.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/check.h"
#include "tests/temp_dir.h"

namespace pgad::test {
namespace {

std::string line(double kimg, int side, double real, double fake, const std::string& more = "") {
  return str("{\"kimg\":", kimg, ",\"resolution\":", side, ",\"d_real\":", real, ",\"d_fake\":", fake, more, "}\n");
}

TEST(GeneratorFigures, AreThoseOfTheSheets) {
  const TempDir dir;
  std::ofstream(dir / "log.jsonl") << line(1, 8, 3, 1) << line(2, 8, 1, 1, ",\"swd\":[50],\"diversity\":0.5")
                                   << line(3, 16, 5, 1)
                                   << "{\"kimg\":3,\"resolution\":16,\"d_real\":null,\"d_fake\":1}\n"
                                   << line(4, 32, 7, 1, ",\"swd\":[60,40],\"diversity\":0.9");
  const std::vector<GeneratorFigures> figures = read_generator_figures(dir / "log.jsonl");
  ASSERT_EQ(figures.size(), 2u);
  EXPECT_EQ(figures[0].kimg, 2);
  EXPECT_EQ(figures[0].gap, 1);
  EXPECT_EQ(figures[0].diversity, 0.5);
  EXPECT_EQ(figures[1].side, 32);
  EXPECT_EQ(figures[1].swd, std::vector<double>({60, 40}));
  EXPECT_EQ(figures[1].gap, 5);
  plot_distances(dir / "distances.png", figures);
  EXPECT_GT(std::filesystem::file_size(dir / "distances.png"), 5000u);

  std::ofstream(dir / "bad.jsonl") << line(1, 8, 3, 1) << "{\"kimg\":\n";
  try {
    read_generator_figures(dir / "bad.jsonl");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("line 2"), std::string::npos) << e.what();
  }
  EXPECT_THROW(read_generator_figures(dir / "none.jsonl"), Error);
}

TEST(GeneratorFigures, WarningsAreGivenForTheirReasonOnly) {
  const auto at = [](int side, double swd, double diversity = 1, double gap = 0.5) {
    return GeneratorFigures{1, side, {swd + 10, swd - 10}, diversity, gap};
  };
  const auto holds = [](const std::vector<std::string>& texts, const std::string& what) {
    return texts.size() == 1 && texts[0].find(what) != std::string::npos;
  };
  EXPECT_TRUE(generator_warnings({}, 64).empty());
  EXPECT_TRUE(generator_warnings({at(32, 50), at(64, 100), at(64, 95), at(64, 89)}, 64).empty());
  EXPECT_TRUE(generator_warnings({at(64, 100), at(64, 85), at(64, 130)}, 64).empty());         // it was nearer
  EXPECT_TRUE(generator_warnings({at(64, 100), at(64, 99)}, 64).empty());                      // too early to say
  EXPECT_TRUE(generator_warnings({at(32, 10), at(32, 20), at(32, 30, 0.1, 20)}, 64).empty());  // not grown
  EXPECT_TRUE(holds(generator_warnings({at(64, 100), at(64, 95), at(64, 92)}, 64), "come no nearer"));
  EXPECT_TRUE(holds(generator_warnings({at(64, 100), at(64, 50, 0.1)}, 64), "collapsed"));
  EXPECT_TRUE(holds(generator_warnings({at(64, 100), at(64, 50, 1, 11)}, 64), "without effort"));
}

}  // namespace
}  // namespace pgad::test
