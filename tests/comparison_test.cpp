// Two results of the same images, compared.

#include "report/comparison.h"

#include <cmath>

#include "tests/programs.h"

namespace pgad::test {
namespace {

using OrderedJson = nlohmann::ordered_json;

OrderedJson row(const std::string& name, double combined, const std::string& decision, const std::string& label = "") {
  OrderedJson json = {{"path", name}, {"residual", combined / 2}, {"combined", combined}, {"decision", decision}};
  if (!label.empty()) json["label"] = label;
  return json;
}

EarlierResult result(const std::vector<OrderedJson>& rows, double threshold) {
  EarlierResult r;
  r.header = {{"model", "m"}, {"threshold", threshold}};
  for (const OrderedJson& json : rows) r.rows[json.at("path")] = json;
  return r;
}

TEST(Comparison, RankCorrelation) {
  const double x[] = {1, 2, 3, 4, 5}, down[] = {9, 7, 5, 3, 1}, even[] = {2, 2, 2, 2, 2};
  EXPECT_DOUBLE_EQ(rank_correlation(x, x), 1);
  EXPECT_DOUBLE_EQ(rank_correlation(x, down), -1);
  EXPECT_TRUE(std::isnan(rank_correlation(x, even)));
  // Ranks 1, 2.5, 2.5, 4, 5 and 2, 1, 4, 3, 5: by hand 6.5 / sqrt(9.5 * 10).
  const double ties[] = {0, 3, 3, 8, 20}, other[] = {.2, .1, .4, .3, .5};
  EXPECT_NEAR(rank_correlation(ties, other), 6.5 / std::sqrt(95.0), 1e-12);
}

TEST(Comparison, CountsWhatDiffers) {
  const EarlierResult first = result({row("a", 1, "normal", "normal"), row("b", 3, "anomalous", "anomalous"),
                                      row("c", 2, "normal", "anomalous"), row("only", 0, "normal", "normal")},
                                     2.5),
                      second = result({row("a", 5, "anomalous"), row("b", 9, "anomalous"), row("c", 1, "normal")}, 4);
  const Comparison c = compare(first, second, "x", "y");
  ASSERT_EQ(c.images.size(), 3u);
  EXPECT_EQ(c.only[0], 1u);
  EXPECT_EQ(c.only[1], 0u);
  EXPECT_EQ(c.changed(), 1u);
  EXPECT_EQ(c.auroc[0], 1);
  EXPECT_EQ(c.auroc[1], 0.5);  // of b and c one lies above a
  EXPECT_DOUBLE_EQ(c.correlation[kCombined], 0.5);
  EXPECT_DOUBLE_EQ(c.correlation[kResidual], 0.5);
  EXPECT_TRUE(std::isnan(c.correlation[kPaper]));
  const std::string table = table_of(c);
  EXPECT_NE(table.find("3 images in both (1 only in the first, 0 only in the second)"), std::string::npos) << table;
  EXPECT_NE(table.find("1 decision differs:\n  a: normal (1) -> anomalous (5)"), std::string::npos) << table;
  EXPECT_EQ(csv_of(c),
            "path,combined_first,decision_first,combined_second,decision_second,changed\n"
            "a,1,normal,5,anomalous,yes\nb,3,anomalous,9,anomalous,no\nc,2,normal,1,normal,no\n");
}

TEST(Comparison, RefusesWhatCannotBeCompared) {
  const EarlierResult good = result({row("a", 1, "normal")}, 2), other = result({row("b", 1, "normal")}, 2);
  const auto said = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const Error& e) {
      return e.what();
    }
    return "nothing";
  };
  EXPECT_NE(said([&] { compare(good, other, "x", "y"); }).find("'x' and 'y' have no image in common"),
            std::string::npos);
  EarlierResult uncalibrated = good;
  uncalibrated.rows["a"]["combined"] = nullptr;
  EXPECT_NE(said([&] { compare(good, uncalibrated, "x", "y"); }).find("'y': no combined score of 'a'"),
            std::string::npos);
}

TEST(Comparison, OfAModelBeforeAndAfterItsCalibration) {
  const TempDir dir;
  write_digits(dir / "in", 20);
  const std::string again = dir / "again.safetensors";
  ASSERT_TRUE(ended(
      infer({"calibrate", "--model", shared().model, "--data", dir / "in", "--threads", "1", "--out", again}), 0));
  for (const auto& [model, out] : {std::pair(shared().model, "first"), std::pair(again, "second")})
    ASSERT_TRUE(ended(infer({"score", "--model", model, "--input", dir / "in", "--threads", "1", "--false-reject-rate",
                             "0.2", "--out", dir / out}),
                      0));
  const ProcessResult r = infer({"compare", dir / "first", dir / "second", "--out", dir / "out"});
  ASSERT_TRUE(ended(r, 0, {"20 images in both", "residual           1.000", "threshold"}));
  const auto rows = read_csv(dir / "out/comparison.csv");
  ASSERT_EQ(rows.size(), 20u);
  EXPECT_EQ(rows[3].at("path"), "103.png");
  EXPECT_GT(read_image(dir / "out/comparison.png").width, 600);
  EXPECT_TRUE(
      refused(infer({"compare", dir / "first", dir / "in", "--out", dir / "x"}), 1, {dir / "in", "scores.json"}));
  EXPECT_TRUE(refused(infer({"compare", dir / "first", "--out", dir / "x"}), 2, {"results"}));
}

}  // namespace
}  // namespace pgad::test
