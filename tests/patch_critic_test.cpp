// The patch critic: derivatives, what it learns from, and that it learns.

#include "layers/patch_critic.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "images/defects.h"
#include "images/surface.h"
#include "inspection/metrics.h"
#include "inspection/patch_critic_map.h"
#include "tests/gradcheck.h"
#include "tests/temp_dir.h"
#include "training/patch_critic_trainer.h"

namespace pgad::test {
namespace {

std::vector<float> normal_noise(std::size_t count, unsigned seed) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> value;
  std::vector<float> out(count);
  for (float& v : out) v = value(rng);
  return out;
}

PatchCriticConfig small_critic() {
  PatchCriticConfig c;
  c.maps = 3;
  c.most_maps = 5;
  c.levels = 3;
  c.cell = 2;
  return c;
}

TEST(PatchCritic, JudgesCellsOfImagesOfAnyShape) {
  Exec exec;
  const PatchCritic critic(exec, small_critic(), 2, 1);
  EXPECT_EQ(critic.granularity(), 4);
  const HistoryScope off(false);
  const Var logits = critic.forward(Var(exec, exec.from<float>(normal_noise(2 * 8 * 12 * 2, 1), {2, 8, 12, 2})));
  EXPECT_EQ(logits.shape(), Shape({2, 4, 6, 1}));
  EXPECT_THROW(critic.forward(Var(exec, exec.zeros({1, 8, 6, 2}))), Error);
  EXPECT_THROW(critic.forward(Var(exec, exec.zeros({1, 8, 8, 1}))), Error);
  PatchCriticConfig bad = small_critic();
  bad.cell = 8;
  EXPECT_THROW(PatchCritic(exec, bad, 2, 1), UsageError);
}

// The gradient of the whole loss in some parameters of each layer, in double against central differences.
TEST(PatchCritic, ItsLossHasTheRightGradient) {
  Exec exec;
  const PatchCritic critic(exec, small_critic(), 2, 1, 0, DType::kF64);
  const auto doubles = [](const std::vector<float>& v) { return std::vector<double>(v.begin(), v.end()); };
  const Var x(exec, exec.from<double>(doubles(normal_noise(8 * 8 * 2, 2)), {1, 8, 8, 2}));
  std::vector<double> targets(16), weights(16);
  for (std::size_t i = 0; i < 16; ++i) {
    targets[i] = i % 3 == 0;
    weights[i] = i == 5 ? 0 : 0.02 * static_cast<double>(i + 1);
  }
  const Var target(exec, exec.from<double>(targets, {1, 4, 4, 1})),
      weight(exec, exec.from<double>(weights, {1, 4, 4, 1}));
  const auto loss = [&] { return patch_critic_loss(critic.forward(x), target, weight); };
  std::vector<Var> leaves;
  for (const Parameter& p : critic.parameters()) leaves.push_back(p.var);
  const std::vector<Var> gradients = grad(loss(), leaves);
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const std::span<double> values = leaves[i].value().span<double>();
    for (const std::size_t at : {std::size_t{0}, values.size() / 2, values.size() - 1}) {
      constexpr double kStep = 1e-5;
      const double before = values[at];
      values[at] = before + kStep;
      const double above = loss().value().data<double>()[0];
      values[at] = before - kStep;
      const double below = loss().value().data<double>()[0];
      values[at] = before;
      EXPECT_NEAR(gradients[i].value().data<double>()[at], (above - below) / (2 * kStep), 1e-7)
          << critic.parameters()[i].name << " " << at;
    }
  }
}

TEST(PatchCritic, ALossOfKnownValue) {
  Exec exec;
  const auto var = [&](std::vector<float> v) { return Var(exec, exec.from<float>(v, {1, 1, 2, 1})); };
  const Var loss = patch_critic_loss(var({2, -1}), var({1, 0}), var({0.25f, 0.5f}));
  EXPECT_NEAR(exec.read<float>(loss.value())[0], 0.25 * std::log1p(std::exp(-2.0)) + 0.5 * std::log1p(std::exp(-1.0)),
              1e-6);
}

// ---- surfaces -------------------------------------------------------------------------------------------------------

TEST(Surface, NormalisedAndBack) {
  const Brightness b{0.25f, 0.1f};
  std::vector<float> pixels = {-0.15f, -0.9f, 0.25f, 0.35f, 1.0f};
  normalise(b, pixels);
  const std::vector<float> expected = {-1, -1, 0, 0.25f, 1};
  for (std::size_t i = 0; i < pixels.size(); ++i) EXPECT_NEAR(pixels[i], expected[i], 1e-6);
  from_normalised(b, pixels);
  const std::vector<float> back = {-0.15f, -0.15f, 0.25f, 0.35f, 0.65f};
  for (std::size_t i = 0; i < pixels.size(); ++i) EXPECT_NEAR(pixels[i], back[i], 1e-6);
}

