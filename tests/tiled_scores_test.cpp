// Scores of images in tiles: they depend on nothing but the image, and calibration is fitted to them.

#include <gtest/gtest.h>
#include <pgad/inspector.h>

#include <cmath>
#include <fstream>
#include <set>

#include "inspection/anomaly_map.h"
#include "inspection/calibration.h"
#include "inspection/feature_maps.h"
#include "inspection/patch_critic_map.h"
#include "inspection/regions.h"
#include "inspection/scorer.h"
#include "tests/noise.h"
#include "tests/temp_dir.h"
#include "tests/test_device.h"

namespace pgad::test {
namespace {

SearchResult pair_of(std::vector<float> query, std::vector<float> reconstruction) {
  SearchResult tile;
  tile.query = std::move(query);
  tile.reconstruction = std::move(reconstruction);
  return tile;
}

struct TiledModel {
  Exec exec;
  Model model;
  explicit TiledModel(int channels = 1, Device device = {}) : exec(device, 2) {
    NetworkConfig& n = model.config.network;
    n.resolution = 16;
    n.channels = channels;
    n.fmap_base = 64;
    n.fmap_max = 8;
    model.preprocessing.resolution = 16;
    model.preprocessing.channels = channels;
    model.preprocessing.tiles = true;
    model.level = 4;
    model.top_tiles = 3;
    model.g = make_generator(exec, n, 1);
    model.d = make_discriminator(exec, n, 2);
    model.config.patch_critic = {true, 1, 0.01, 4, 8, 3, 4};
    model.patch_critics = {std::make_shared<PatchCritic>(exec, model.config.patch_critic, channels + 1, 3)};
    model.config.scoring.steps = 3;
    model.config.scoring.gamma = 0.5;
    const auto floats = static_cast<std::size_t>(16 * 16 * channels);
    FeatureMomentsOf moments;
    const SearchResult pairs[] = {pair_of(noise(floats, 1), noise(floats, 11)),
                                  pair_of(noise(floats, 2), noise(floats, 12))};
    for (const auto& tile : FeatureComparison(exec, model).differences(pairs)) moments.add(tile);
    model.features = moments.finish();
  }
  std::map<std::int64_t, ImageResult> score(const std::vector<std::pair<int, int>>& sizes, int slots, double overlap) {
    ScoringConfig scoring = model.config.scoring;
    scoring.tile_overlap = overlap;
    ImageQueue queue(exec, model, scoring, slots);
    std::map<std::int64_t, ImageResult> results;
    std::size_t next = 0;
    while (next < sizes.size() || !queue.empty()) {
      while (next < sizes.size() && queue.has_room()) {
        const auto [height, width] = sizes[next];
        const int channels = model.preprocessing.channels;
        queue.add(static_cast<std::int64_t>(next), height, width,
                  noise(static_cast<std::size_t>(height * width * channels), static_cast<unsigned>(height)));
        ++next;
      }
      queue.step([&](std::int64_t id, ImageResult r) { results.emplace(id, std::move(r)); });
    }
    return results;
  }
};

std::vector<float> bits(const ImageResult& r) {
  // Behind these are whole images' scores: NaN, which no NaN equals.
  std::vector<float> all(r.terms, r.terms + kRelativeResidual);
  for (const auto* map : {&r.query, &r.reconstruction, &r.residual_map, &r.feature_map, &r.critic_map})
    all.insert(all.end(), map->begin(), map->end());
  return all;
}

TEST(TiledScores, SameBitsInAnyBatchAndCompany) {
  for (const int channels : {1, 3}) {
    TiledModel m(channels);
    const std::vector<std::pair<int, int>> sizes = {{33, 50}, {16, 16}, {7, 40}, {45, 17}};
    const auto alone = m.score(sizes, 1, 0.5);
    ASSERT_EQ(alone.size(), sizes.size());
    for (const int slots : {2, 5, 64}) {
      const auto together = m.score(sizes, slots, 0.5);
      for (const auto& [id, result] : alone) {
        EXPECT_EQ(bits(result), bits(together.at(id))) << id << " with " << slots << " slots";
        EXPECT_EQ(result.steps, together.at(id).steps);
      }
    }
    const auto by_itself = m.score({sizes[3]}, 5, 0.5);
    const std::pair<int, int> size(by_itself.at(0).rows, by_itself.at(0).columns);
    EXPECT_EQ(size, sizes[3]);
  }
}

// An image of one tile has the scores of the same model without tiles; the largest tiles make the others'.
TEST(TiledScores, AreMadeOfTheTiles) {
  TiledModel m;
  const ImageResult tile = m.score({{16, 16}}, 4, 0.5).at(0);
  TiledModel whole;
  whole.model.preprocessing.tiles = false;
  whole.model.patch_critics.clear();
  const ImageResult image = whole.score({{16, 16}}, 4, 0.5).at(0);
  for (int t = 0; t < kSearchTerms; ++t)
    EXPECT_EQ(static_cast<float>(tile.terms[t]), static_cast<float>(image.terms[t]));
  for (int t = kSearchTerms; t < kTermCount; ++t) {
    const bool of_tiles = t < kRelativeResidual;  // the last are whole images'
    EXPECT_EQ(std::isnan(tile.terms[t]), !of_tiles) << kScoreNames[t];
    EXPECT_EQ(std::isnan(image.terms[t]), of_tiles) << kScoreNames[t];
  }
  const ImageResult large = m.score({{40, 40}}, 4, 0.25).at(0);
  ASSERT_EQ(large.tile_terms.size(), 9u * kSearchTerms);
  std::vector<double> residuals;
  for (std::size_t i = 0; i < 9; ++i) residuals.push_back(large.tile_terms[i * kSearchTerms]);
  std::ranges::sort(residuals, std::greater());
  EXPECT_DOUBLE_EQ(large.terms[kResidual], (residuals[0] + residuals[1] + residuals[2]) / 3);
  EXPECT_TRUE(large.finite());
}

// A tile in which the patch critic finds nothing is evaluated once, the others are searched as ever.
TEST(TiledScores, TheCascadeSearchesWhereThePatchCriticIsUnsure) {
  TiledModel m;
  const std::vector<std::pair<int, int>> sizes = {{40, 56}};
  const ImageResult all = m.score(sizes, 4, 0.5).at(0);
  const auto tiles = static_cast<int>(all.tile_terms.size()) / kSearchTerms;
  EXPECT_EQ(all.steps, tiles * 4);
  std::vector<float> logits = tile_logits(TileGrid(40, 56, 16, 8), all.critic_map);
  const std::vector<float> by_tile = logits;
  std::ranges::sort(logits);
  m.model.tile_quantiles = logits;
  for (const double share : {0.0, 0.25, 1.0}) {
    m.model.config.scoring.search_share = share;
    const ImageResult some = m.score(sizes, 4, 0.5).at(0);
    int searched = 0;
    for (int t = 0; t < tiles; ++t) {
      const double limit = logits[static_cast<std::size_t>(std::lround((1 - share) * (tiles - 1)))];
      const bool search = share == 1 || by_tile[static_cast<std::size_t>(t)] > limit;
      searched += search;
      const auto at = static_cast<std::ptrdiff_t>(t * kSearchTerms);
      if (search) {
        EXPECT_TRUE(std::equal(some.tile_terms.begin() + at, some.tile_terms.begin() + at + kSearchTerms,
                               all.tile_terms.begin() + at));
      }
    }
    EXPECT_EQ(some.steps, searched * 4 + (tiles - searched));
    EXPECT_LE(static_cast<double>(searched) / tiles, share + 0.05);  // fewer where neighbours share their largest
  }
}

// Each pass of the calibration goes through all images, those with drawn defects too, and says what it searches.
TEST(TiledScores, CalibrationSaysWhichPassItIsIn) {
  TiledModel m;
  m.model.config.patch_critic.cascade_loss = 0.5;
  const TempDir dir;
  Dataset data;
  for (const char* name : {"a.pgm", "b.pgm"}) {
    std::string pixels(20 * 24, '\x50');
    for (std::size_t i = 0; i < pixels.size(); i += 7) pixels[i] = static_cast<char>(40 + i % 60);
    std::ofstream(dir / name, std::ios::binary) << "P5 24 20 255\n" << pixels;
    Sample& sample = data.calibration_normal.emplace_back();
    sample.name = name;
    sample.path = dir / name;
  }
  std::map<double, double> done;  // by the share that is searched
  double maps_done = 0;
  calibrate(m.exec, m.model, data, [&](const CalibrationProgress& p) {
    if (p.maps) {
      EXPECT_EQ(p.all, 2u);
      maps_done = p.done;
      return;
    }
    EXPECT_EQ(p.all, 4u);
    EXPECT_GE(p.done, 0);
    EXPECT_LE(p.done, 4);
    done[p.search_share] = p.done;
  });
  ASSERT_TRUE(done.contains(1));
  for (const auto& [share, last] : done) EXPECT_EQ(last, 4) << share;
  EXPECT_EQ(maps_done, 2);
}

// A held-out normal has a region above any threshold below its peak, and none above its peak.
TEST(TiledScores, CalibrationMeasuresWhereRegionsBegin) {
  TiledModel m;
  const TempDir dir;
  Dataset data;
  for (const int i : {0, 1, 2}) {
    std::string pixels;
    for (int k = 0; k < 20 * 24; ++k) pixels += static_cast<char>(40 + (k * (5 + i)) % 90);
    const std::string path = dir / str(i, ".pgm");
    std::ofstream(path, std::ios::binary) << "P5 24 20 255\n" << pixels;
    data.calibration_normal.push_back({str(i), path, -1, "", false, ""});
  }
  calibrate(m.exec, m.model, data);
  const std::vector<double>& peaks = m.model.calibration->normal_map_peaks;
  ASSERT_EQ(peaks.size(), 3u);
  std::size_t place = 0;
  Scorer(m.exec, m.model, m.model.config.scoring)
      .score(data.calibration_normal, data.source, [&](const ScoredImage& image) {
        const double peak = peaks[place++];
        const auto above = [&](double t) {
          return regions_of(m.model, image, m.model.config.scoring.map_sigma, {.threshold = t, .extent = t});
        };
        EXPECT_TRUE(above(peak).empty());
        const std::vector<Region> regions = above(peak - 1e-3);
        ASSERT_EQ(regions.size(), 1u);
        EXPECT_EQ(regions[0].peak, peak);
      });
  EXPECT_EQ(place, 3u);
  EXPECT_EQ(region_threshold_of(*m.model.calibration, 0.3)->value, *std::ranges::max_element(peaks));
}

// Where no defects are drawn known ones alone are what `combined` and the weights of the maps are fitted to.
TEST(TiledScores, CalibrationDrawsDefectsWhereTrainingDid) {
  const TempDir dir;
  const auto write = [&](const std::string& name, const std::function<int(int x, int y)>& value) {
    std::string pixels;
    for (int y = 0; y < 20; ++y)
      for (int x = 0; x < 24; ++x) pixels += static_cast<char>(value(x, y));
    std::ofstream(dir / name, std::ios::binary) << "P5 24 20 255\n" << pixels;
    return std::string(dir / name);
  };
  const auto marked = [](int x, int y) { return x >= 6 && x < 12 && y >= 8 && y < 12; };
  const auto surface = [](int seed) { return [seed](int x, int y) { return 60 + (x * 7 + y * 5 + seed) % 40; }; };
  const auto calibration = [&](bool synthetic, const std::string& mask) {
    TiledModel m;
    m.model.config.data.synthetic_abnormal = synthetic;
    Dataset data;
    for (const int i : {0, 1, 2})
      data.calibration_normal.push_back({str(i), write(str(i, ".pgm"), surface(i)), -1, "", false, ""});
    for (const int i : {3, 4}) {
      const std::string path =
          write(str(i, ".pgm"), [&](int x, int y) { return marked(x, y) ? 250 : surface(i)(x, y); });
      data.calibration_abnormal.push_back({str(i), path, -1, "", true, mask});
    }
    calibrate(m.exec, m.model, data, [&](const CalibrationProgress& p) {
      EXPECT_EQ(p.all, p.maps ? 3u : synthetic ? 8u : 5u);
    });
    return *m.model.calibration;
  };
  const std::string mask = write("mask.pgm", [&](int x, int y) { return marked(x, y) ? 255 : 0; });
  const Calibration known = calibration(false, mask), both = calibration(true, mask), unmarked = calibration(false, "");
  EXPECT_EQ(known.abnormals(), 2u);
  EXPECT_EQ(known.drawn, 0u);
  EXPECT_FALSE(known.map_weights.empty());
  EXPECT_EQ(both.abnormals(), 5u);
  EXPECT_EQ(both.drawn, 3u);
  EXPECT_NE(known.map_weights, both.map_weights);
  EXPECT_TRUE(unmarked.map_weights.empty());
  const auto has_note = [](const Calibration& c, const std::string& text) {
    return std::ranges::any_of(c.notes, [&](const std::string& note) { return note.find(text) != std::string::npos; });
  };
  const std::string none = dir / "none.pgm";
  EXPECT_FALSE(has_note(known, "weights of the maps"));
  EXPECT_TRUE(has_note(calibration(false, none), none));
}

TEST(TiledScores, AbandonedImagesLeaveNothing) {
  TiledModel m;
  ImageQueue queue(m.exec, m.model, m.model.config.scoring, 2);
  queue.add(1, 30, 30, noise(900, 1));
  std::map<std::int64_t, double> shares;
  queue.step([](std::int64_t, const ImageResult&) {});
  queue.progress([&](std::int64_t id, double share, int) { shares[id] = share; });
  EXPECT_TRUE(shares.at(1) > 0 && shares.at(1) < 1) << shares.at(1);
  queue.abandon(1);
  EXPECT_TRUE(queue.empty() && queue.has_room());
  queue.add(2, 16, 16, noise(256, 2));
  int done = 0;
  while (!queue.empty()) queue.step([&](std::int64_t id, const ImageResult&) { done += id == 2; });
  EXPECT_EQ(done, 1);
  EXPECT_THROW(queue.add(3, 16, 16, noise(255, 2)), Error);
}

// With normalised pixels a darker picture of the same surface is the same to the networks; reconstructions come back in
// the image's own units.
TEST(TiledScores, DoNotDependOnBrightnessWhereNormalised) {
  TiledModel m;
  const auto score = [&](std::vector<float> pixels) {
    ImageQueue queue(m.exec, m.model, m.model.config.scoring, 4);
    queue.add(1, 16, 16, std::move(pixels));
    ImageResult result;
    while (!queue.empty()) queue.step([&](std::int64_t, ImageResult r) { result = std::move(r); });
    return result;
  };
  const std::vector<float> bright = noise(16 * 16, 3);
  std::vector<float> dark = bright;
  for (float& v : dark) v = 0.2f * v - 0.25f;
  for (const bool normalised : {false, true}) {
    m.model.preprocessing.normalise = normalised;
    const ImageResult a = score(bright), b = score(dark);
    EXPECT_EQ(a.query, bright);
    EXPECT_EQ(b.query, dark);
    // The term without a search: searches of queries that differ in their last bits begin elsewhere.
    const double change = std::abs(a.terms[kCritic] - b.terms[kCritic]);
    if (!normalised) {
      EXPECT_GT(change, 1e-3);
      continue;
    }
    EXPECT_LT(change, 1e-4);
    const Brightness brightness = brightness_of(dark, 1);
    int compared = 0;
    for (std::size_t i = 0; i < dark.size(); ++i) {
      if (std::abs(b.reconstruction[i]) > 0.999f) continue;  // clamped
      const float difference = std::abs(dark[i] - b.reconstruction[i]) / (kNetworkRange * brightness.spread);
      EXPECT_NEAR(difference, b.residual_map[i], 1e-3);
      ++compared;
    }
    EXPECT_GT(compared, 100);
  }
}

// The path of a GPU's memory and kernels.
TEST(TiledScores, OnTheEmulatedGpu) {
  if (!kEmulation) GTEST_SKIP() << kNoEmulation;
  TiledModel cpu, gpu(1, parse_device("cuda-emulated"));
  const ImageResult expected = cpu.score({{20, 27}}, 4, 0.5).at(0), found = gpu.score({{20, 27}}, 4, 0.5).at(0);
  for (int t = 0; t < kRelativeResidual; ++t)
    EXPECT_NEAR(found.terms[t], expected.terms[t], 1e-3 * (1 + std::abs(expected.terms[t]))) << kScoreNames[t];
}

// The library gives a picture of any size the scores that the program's path gives it, and a map of its own size.
TEST(TiledScores, AreTheLibrarysToo) {
  const TempDir dir;
  TiledModel m;
  m.model.preprocessing.scale = 0.5;
  save_model(dir / "m.safetensors", m.model);
  std::vector<std::uint8_t> grey(61 * 83);
  for (std::size_t i = 0; i < grey.size(); ++i) grey[i] = static_cast<std::uint8_t>(i * i % 251);
  Image image{61, 83, 1, {}};
  for (const std::uint8_t v : grey) image.pixels.push_back(static_cast<float>(v) / 255);
  write_png(dir / "a.png", image);
  std::optional<ScoredImage> scored;
  Scorer(m.exec, m.model, m.model.config.scoring)
      .score({{"a.png", dir / "a.png", -1, "", false, ""}}, ImageSource(),
             [&](ScoredImage s) { scored = std::move(s); });
  ASSERT_TRUE(scored);
  EXPECT_EQ(scored->error, "");
  EXPECT_EQ(std::pair(scored->rows, scored->columns), std::pair(31, 42));
  InspectorOptions options;
  options.device = "cpu";
  options.threads = 1;
  Inspector inspector(dir / "m.safetensors", options);
  inspector.warm_up();
  const Result r = inspector.inspect({grey.data(), 61, 83, 1});
  for (int t = 0; t < kRelativeResidual; ++t) EXPECT_EQ(r.score(kScoreNames[t]), scored->terms[t]) << kScoreNames[t];
  EXPECT_EQ(r.map, map_in_image(anomaly_map(m.model, *scored, 1).values, *scored, 61, 83, m.model.preprocessing));
  EXPECT_EQ(r.map.size(), grey.size());
}

// What the borders of normal images are odder by is subtracted there, and only there.
TEST(PatchCriticMap, BordersAreMeasuredByNormalImages) {
  TiledModel m;
  BorderOdds odds;
  PatchJudgement normal{20, 16, std::vector<float>(20 * 16, -2.f), 0, 0};
  for (int column = 0; column < 16; ++column) normal.logits[static_cast<std::size_t>(column)] = 1;  // the uppermost row
  for (int row = 1; row < 19; ++row) normal.logits[static_cast<std::size_t>(row * 16 + 1)] = -4;    // less odd
  EXPECT_TRUE(odds.finish().empty());
  odds.add(normal);
  const std::vector<float> ratios = odds.finish();
  ASSERT_EQ(ratios.size(), 6u);
  const double border = (16 * std::exp(1.0) + 52 * std::exp(-2.0)) / 68;  // 68 cells lie at the border
  EXPECT_NEAR(ratios[0], std::log(border) + 2, 1e-5);
  for (std::size_t i = 1; i < 6; ++i) EXPECT_NEAR(ratios[i], 0, 1e-12) << i;
  EXPECT_GE(*std::ranges::min_element(ratios), 0);
  const std::vector<float> image = noise(40 * 60, 1), one = {0.5f, 0.25f};
  const PatchJudgement before = judge_patches(m.exec, m.model.patch_critics, {}, image, 40, 60, 1),
                       after = judge_patches(m.exec, m.model.patch_critics, one, image, 40, 60, 1);
  for (int row = 0; row < 10; ++row)
    for (int column = 0; column < 15; ++column) {
      const auto at = static_cast<std::size_t>(row * 15 + column);
      const int from = std::min({row, column, 9 - row, 14 - column});
      EXPECT_FLOAT_EQ(before.logits[at] - after.logits[at], from == 0 ? 0.5f : from == 1 ? 0.25f : 0.f);
    }
  EXPECT_LT(after.odds, before.odds);
}

// What makes the moments lies at 0 and has a spread of 1, whatever the channels' own scales; a difference shows where
// it is, at D's every size.
TEST(FeatureMaps, AreStandardisedAndInTheirPlace) {
  TiledModel m;
  std::vector<SearchResult> pairs;
  for (unsigned seed = 0; seed < 8; ++seed) pairs.push_back(pair_of(noise(256, seed), noise(256, seed + 100)));
  FeatureComparison features(m.exec, m.model);
  FeatureMomentsOf moments;
  for (const auto& tile : features.differences(pairs)) moments.add(tile);
  m.model.features = moments.finish();
  ASSERT_EQ(m.model.features.mean.size(), 2u);  // 16x16 and 8x8
  const std::vector<std::vector<float>> maps = features.maps(pairs);
  double sum = 0;
  for (const auto& map : maps)
    for (const float v : map) sum += v / (8 * 256);
  EXPECT_NEAR(sum, 0, 0.02);
  EXPECT_EQ(features.maps(std::span(pairs).subspan(3, 1))[0], maps[3]);  // whatever its company
  const std::vector<float> image = noise(256, 5);
  std::vector<float> spot = image;
  for (int y = 10; y < 13; ++y)
    for (int x = 2; x < 5; ++x) spot[static_cast<std::size_t>(y * 16 + x)] += 3;
  const SearchResult two[] = {pair_of(image, image), pair_of(image, spot)};
  const std::vector<std::vector<float>> both = features.maps(two);
  const std::vector<float>&same = both[0], &map = both[1];
  const auto largest = static_cast<int>(std::ranges::max_element(map) - map.begin());
  EXPECT_NEAR(largest / 16, 11, 2);
  EXPECT_NEAR(largest % 16, 3, 2);
  EXPECT_NEAR(map[15], same[15], 1e-5);  // the far corner
  EXPECT_LT(*std::ranges::max_element(same), 0);
}

// Of a tile that was only evaluated the search has asked D anyway: alone, or beside one that moves.
TEST(FeatureMaps, OfEvaluatedTilesAreTheSearchs) {
  TiledModel m;
  SearchQueue queue(m.exec, m.model, m.model.config.scoring, 3);
  constexpr std::int64_t kSearched = 3;
  std::set<std::int64_t> ended;
  const auto take_step = [&] {
    queue.step([&](std::int64_t id, SearchResult found) {
      ended.insert(id);
      EXPECT_EQ(found.features.size(), id == kSearched ? 0u : 2u) << id;
      const SearchResult bare[] = {pair_of(found.query, found.reconstruction)};
      FeatureComparison features(m.exec, m.model);
      EXPECT_EQ(features.maps({&found, 1}), features.maps(bare)) << id;
    });
  };
  const auto add = [&](std::int64_t id) { queue.add(id, noise(256, static_cast<unsigned>(id)), id == kSearched); };
  for (const auto& ids : std::vector<std::vector<std::int64_t>>{{0, 1}, {2, kSearched, 4}, {5, 6}}) {
    for (const std::int64_t id : ids) add(id);
    take_step();
  }
  EXPECT_EQ(ended, (std::set<std::int64_t>{0, 1, 2, 4, 5, 6}));
  while (!queue.empty()) take_step();
  EXPECT_TRUE(ended.contains(kSearched));
}

// The left part of the image, in which no tile but the first column's lies whole.
TEST(TiledScores, WhatIsIgnoredNeverCounts) {
  TiledModel m;
  const int height = 40, width = 56, side = 24;
  const ImageResult all = m.score({{height, width}}, 4, 0.5).at(0);
  IgnoreMask mask{height, width, std::vector<std::uint8_t>(static_cast<std::size_t>(height * width))};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < side; ++x) mask.pixels[static_cast<std::size_t>(y * width + x)] = 1;
  m.model.ignore = std::make_shared<const IgnoreMask>(mask);
  const ImageResult some = m.score({{height, width}}, 4, 0.5).at(0);
  const float lowest = *std::ranges::min_element(some.critic_map);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const auto at = static_cast<std::size_t>(y * width + x);
      if (x < side) {
        EXPECT_EQ(some.residual_map[at], 0);
        EXPECT_LE(some.feature_map[at], *std::ranges::min_element(all.feature_map));
        EXPECT_LE(some.critic_map[at], lowest + 1e-5f);
      } else {
        EXPECT_EQ(some.residual_map[at], all.residual_map[at]);
        EXPECT_EQ(some.feature_map[at], all.feature_map[at]);
      }
      if (x < side + 8) continue;  // two cells of 4 pixels
      EXPECT_EQ(some.critic_map[at], all.critic_map[at]) << x;
    }
  EXPECT_LT(some.tile_terms.size(), all.tile_terms.size());
  for (std::size_t i = 0; i < some.tile_terms.size(); ++i)
    EXPECT_TRUE(std::ranges::find(all.tile_terms, some.tile_terms[i]) != all.tile_terms.end());
  ScoredImage image;
  static_cast<ImageResult&>(image) = some;
  image.height = height;
  image.width = width;
  const auto regions = regions_of(m.model, image, 1, {.threshold = -1e9, .extent = -1e9});
  ASSERT_FALSE(regions.empty());
  for (const Region& region : regions) EXPECT_GE(region.left, side);
}

