// Plots and heat maps: what is where in the pictures, read back from the files.

#include "report/plot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "engine/check.h"
#include "images/gaussian_blur.h"
#include "images/image.h"
#include "images/pictures.h"

namespace pgad {
namespace {

namespace fs = std::filesystem;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

class Plot : public ::testing::Test {
 protected:
  Plot() : dir_(fs::temp_directory_path() / str("pgad_plot_test_", std::random_device{}())) {
    fs::create_directory(dir_);
  }
  ~Plot() override {
    std::error_code ignored;
    if (std::getenv("PGAD_KEEP_PLOTS") == nullptr) fs::remove_all(dir_, ignored);
  }

  std::string file(const std::string& name) const { return (dir_ / name).string(); }

  const fs::path dir_;
};

// Pixels within rounding of this colour.
int count_color(const Image& image, int r, int g, int b) {
  int n = 0;
  for (size_t i = 0; i < image.pixels.size(); i += 3)
    n += std::abs(image.pixels[i] - r / 255.0) < 0.02 && std::abs(image.pixels[i + 1] - g / 255.0) < 0.02 &&
         std::abs(image.pixels[i + 2] - b / 255.0) < 0.02;
  return n;
}

std::vector<double> draw(std::mt19937& rng, int n, double mean, double spread) {
  std::vector<double> values(n);
  for (double& v : values) v = std::normal_distribution<double>(mean, spread)(rng);
  return values;
}

RocSeries series(const std::string& name, const std::vector<double>& normal, const std::vector<double>& anomalous) {
  std::vector<double> scores(normal);
  scores.insert(scores.end(), anomalous.begin(), anomalous.end());
  std::vector<std::uint8_t> labels(normal.size(), 0);
  labels.resize(scores.size(), 1);
  const Ranking<double> ranking(scores, labels);
  return {name, ranking.roc_curve(), ranking.auroc()};
}

TEST_F(Plot, RocCurvesOfAllSeriesAreDrawn) {
  std::mt19937 rng(1);
  std::vector<RocSeries> all;
  const char* names[] = {"residual", "feature", "latent_critic", "paper", "critic", "combined"};
  for (int i = 0; i < 6; ++i) all.push_back(series(names[i], draw(rng, 300, 0, 1), draw(rng, 200, 0.5 * i, 1)));
  plot_roc(file("roc.png"), "ROC, MNIST digit 8", all);
  const Image image = read_image(file("roc.png"));
  EXPECT_EQ(image.width, 1000);
  EXPECT_EQ(image.height, 760);
  EXPECT_EQ(image.channels, 3);
  EXPECT_GT(count_color(image, 0, 114, 178), 800);  // the first, solid
  for (const auto& [r, g, b] : {std::tuple{213, 94, 0}, {0, 158, 115}, {204, 121, 167}, {230, 159, 0}, {86, 180, 233}})
    EXPECT_GT(count_color(image, r, g, b), 300) << r << "," << g << "," << b;
  EXPECT_GT(count_color(image, 255, 255, 255), 400000);
}

TEST_F(Plot, RocOfAPerfectScoreRunsAlongTheEdge) {
  const std::vector<RocSeries> one = {series("perfect", {1, 2}, {3, 4})};
  plot_roc(file("perfect.png"), "perfect", one, 800, 600);
  const Image image = read_image(file("perfect.png"));
  EXPECT_EQ(image.width, 800);
  EXPECT_EQ(image.height, 600);
  EXPECT_GT(count_color(image, 0, 114, 178), 1200);
}

TEST_F(Plot, HistogramsShowBothClassesAndTheThreshold) {
  std::mt19937 rng(2);
  std::vector<ScoreHistogram> scores;
  const char* names[] = {"residual", "feature", "latent_critic", "paper", "critic", "combined"};
  for (int i = 0; i < 6; ++i) scores.push_back({names[i], draw(rng, 400, 0, 1), draw(rng, 150, i, 1.5), 1.64});
  scores[1].normal.push_back(1e6);  // an outlier must not squeeze the rest into one bin
  scores[2].anomalous.push_back(kInf);
  scores[4].threshold = kNaN;
  plot_histograms(file("histograms.png"), "Scores, MNIST digit 8", scores);
  const Image image = read_image(file("histograms.png"));
  EXPECT_EQ(image.width, 1040);
  EXPECT_GT(image.height, 900);
  EXPECT_GT(count_color(image, 0, 114, 178), 3000);
  EXPECT_GT(count_color(image, 213, 94, 0), 3000);
  EXPECT_GT(count_color(image, 0, 0, 0), 1500);
}

TEST_F(Plot, HistogramsOfDegenerateScores) {
  plot_histograms(file("equal.png"), "equal", std::vector<ScoreHistogram>{{"equal", {3, 3, 3}, {3}, 3}});
  plot_histograms(file("zero.png"), "zero", std::vector<ScoreHistogram>{{"zero", {0}, {}, kNaN}});
  plot_histograms(file("far.png"), "far", std::vector<ScoreHistogram>{{"far", {1e-30, 2e-30}, {1e30}, kInf}});
  plot_histograms(file("many.png"), std::string(500, 'x'),
                  std::vector<ScoreHistogram>(5, {std::string(300, 'y'), {1, 2}, {2, 3}, 100}));
  for (const char* name : {"equal.png", "zero.png", "far.png", "many.png"}) {
    const Image image = read_image(file(name));
    EXPECT_GE(image.width, 800);
    EXPECT_GE(image.height, 600);
  }
}

TEST_F(Plot, BadInputWritesNothing) {
  const std::vector<RocSeries> good = {series("s", {1}, {2})};
  EXPECT_THROW(plot_roc(file("x.png"), "", {}), Error);
  EXPECT_THROW(plot_roc(file("x.png"), "", good, 100, 100), Error);
  EXPECT_THROW(plot_roc(file("no/x.png"), "", good), Error);
  EXPECT_THROW(plot_histograms(file("x.png"), "", {}), Error);
  EXPECT_THROW(plot_histograms(file("x.png"), "", std::vector<ScoreHistogram>{{"s", {1, kNaN}, {}}}), Error);
  EXPECT_THROW(plot_histograms(file("x.png"), "", std::vector<ScoreHistogram>{{"s", {kInf}, {}}}), Error);
  EXPECT_TRUE(fs::is_empty(dir_));
}

// ---- heat maps
// -----------------------------------------------------------------------------------------------------

TEST(HeatColor, LightnessGrowsSteadily) {
  double before = -1;
  for (int i = 0; i <= 100; ++i) {
    const auto [r, g, b] = heat_color(i / 100.0);
    const double luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    EXPECT_GT(luminance, before) << i;
    before = luminance;
    for (const float v : {r, g, b}) EXPECT_TRUE(v >= 0 && v <= 1) << i;
  }
  EXPECT_EQ(heat_color(-3), heat_color(0));
  EXPECT_EQ(heat_color(7), heat_color(1));
  EXPECT_EQ(heat_color(kNaN), heat_color(0));
}

TEST(Colorize, EndsOfTheRange) {
  const Image image = colorize(std::vector<float>{2, 4, 3, 9, -1, static_cast<float>(kNaN)}, 2, 3, 2, 4);
  ASSERT_EQ(image.pixels.size(), 18u);
  const auto pixel = [&](int i) {
    return std::array<float, 3>{image.pixels[3 * i], image.pixels[3 * i + 1], image.pixels[3 * i + 2]};
  };
  EXPECT_EQ(pixel(0), heat_color(0));
  EXPECT_EQ(pixel(1), heat_color(1));
  EXPECT_EQ(pixel(2), heat_color(0.5));
  EXPECT_EQ(pixel(3), heat_color(1));
  EXPECT_EQ(pixel(4), heat_color(0));
  EXPECT_EQ(pixel(5), heat_color(0));
  EXPECT_THROW(colorize(std::vector<float>{1, 2}, 1, 2, 1, 1), Error);
  EXPECT_THROW(colorize(std::vector<float>{1, 2}, 1, 3, 0, 1), Error);
}

TEST(Overlay, NormalPlacesShowTheImage) {
  const Image grey{1, 3, 1, {0.2f, 0.5f, 0.8f}};
  const Image out = overlay(grey, std::vector<float>{0, 1, 0.5f}, 0, 1, 0.6);
  EXPECT_EQ(out.channels, 3);
  for (int c = 0; c < 3; ++c) {
    EXPECT_FLOAT_EQ(out.pixels[c], 0.2f);
    EXPECT_NEAR(out.pixels[3 + c], 0.4 * 0.5 + 0.6 * heat_color(1)[c], 1e-6);
    EXPECT_NEAR(out.pixels[6 + c], 0.7 * 0.8 + 0.3 * heat_color(0.5)[c], 1e-6);
  }
  const Image rgb{1, 1, 3, {0.1f, 0.2f, 0.3f}};
  EXPECT_EQ(overlay(rgb, std::vector<float>{0}, 0, 1).pixels, rgb.pixels);
  EXPECT_THROW(overlay(rgb, std::vector<float>{0, 1}, 0, 1), Error);
}

TEST(Grid, PlacesImagesRowByRow) {
  const Image a{1, 2, 1, {0.1f, 0.2f}}, b{2, 1, 1, {0.3f, 0.4f}}, c{1, 1, 1, {0.9f}};
  const Image out = grid(std::vector<Image>{a, b, c}, 2, 1, 0.5f);
  EXPECT_EQ(out.height, 7);  // two cells of 2, three gaps
  EXPECT_EQ(out.width, 7);
  EXPECT_EQ(out.channels, 1);
  const auto at = [&](int y, int x) { return out.pixels[y * 7 + x]; };
  EXPECT_EQ(at(1, 1), 0.1f);
  EXPECT_EQ(at(1, 2), 0.2f);
  EXPECT_EQ(at(1, 4), 0.3f);
  EXPECT_EQ(at(2, 4), 0.4f);
  EXPECT_EQ(at(4, 1), 0.9f);
  EXPECT_EQ(std::ranges::count(out.pixels, 0.5f), 49 - 5);
}

TEST(Grid, MixedGreyAndRgbAndOneImage) {
  const Image grey{1, 1, 1, {0.25f}}, rgb{1, 1, 3, {1, 0, 0}};
  const Image out = grid(std::vector<Image>{grey, rgb}, 5, 0);
  EXPECT_EQ(out.height, 1);
  EXPECT_EQ(out.width, 2);
  EXPECT_EQ(out.pixels, (std::vector<float>{0.25f, 0.25f, 0.25f, 1, 0, 0}));
  EXPECT_THROW(grid({}, 1), Error);
  EXPECT_THROW(grid(std::vector<Image>{grey}, 0), Error);
  EXPECT_THROW(grid(std::vector<Image>{{1, 1, 2, {0, 0}}}, 1), Error);
}

TEST(UpscaleNearest, SquaresOfPixels) {
  const Image out = upscale_nearest({1, 2, 3, {0, 0.1f, 0.2f, 1, 0.9f, 0.8f}}, 2);
  EXPECT_EQ(out.height, 2);
  EXPECT_EQ(out.width, 4);
  const std::vector<float> row = {0, 0.1f, 0.2f, 0, 0.1f, 0.2f, 1, 0.9f, 0.8f, 1, 0.9f, 0.8f};
  EXPECT_TRUE(std::equal(row.begin(), row.end(), out.pixels.begin()));
  EXPECT_TRUE(std::equal(row.begin(), row.end(), out.pixels.begin() + 12));
}

TEST(GaussianBlur, AgainstTheDefinition) {
  std::mt19937 rng(4);
  for (const auto& [h, w, sigma] : {std::tuple{7, 9, 1.0}, {5, 4, 2.5}, {1, 8, 0.7}, {6, 1, 10.0}}) {
    std::vector<float> map(h * w);
    for (float& v : map) v = std::uniform_real_distribution<float>(0, 1)(rng);
    const std::vector<float> out = gaussian_blur(map, h, w, sigma);
    const int radius = static_cast<int>(std::ceil(3 * sigma));
    for (int y = 0; y < h; ++y)
      for (int x = 0; x < w; ++x) {
        double sum = 0, total = 0;
        for (int v = 0; v < h; ++v)
          for (int u = 0; u < w; ++u) {
            if (std::abs(v - y) > radius || std::abs(u - x) > radius) continue;
            const double weight = std::exp(-((v - y) * (v - y) + (u - x) * (u - x)) / (2 * sigma * sigma));
            sum += weight * map[v * w + u];
            total += weight;
          }
        EXPECT_NEAR(out[y * w + x], sum / total, 1e-6);
      }
  }
}

TEST(GaussianBlur, ConstantStaysConstantAndZeroCopies) {
  for (const float v : gaussian_blur(std::vector<float>(30, 0.3f), 5, 6, 2)) EXPECT_NEAR(v, 0.3f, 1e-6);
  const std::vector<float> map = {1, 2, 3, 4};
  EXPECT_EQ(gaussian_blur(map, 2, 2, 0), map);
  EXPECT_THROW(gaussian_blur(map, 2, 2, -1), Error);
  EXPECT_THROW(gaussian_blur(map, 2, 3, 1), Error);
}

// A sheet as pgad_infer makes it, through a file and back.
TEST_F(Plot, SheetOfImagesMapsAndOverlays) {
  std::vector<Image> cells;
  for (int k = 0; k < 4; ++k) {
    Image image{32, 32, 1, std::vector<float>(32 * 32)};
    std::vector<float> map(32 * 32);
    for (int y = 0; y < 32; ++y)
      for (int x = 0; x < 32; ++x) {
        image.pixels[y * 32 + x] = 0.5f + 0.4f * std::sin(0.3f * static_cast<float>(x + k * y));
        map[y * 32 + x] = std::exp(-static_cast<float>((x - 8 * k) * (x - 8 * k) + (y - 16) * (y - 16)) / 30.0f);
      }
    cells.push_back(image);
    cells.push_back(colorize(map, 32, 32, 0, 1));
    cells.push_back(overlay(image, gaussian_blur(map, 32, 32, 1), 0, 1));
  }
  const Image sheet = upscale_nearest(grid(cells, 6, 2), 4);
  write_png(file("sheet.png"), sheet);
  const Image back = read_image(file("sheet.png"));
  ASSERT_EQ(back.pixels.size(), sheet.pixels.size());
  for (size_t i = 0; i < back.pixels.size(); i += 101) EXPECT_NEAR(back.pixels[i], sheet.pixels[i], 0.5 / 255 + 1e-6);
}

}  // namespace
}  // namespace pgad