TEST(Surface, BrightnessOfKnownPixels) {
  std::vector<float> ramp(1001);
  for (std::size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i) / 1000;
  const Brightness b = brightness_of(ramp, 1);
  EXPECT_NEAR(b.median, 0.5, 1e-6);
  EXPECT_NEAR(b.spread, 0.8 / 2.563, 1e-5);
  EXPECT_EQ(brightness_of(std::vector<float>(9, 0.25f), 1).spread, 1.0f / 32);  // no division by 0
}

// Against plain sums over each pixel's square.
TEST(Surface, CriticInputIsAsDescribed) {
  constexpr int kHeight = 23, kWidth = 31;
  const std::vector<float> pixels = normal_noise(kHeight * kWidth, 3);
  const Brightness b{0.25f, 0.5f};
  const std::vector<float> input = critic_input(pixels, kHeight, kWidth, 1, b);
  const auto around = [&](int y, int x, const auto& value) {
    double sum = 0;
    int count = 0;
    for (int v = std::max(0, y - kSurroundings); v <= std::min(kHeight - 1, y + kSurroundings); ++v)
      for (int u = std::max(0, x - kSurroundings); u <= std::min(kWidth - 1, x + kSurroundings); ++u, ++count)
        sum += value(v, u);
    return sum / count;
  };
  const auto scaled = [&](int y, int x) { return (pixels[static_cast<std::size_t>(y * kWidth + x)] - 0.25) / 0.5; };
  const auto deviation = [&](int y, int x) { return scaled(y, x) - around(y, x, scaled); };
  for (const auto& [y, x] : std::vector<std::pair<int, int>>{{0, 0}, {11, 15}, {22, 30}, {5, 29}}) {
    const auto at = static_cast<std::size_t>(2 * (y * kWidth + x));
    EXPECT_NEAR(input[at], std::clamp(scaled(y, x), -4.0, 4.0), 1e-4);
    const double variance = around(y, x, [&](int v, int u) { return std::pow(deviation(v, u), 2); });
    EXPECT_NEAR(input[at + 1], deviation(y, x) / std::sqrt(variance + 0.04), 1e-3);
  }
}

// ---- defects --------------------------------------------------------------------------------------------------------

SurfaceCrop surface(int side, int channels, unsigned seed) {
  const auto n = static_cast<std::size_t>(side * side);
  return {side, channels, normal_noise(n * static_cast<std::size_t>(channels), seed), std::vector<std::uint8_t>(n)};
}

TEST(Defects, CutsAreTheRegionsOfTheMask) {
  constexpr int kSide = 30;
  std::vector<float> pixels(kSide * kSide, 2.f);
  std::vector<std::uint8_t> mask(pixels.size());
  const auto fill = [&](int top, int left, int size, float value) {
    for (int y = top; y < top + size; ++y)
      for (int x = left; x < left + size; ++x) {
        pixels[static_cast<std::size_t>(y * kSide + x)] = value;
        mask[static_cast<std::size_t>(y * kSide + x)] = 1;
      }
  };
  fill(3, 4, 4, 7.f);
  fill(7, 8, 1, 7.f);  // touches the first at a corner
  fill(20, 20, 5, -1.f);
  fill(28, 2, 1, 9.f);  // a speck
  const std::vector<DefectCut> cuts = cut_defects(pixels, mask, kSide, kSide, 1);
  ASSERT_EQ(cuts.size(), 2u);
  EXPECT_EQ(std::ranges::count(cuts[0].mask, 1.f), 17);
  EXPECT_EQ(std::ranges::count(cuts[1].mask, 1.f), 25);
  for (std::size_t i = 0; i < cuts[0].mask.size(); ++i)
    EXPECT_EQ(cuts[0].pixels[i], cuts[0].mask[i] > 0 ? 5.f : 0.f);  // less the surface's 2
  for (std::size_t i = 0; i < cuts[1].mask.size(); ++i) EXPECT_EQ(cuts[1].pixels[i], cuts[1].mask[i] > 0 ? -3.f : 0.f);
}