// However large the image around a defect is: the mean is one over 32x32 cells.
TEST(PatchCriticMap, OddsAreThoseOfTheWorstSquare) {
  TiledModel m;
  for (const auto& [height, width] : {std::pair(160, 180), std::pair(40, 300), std::pair(60, 40)}) {
    const PatchJudgement j =
        judge_patches(m.exec, m.model.patch_critics, {}, noise(height * width, 2), height, width, 1);
    const int rows = std::min(j.rows, 32), columns = std::min(j.columns, 32);
    double largest = 0;
    for (int top = 0; top + rows <= j.rows; ++top)
      for (int left = 0; left + columns <= j.columns; ++left) {
        double sum = 0;
        for (int row = top; row < top + rows; ++row)
          for (int column = left; column < left + columns; ++column)
            sum += std::exp(j.logits[static_cast<std::size_t>(row * j.columns + column)]);
        largest = std::max(largest, sum / (rows * columns));
      }
    EXPECT_NEAR(j.odds, std::log(largest), 1e-6) << height << "x" << width;
  }
}

// Windows of a large image judge as one pass over all of it does.
TEST(PatchCriticMap, WindowsDoNotShow) {
  TiledModel m;
  const int height = 70, width = 1100;  // three windows wide
  const std::vector<float> image = noise(static_cast<std::size_t>(height * width), 5);
  const PatchJudgement whole = judge_patches(m.exec, m.model.patch_critics, {}, image, height, width, 1);
  EXPECT_EQ(whole.rows, 18);
  EXPECT_EQ(whole.columns, 275);
  // The middle, far from the borders of the second image's own, is the same whatever lies beyond reach. The brightness
  // of both is made one by equal percentiles: the part is repeated.
  std::vector<float> twice(static_cast<std::size_t>(height * 2 * width));
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < 2 * width; ++x)
      twice[static_cast<std::size_t>(y * 2 * width + x)] =
          image[static_cast<std::size_t>(y * width + (x < width ? x : 2 * width - 1 - x))];
  const PatchJudgement longer = judge_patches(m.exec, m.model.patch_critics, {}, twice, height, 2 * width, 1);
  for (int row = 0; row < whole.rows; ++row)
    for (int column = 0; column < 240; ++column)
      EXPECT_NEAR(whole.logits[static_cast<std::size_t>(row * whole.columns + column)],
                  longer.logits[static_cast<std::size_t>(row * longer.columns + column)], 2e-3)
          << row << " " << column;
  const std::vector<float> map = whole.map(height, width, m.model.patch_critics[0]->cell());
  EXPECT_EQ(map.size(), image.size());
}

