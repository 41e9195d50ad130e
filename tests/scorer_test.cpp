// Scorer: files in, scores out, whatever came before and however they come.

#include "inspection/scorer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>

#include "engine/rng.h"
#include "images/image.h"
#include "tests/temp_dir.h"

namespace pgad::test {
namespace {

void draw(std::span<float> image) {
  Rng rng(50, 1);
  for (float& v : image) v = static_cast<float>(2 * rng.uniform() - 1);
}

// A model of grey images of 8x8.
class ScorerTest : public ::testing::Test {
 protected:
  ScorerTest() : exec_(Device{}, 2) {
    NetworkConfig& network = model_.config.network;
    network.resolution = model_.preprocessing.resolution = 8;
    network.fmap_max = 32;
    model_.preprocessing.channels = 1;
    model_.level = 3;
    model_.g = make_generator(exec_, network, 1);
    model_.d = make_discriminator(exec_, network, 1);
    model_.config.scoring.gamma = 0.5;
    model_.config.scoring.steps = 10;
  }

  const TempDir dir_;
  Exec exec_;
  Model model_;
};

// A Scorer whose last use was cut short, by a sink that throws or by a stop, knows nothing of it.
TEST_F(ScorerTest, CutShortItServesAgain) {
  model_.config.scoring.batch = 2;
  std::vector<Sample> good, bad;
  for (int i = 0; i < 4; ++i) {
    const std::string name = str(i, ".png");
    write_png(dir_ / name, Image{8, 8, 1, std::vector<float>(64, static_cast<float>(i) / 4)});
    for (auto [list, file] : {std::pair{&good, name}, {&bad, "no-" + name}}) {
      Sample sample;
      sample.name = file;
      sample.path = dir_ / file;
      list->push_back(sample);
    }
  }
  Scorer scorer(exec_, model_, model_.config.scoring);
  const auto score = [&](Scorer& s, const std::vector<Sample>& samples) {
    std::vector<ScoredImage> images;
    s.score(samples, ImageSource(), [&](ScoredImage image) { images.push_back(std::move(image)); });
    return images;
  };
  const auto cut_short = [&](int way) {
    std::atomic<bool> stop = false;
    if (way == 0)
      EXPECT_THROW(scorer.score(
                       good, ImageSource(), [](ScoredImage) {}, [](const ScoringProgress&) { throw Error("no more"); }),
                   Error);
    else if (way == 1)
      scorer.score(
          good, ImageSource(), [](ScoredImage) {}, [&](const ScoringProgress&) { stop = true; }, &stop);
    else
      scorer.mean_critic(good, ImageSource());
  };
  for (int way = 0; way < 3; ++way) {
    cut_short(way);
    // With as many slots as before, of which only the first is taken up.
    const std::vector<Sample> samples = way < 2 ? std::vector<Sample>{good[0], bad[0]} : std::vector<Sample>{bad[1]};
    const auto again = score(scorer, samples);
    Scorer fresh(exec_, model_, model_.config.scoring);
    const auto expected = score(fresh, samples);
    ASSERT_EQ(again.size(), expected.size());
    for (std::size_t i = 0; i < again.size(); ++i) {
      EXPECT_EQ(again[i].sample.name, samples[i].name);
      EXPECT_EQ(again[i].error, expected[i].error);
      EXPECT_EQ(again[i].steps, expected[i].steps);
      EXPECT_TRUE(std::equal(again[i].terms, again[i].terms + kSearchTerms, expected[i].terms)) << way;
    }
  }
}

// In bursts of one to seven, with waits between them; each is handed over as if all had been known.
TEST_F(ScorerTest, TakesSamplesAsTheyCome) {
  class Bursts : public SampleFeed {
   public:
    explicit Bursts(const std::vector<Sample>& samples) : samples_(samples) {}
    std::optional<Sample> next() override { return given_ < open_ ? std::optional(samples_[given_++]) : std::nullopt; }
    bool ended() const override { return given_ == samples_.size(); }
    void wait(double) override {
      EXPECT_EQ(given_, open_) << "nothing to wait for";
      for (const std::size_t end : {1, 3, 10, 11, 16, 17, 20}) {
        if (end <= open_) continue;
        open_ = end;
        return;
      }
    }

   private:
    const std::vector<Sample>& samples_;
    std::size_t given_ = 0, open_ = 0;
  };
  model_.config.scoring.batch = 8;
  std::vector<Sample> samples;
  for (int i = 0; i < 20; ++i) {
    const std::string name = str(i, ".png");
    if (i % 9 != 4) write_png(dir_ / name, Image{8, 8, 1, std::vector<float>(64, static_cast<float>(i) / 20)});
    samples.push_back({name, dir_ / name, -1, "", false, ""});
  }
  std::vector<ScoredImage> known, fed;
  Scorer(exec_, model_, model_.config.scoring).score(samples, ImageSource(), [&](ScoredImage image) {
    known.push_back(std::move(image));
  });
  Bursts feed(samples);
  Scorer scorer(exec_, model_, model_.config.scoring);
  scorer.score(
      feed, ImageSource(), [&](ScoredImage image) { fed.push_back(std::move(image)); },
      [](const ScoringProgress& progress) { EXPECT_FALSE(progress.seconds_left); });
  ASSERT_EQ(known.size(), samples.size());
  ASSERT_EQ(fed.size(), samples.size());
  for (std::size_t i = 0; i < fed.size(); ++i) {
    EXPECT_EQ(fed[i].sample.name, samples[i].name);
    EXPECT_EQ(fed[i].error, known[i].error);
    EXPECT_EQ(fed[i].error.empty(), i % 9 != 4);
    EXPECT_EQ(fed[i].reconstruction, known[i].reconstruction);
    if (!fed[i].error.empty()) continue;
    EXPECT_TRUE(std::equal(fed[i].terms, fed[i].terms + kSearchTerms, known[i].terms)) << i;
  }
}

// Against plain loops in double.
TEST(Scorer, RelativeDistancesAreInUnitsOfTheQuerysContrast) {
  const TempDir dir;
  for (const int channels : {1, 3}) {
    Exec exec(Device{}, 2);
    Model model;
    model.config.network.resolution = model.preprocessing.resolution = 8;
    model.config.network.channels = model.preprocessing.channels = channels;
    model.config.network.fmap_max = 8;
    model.level = 3;
    model.g = make_generator(exec, model.config.network, 1);
    model.d = make_discriminator(exec, model.config.network, 1);
    model.config.scoring.steps = 3;
    model.config.scoring.gamma = 0.5;
    std::vector<Sample> samples;
    for (const int i : {0, 1}) {
      Image image{8, 8, channels, std::vector<float>(static_cast<std::size_t>(64 * channels), 0.5f)};  // even
      if (i == 1) draw(image.pixels);
      for (float& v : image.pixels) v = std::abs(v);
      samples.emplace_back().path = dir / str(i, ".png");
      write_png(samples.back().path, image);
    }
    Scorer scorer(exec, model, model.config.scoring);
    std::vector<ScoredImage> images;
    scorer.score(samples, ImageSource(), [&](ScoredImage image) { images.push_back(std::move(image)); });
    ASSERT_EQ(images.size(), 2u);
    for (const ScoredImage& image : images) {
      ASSERT_EQ(image.error, "");
      double contrast = 0, distance = 0;
      for (int c = 0; c < channels; ++c) {
        const auto at = [&](const std::vector<float>& pixels, int y, int x) {
          return static_cast<double>(pixels[static_cast<std::size_t>((8 * y + x) * channels + c)]);
        };
        std::vector<double> sorted;
        for (int i = 0; i < 64; ++i) sorted.push_back(at(image.query, i / 8, i % 8));
        std::ranges::sort(sorted);
        for (const double v : sorted) contrast += std::abs(v - sorted[32]) / (64 * channels);
        for (int i = 0; i < 64; ++i) {
          double sum = 0, total = 0;
          for (int k = 0; k < 64; ++k) {
            const int y = k / 8 - i / 8, x = k % 8 - i % 8;
            if (std::max(std::abs(y), std::abs(x)) > 3) continue;
            const double weight = std::exp(-0.5 * (y * y + x * x));
            sum += weight * (at(image.query, k / 8, k % 8) - at(image.reconstruction, k / 8, k % 8));
            total += weight;
          }
          distance += std::abs(sum / total) / (64 * channels);
        }
      }
      EXPECT_EQ(contrast < 1e-6, &image == &images[0]);
      contrast = std::max(contrast, kLeastContrast);
      EXPECT_NEAR(image.terms[kRelativeResidual], distance / contrast, 1e-5 * distance / contrast);
      EXPECT_NEAR(image.terms[kRelativeFeature], image.terms[kFeature] / contrast, 1e-5 / contrast);
    }
  }
}

}  // namespace
}  // namespace pgad::test