// What is pasted is found where the mask says, with about its contrast; nothing changes far from it.
TEST(Defects, PastedOnesAreWhereTheMaskSays) {
  DefectCut cut{17, 17, 1, std::vector<float>(17 * 17), std::vector<float>(17 * 17)};
  for (int y = 4; y < 13; ++y)
    for (int x = 4; x < 13; ++x) {
      cut.pixels[static_cast<std::size_t>(y * 17 + x)] = 10;
      cut.mask[static_cast<std::size_t>(y * 17 + x)] = 1;
    }
  int seen = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SurfaceCrop crop{64, 1, std::vector<float>(64 * 64), std::vector<std::uint8_t>(64 * 64)};
    Rng rng(1, seed);
    paste_defect(cut, rng, crop);
    double inside = 0, outside = 0;
    int marked = 0;
    for (int y = 0; y < 64; ++y)
      for (int x = 0; x < 64; ++x) {
        const auto at = static_cast<std::size_t>(y * 64 + x);
        bool near = false;  // within 5 pixels of a marked one
        for (int v = std::max(0, y - 5); v < std::min(64, y + 6); ++v)
          for (int u = std::max(0, x - 5); u < std::min(64, x + 6); ++u)
            near = near || crop.mask[static_cast<std::size_t>(v * 64 + u)] != 0;
        marked += crop.mask[at];
        if (crop.mask[at]) inside += crop.pixels[at];
        if (!near) outside = std::max<double>(outside, std::abs(crop.pixels[at]));
      }
    if (marked < 20) continue;  // mostly outside the crop
    ++seen;
    EXPECT_LT(marked, 250);
    EXPECT_TRUE(inside / marked > 4 && inside / marked < 13.5) << inside / marked;
    EXPECT_LT(outside, 0.1);
  }
  EXPECT_GT(seen, 25);
}

// Each synthetic defect changes what it marks, marks something, and is the same for the same generator.
TEST(Defects, SyntheticOnesAreMarkedAndRepeatable) {
  for (const int channels : {1, 3})
    for (const int side : {16, 64}) {
      int visible = 0, all = 0;
      for (std::uint64_t seed = 0; seed < 120; ++seed) {
        const SurfaceCrop before = surface(side, channels, 1), foreign = surface(side, channels, 2);
        SurfaceCrop a = before, b = before;
        Rng first(3, seed), second(3, seed);
        draw_synthetic_defect(foreign, first, a);
        draw_synthetic_defect(foreign, second, b);
        EXPECT_EQ(a.pixels, b.pixels);
        EXPECT_EQ(a.mask, b.mask);
        double inside = 0, outside = 0;
        int marked = 0;
        for (std::size_t i = 0; i < a.mask.size(); ++i) {
          double change = 0;
          for (std::size_t k = 0; k < static_cast<std::size_t>(channels); ++k) {
            const std::size_t at = i * static_cast<std::size_t>(channels) + k;
            ASSERT_TRUE(std::isfinite(a.pixels[at])) << seed;
            change += std::abs(a.pixels[at] - before.pixels[at]);
          }
          (a.mask[i] ? inside : outside) += change;
          marked += a.mask[i];
        }
        if (marked == 0) continue;  // a line that ran out of the crop
        ++all;
        const double rest = std::max<double>(1, static_cast<double>(a.mask.size()) - marked);
        visible += inside / marked > 0.2 * channels && inside / marked > 3 * outside / rest;
      }
      EXPECT_GT(all, 100) << side;
      EXPECT_GT(visible, all * 8 / 10) << side << " of " << all;
    }
}

// ---- learning -------------------------------------------------------------------------------------------------------

// A folder of surfaces, and known defects with masks: bright squares of 5x5.
class ToySurfaces : public ::testing::Test {
 protected:
  void SetUp() override {
    std::mt19937 rng(5);
    std::normal_distribution<float> value(0.5f, 0.05f);
    for (int i = 0; i < 8; ++i) {
      Image image{48, 48, 1, {}}, mask{48, 48, 1, std::vector<float>(48 * 48)};
      for (int k = 0; k < 48 * 48; ++k) image.pixels.push_back(std::clamp(value(rng), 0.f, 1.f));
      const bool abnormal = i >= 5;
      for (int y = 20; abnormal && y < 25; ++y)
        for (int x = 10 * (i - 4); x < 10 * (i - 4) + 5; ++x) {
          image.pixels[static_cast<std::size_t>(y * 48 + x)] += 0.2f;
          mask.pixels[static_cast<std::size_t>(y * 48 + x)] = 1;
        }
      const std::string name = str(i, ".png");
      write_png(dir_ / name, image);
      if (abnormal) write_png(dir_ / ("mask" + name), mask);
      (abnormal ? abnormal_ : normal_)
          .push_back({name, dir_ / name, -1, "", abnormal, abnormal ? dir_ / ("mask" + name) : ""});
    }
    p_.resolution = 32;
    p_.tiles = true;
    model_.preprocessing = p_;
    PatchCriticConfig& c = model_.config.patch_critic;
    c.train = true;
    c.kimg = 3;
    c.maps = 8;
    c.most_maps = 16;
    c.levels = 3;
    c.cell = 4;
    c.members = 1;
  }
  TempDir dir_;
  std::vector<Sample> normal_, abnormal_;
  Preprocessing p_;
  Model model_;
};