TEST(TiledCalibration, ChoosesHowManyTilesCount) {
  // Normal tiles about 0; a defect shows in twelve of an image's twenty.
  std::mt19937 rng(4);
  std::normal_distribution<double> normal;
  const auto image = [&](int defects) {
    std::vector<double> terms;
    for (int i = 0; i < 20; ++i)
      for (int t = 0; t < kSearchTerms; ++t) terms.push_back(5 + normal(rng) + (i < defects ? 2.5 : 0));
    return terms;
  };
  std::vector<std::vector<double>> normals, abnormals;
  for (int i = 0; i < 200; ++i) normals.push_back(image(0));
  for (int i = 0; i < 200; ++i) abnormals.push_back(image(12));
  EXPECT_GE(choose_top_tiles(normals, abnormals, 0.5), 3);
  EXPECT_LE(choose_top_tiles(normals, {}, 0.5), 4);
  EXPECT_EQ(mean_of_largest(std::vector<double>{3, 1, 2}, 2), 2.5);
  EXPECT_EQ(mean_of_largest(std::vector<double>{3, 1, 2}, 9), 2);
}

// A model with tiles survives its file: terms that it does not have, too.
TEST(TiledModel, RoundTripsThroughItsFile) {
  const TempDir dir;
  TiledModel m;
  Calibration c;
  for (int i = 0; i < 6; ++i)
    for (int t = 0; t < kTermCount; ++t) c.normal_terms.push_back(t == kPatchArea ? std::nan("") : 0.125f * (i + t));
  c.abnormal_terms = c.normal_terms;
  for (double& v : c.abnormal_terms) v += 1;
  c.drawn = 2;
  c.map_mean = {0.25f};
  c.map_spread = {0.5f};
  c.critic_map_mean = -2;
  c.critic_map_spread = 1.5;
  c.feature_map_mean = 0.75;
  c.map_weights = {0, 0.5, 1.5};
  m.model.border_odds = {0.5f, 0};
  fit_combined(c);
  m.model.calibration = c;
  m.model.patch_critics.push_back(std::make_shared<PatchCritic>(m.exec, m.model.config.patch_critic, 2, 4, 1));
  save_model(dir / "m.safetensors", m.model);
  const Model back = load_model(m.exec, dir / "m.safetensors");
  EXPECT_EQ(back.preprocessing, m.model.preprocessing);
  EXPECT_EQ(back.top_tiles, 3);
  ASSERT_TRUE(back.calibration && back.patch_critics.size() == 2);
  EXPECT_FALSE(back.calibration->has(kPatchArea));
  EXPECT_TRUE(back.calibration->has(kPatchCritic));
  EXPECT_EQ(back.calibration->drawn, 2u);
  EXPECT_EQ(back.calibration->critic_map_spread, 1.5);
  EXPECT_EQ(back.calibration->feature_map_mean, 0.75);
  EXPECT_EQ(back.calibration->map_weights, c.map_weights);
  EXPECT_EQ(back.border_odds, m.model.border_odds);
  EXPECT_EQ(back.features.mean, m.model.features.mean);
  EXPECT_EQ(back.features.spread, m.model.features.spread);
  ASSERT_EQ(back.calibration->normal_terms.size(), c.normal_terms.size());
  for (std::size_t i = 0; i < c.normal_terms.size(); ++i)
    EXPECT_TRUE(back.calibration->normal_terms[i] == c.normal_terms[i] ||
                (std::isnan(back.calibration->normal_terms[i]) && std::isnan(c.normal_terms[i])));
  const double terms[kTermCount] = {1, 2, 3, 4, 5, 6, 7, 8, std::nan("")};
  EXPECT_EQ(combined_score(*back.calibration, terms), combined_score(c, terms));
  const HistoryScope off(false);
  const Var x(m.exec, m.exec.from<float>(noise(16 * 16 * 2, 1), {1, 16, 16, 2}));
  for (const int i : {0, 1})
    EXPECT_EQ(m.exec.read<float>(back.patch_critics[i]->forward(x).value()),
              m.exec.read<float>(m.model.patch_critics[i]->forward(x).value()));
}

}  // namespace
}  // namespace pgad::test