TEST_F(ToySurfaces, CropsAreWhatTheySay) {
  TrainingImages normal(normal_, ImageSource(), p_), abnormal(abnormal_, ImageSource(), p_);
  CriticCrops crops(normal, abnormal, {}, model_.config.patch_critic, true, 1);
  constexpr std::size_t kCount = 64, kCells = 8 * 8;
  std::vector<float> inputs(kCount * 32 * 32 * 2), targets(kCount * kCells), weights(targets.size());
  crops.fetch(100, inputs, targets, weights);
  int defects = 0;
  for (std::size_t n = 0; n < kCount; ++n) {
    float abnormal_weight = 0;
    int marked = 0;
    for (std::size_t i = 0; i < kCells; ++i) {
      const std::size_t at = n * kCells + i, row = i / 8, column = i % 8;
      EXPECT_TRUE(targets[at] == 0 || targets[at] == 1);
      EXPECT_GE(weights[at], 0);
      if (row == 0 || column == 0 || row == 7 || column == 7) {
        EXPECT_EQ(weights[at], 0);
      }
      marked += targets[at] > 0;
      abnormal_weight += targets[at] * weights[at];
    }
    if (n % 2 == 0) {
      EXPECT_EQ(marked, 0) << "a normal crop";
    }
    EXPECT_LE(abnormal_weight, 0.26f * 64);
    defects += marked > 0;
  }
  EXPECT_GE(defects, 25);
  // Any part of the row is the same.
  std::vector<float> some(10 * 32 * 32 * 2), t(10 * kCells), w(t.size());
  crops.fetch(120, some, t, w);
  EXPECT_TRUE(std::equal(some.begin(), some.end(), inputs.begin() + 20 * 32 * 32 * 2));
  EXPECT_TRUE(std::equal(w.begin(), w.end(), weights.begin() + 20 * kCells));
}

// Crops larger than the networks' side hold defects of the size that smaller ones have.
TEST_F(ToySurfaces, CropsHaveASideOfTheirOwn) {
  TrainingImages normal(normal_, ImageSource(), p_), none({}, ImageSource(), p_);
  PatchCriticConfig config = model_.config.patch_critic;
  const auto marked = [&](int side) {
    config.crop = side;
    CriticCrops crops(normal, none, {}, config, true, 1);
    EXPECT_EQ(crops.side(), side);
    const auto cells = static_cast<std::size_t>(crops.cells() * crops.cells());
    constexpr std::size_t kCount = 200;
    std::vector<float> inputs(kCount * static_cast<std::size_t>(side * side * 2)), targets(kCount * cells),
        weights(targets.size());
    crops.fetch(0, inputs, targets, weights);
    return static_cast<double>(std::ranges::count(targets, 1.f)) / kCount;
  };
  const double small = marked(32), large = marked(96);
  EXPECT_GT(small, 1);
  EXPECT_TRUE(large > small && large < 5 * small) << small << ", " << large;  // 9 if they grew with the crop
}

// On an even ground with an object on it, defects are drawn on the object.
TEST_F(ToySurfaces, DefectsLieOnObjects) {
  for (const Sample& sample : normal_) {
    Image image = read_image(sample.path);
    for (int y = 0; y < 48; ++y)
      for (int x = 0; x < 32; ++x) image.pixels[static_cast<std::size_t>(y * 48 + x)] = 0.4f;
    write_png(sample.path, image);
  }
  p_.resolution = 16;
  TrainingImages normal(normal_, ImageSource(), p_), none({}, ImageSource(), p_);
  PatchCriticConfig config = model_.config.patch_critic;
  // Mean variance of the normal crops, which follow the defects.
  const auto variance_of = [&](bool on_objects) {
    config.on_objects = on_objects;
    CriticCrops crops(normal, none, {}, config, true, 1);
    constexpr std::size_t kCount = 100, kPixels = 16 * 16;
    std::vector<float> inputs(kCount * kPixels * 2), targets(kCount * 16), weights(targets.size());
    crops.fetch(0, inputs, targets, weights);
    double sum = 0;
    for (std::size_t n = 0; n < kCount; n += 2) {
      SurfaceCrop crop{16, 1, {}, {}};
      for (std::size_t i = 0; i < kPixels; ++i) crop.pixels.push_back(inputs[(n * kPixels + i) * 2]);
      sum += variance(crop);
    }
    return sum;
  };
  EXPECT_GT(variance_of(true), 1.3 * variance_of(false));
}

TEST_F(ToySurfaces, LearnsToTellDefectsAndRepeatsItself) {
  Exec exec(Device{}, 2);
  TrainingImages normal(normal_, ImageSource(), p_), abnormal(abnormal_, ImageSource(), p_);
  std::int64_t shown = 0;
  train_patch_critics(exec, model_, normal, abnormal, [&](const NetworkProgress& p) { shown = p.images; });
  EXPECT_GT(shown, 2500);
  std::vector<double> logits;
  std::vector<std::uint8_t> labels;
  for (long i = 0; i < abnormal.size(); ++i) {
    const Crop image = abnormal.whole(i);
    const PatchJudgement j = judge_patches(exec, model_.patch_critics, {}, image.pixels, 48, 48, 1);
    const std::vector<float> map = j.map(48, 48, 4);
    for (std::size_t k = 0; k < map.size(); ++k) {
      logits.push_back(map[k]);
      labels.push_back(image.mask[k]);
    }
  }
  EXPECT_GT(auroc(logits, labels), 0.95);
  // Normal images, of which it saw crops, have lower peaks than each of the others.
  double highest = -1e9, lowest = 1e9;
  for (long i = 0; i < normal.size(); ++i)
    highest = std::max(highest, judge_patches(exec, model_.patch_critics, {}, normal.whole(i).pixels, 48, 48, 1).odds);
  for (long i = 0; i < abnormal.size(); ++i)
    lowest = std::min(lowest, judge_patches(exec, model_.patch_critics, {}, abnormal.whole(i).pixels, 48, 48, 1).odds);
  EXPECT_LT(highest, lowest);

  Model again = model_;
  again.config.patch_critic.kimg = model_.config.patch_critic.kimg = 0.2;
  train_patch_critics(exec, model_, normal, abnormal);
  train_patch_critics(exec, again, normal, abnormal);
  const auto same = [](const PatchCritic& a, const PatchCritic& b) {
    return std::ranges::equal(a.flat().span<float>(), b.flat().span<float>());
  };
  EXPECT_TRUE(same(*model_.patch_critics[0], *again.patch_critics[0]));

  // Of several the first is the same; an image's logits are their mean.
  model_.config.patch_critic.members = 2;
  std::int64_t of = 0;
  train_patch_critics(exec, model_, normal, abnormal, [&](const NetworkProgress& p) { of = p.total_images; });
  EXPECT_EQ(of, 400);
  ASSERT_EQ(model_.patch_critics.size(), 2u);
  EXPECT_TRUE(same(*model_.patch_critics[0], *again.patch_critics[0]));
  EXPECT_FALSE(same(*model_.patch_critics[0], *model_.patch_critics[1]));
  const std::vector<float> pixels = abnormal.whole(0).pixels;
  const std::span<const std::shared_ptr<const PatchCritic>> both = model_.patch_critics;
  const std::vector<float> mean = judge_patches(exec, both, {}, pixels, 48, 48, 1).logits,
                           a = judge_patches(exec, both.first(1), {}, pixels, 48, 48, 1).logits,
                           b = judge_patches(exec, both.last(1), {}, pixels, 48, 48, 1).logits;
  double odds = 0;
  for (const float logit : a) odds += std::exp(static_cast<double>(logit)) / static_cast<double>(a.size());
  EXPECT_NEAR(judge_patches(exec, both.first(1), {}, pixels, 48, 48, 1).odds, std::log(odds), 1e-6);
  for (std::size_t i = 0; i < mean.size(); ++i) EXPECT_NEAR(mean[i], (a[i] + b[i]) / 2, 1e-5 * (1 + std::abs(mean[i])));
}

TEST_F(ToySurfaces, AnImpossibleRateIsSaid) {
  Exec exec(Device{}, 1);
  TrainingImages normal(normal_, ImageSource(), p_), none({}, ImageSource(), p_);
  model_.config.patch_critic.lr = std::numeric_limits<double>::infinity();
  model_.config.optimizer.max_skipped_steps = 2;
  try {
    train_patch_critics(exec, model_, normal, none);
    ADD_FAILURE() << "nothing thrown";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("--patch-critic-lr"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace pgad::test
