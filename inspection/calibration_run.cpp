// calibrate(): the held-out images are gone through, and what calibration.cpp makes of numbers is measured.

#include <algorithm>
#include <cmath>
#include <map>

#include "images/defects.h"
#include "images/loader.h"
#include "images/surface.h"
#include "inspection/anomaly_map.h"
#include "inspection/calibration.h"
#include "inspection/feature_maps.h"
#include "inspection/patch_critic_map.h"
#include "inspection/regions.h"

namespace pgad {
namespace {

constexpr std::int64_t kFeatureTiles = 8;  // of an image, whose features' moments are taken

constexpr std::size_t kQuantiles = 1001;  // of the patch critic's logits in tiles

constexpr double kShares[] = {0, 0.02, 0.05, 0.1, 0.2, 0.5};  // of tiles searched, that the cascade is tried with

constexpr int kMapPixels = 500;                           // of each class and image, that map weights come from
constexpr std::uint64_t kMapStream = 0x6d61707300000000;  // of random numbers, for these pixels

constexpr std::uint64_t kDrawnStream = 0x647261776e000000;  // of random numbers, for defects that are drawn

// One term of all tiles of an image.
std::vector<double> term_of(const std::vector<double>& tile_terms, int term) {
  std::vector<double> values;
  for (std::size_t i = static_cast<std::size_t>(term); i < tile_terms.size(); i += kSearchTerms)
    values.push_back(tile_terms[i]);
  return values;
}

std::vector<float> border_odds_of(Exec& exec, const Model& model, const std::vector<Sample>& normal,
                                  const ImageSource& source) {
  const Preprocessing& p = model.preprocessing;
  BorderOdds odds;
  Loader loader(normal, source, p, {exec.threads(), 2});
  while (const auto item = loader.next())
    if (item->error.empty())
      odds.add(judge_patches(exec, model.patch_critics, {}, item->pixels, item->rows, item->columns, p.channels,
                             ignored_places(model, item->rows, item->columns)));
  return odds.finish();
}

// Of the patch critic's largest logit in each tile of these images.
std::vector<float> quantiles_of_tiles(Exec& exec, const Model& model, const std::vector<Sample>& normal,
                                      const ImageSource& source) {
  const Preprocessing& p = model.preprocessing;
  std::vector<float> logits;
  Loader loader(normal, source, p, {exec.threads(), 2});
  while (const auto item = loader.next()) {
    if (!item->error.empty()) continue;
    const TileGrid grid(item->rows, item->columns, p.resolution, tile_stride(p.resolution, model.config.scoring));
    const std::vector<float> map =
        judge_patches(exec, model.patch_critics, model.border_odds, item->pixels, item->rows, item->columns, p.channels,
                      ignored_places(model, item->rows, item->columns))
            .map(item->rows, item->columns, model.patch_critics[0]->cell());
    const std::vector<float> tiles = tile_logits(grid, map);
    logits.insert(logits.end(), tiles.begin(), tiles.end());
  }
  std::ranges::sort(logits);
  std::vector<float> quantiles;
  for (std::size_t i = 0; i < kQuantiles && !logits.empty(); ++i)
    quantiles.push_back(logits[i * (logits.size() - 1) / (kQuantiles - 1)]);
  return quantiles;
}

// Of some tiles of each of these images.
FeatureMoments moments_of_features(Exec& exec, const Model& model, const std::vector<Sample>& normal,
                                   const ImageSource& source) {
  const Preprocessing& p = model.preprocessing;
  FeatureMomentsOf moments;
  FeatureComparison features(exec, model);
  SearchQueue queue(exec, model, model.config.scoring, model.config.scoring.batch);
  const auto step = [&] {
    std::vector<SearchResult> ended;
    queue.step([&](std::int64_t, SearchResult tile) { ended.push_back(std::move(tile)); });
    for (const auto& tile : features.differences(ended)) moments.add(tile);
  };
  std::vector<float> tile;
  Loader loader(normal, source, p, {exec.threads(), 2});
  std::int64_t id = 0;
  while (const auto item = loader.next()) {
    if (!item->error.empty()) continue;
    const TileGrid grid(item->rows, item->columns, p.resolution, tile_stride(p.resolution, model.config.scoring));
    const Brightness brightness = brightness_of(item->pixels, p.channels);
    const std::int64_t count = std::min<std::int64_t>(grid.size(), kFeatureTiles);
    for (std::int64_t i = 0; i < count; ++i) {
      cut_tile(p, grid, item->pixels, brightness, i * grid.size() / count, tile);
      while (!queue.has_room()) step();
      queue.add(++id, tile);
    }
  }
  while (!queue.empty()) step();
  return moments.finish();
}

// Where the drawn defect is, [rows, columns].
using Mask = std::vector<std::uint8_t>;

// Each of these normal images with a synthetic defect drawn somewhere into it.
void score_drawn_defects(Exec& exec, const Model& model, const std::vector<Sample>& normal, const ImageSource& source,
                         const std::function<void(const ImageResult&, const Mask&)>& sink) {
  const Preprocessing& p = model.preprocessing;
  const int side = p.resolution, channels = p.channels;
  Loader loader(normal, source, p, {exec.threads(), 2});
  ImageQueue queue(exec, model, model.config.scoring, model.config.scoring.batch, /*pictures=*/false);
  SurfaceCrop foreign;
  std::map<std::int64_t, Mask> masks;  // of images under way
  const auto draw_into = [&](Loader::Item& image) {
    Rng rng(model.config.scoring.seed, kDrawnStream + static_cast<std::uint64_t>(image.index));
    const Brightness brightness = brightness_of(image.pixels, channels);
    auto [top, left, crop] = random_square(image.pixels, image.rows, image.columns, channels, side,
                                           model.config.patch_critic.on_objects ? kPlaces : 1, rng);
    to_units_of(brightness, crop.pixels);
    const SurfaceCrop before = crop;
    draw_synthetic_defect(foreign.side > 0 ? foreign : before, rng, crop);
    foreign = before;
    from_units_of(brightness, crop.pixels);
    Mask& mask = masks[image.index];
    mask.resize(static_cast<std::size_t>(image.rows) * static_cast<std::size_t>(image.columns));
    const std::vector<std::uint8_t> ignored = ignored_places(model, image.rows, image.columns);
    for (int y = 0; y < side && top + y < image.rows; ++y)
      for (int x = 0; x < side && left + x < image.columns; ++x) {
        const auto to = static_cast<std::size_t>(std::int64_t{top + y} * image.columns + left + x),
                   from = static_cast<std::size_t>(y * side + x), c = static_cast<std::size_t>(channels);
        if (!ignored.empty() && ignored[to] != 0) continue;
        mask[to] = crop.mask[from];
        for (std::size_t k = 0; k < c; ++k) image.pixels[to * c + k] = crop.pixels[from * c + k];
      }
  };
  const auto done = [&](std::int64_t index, const ImageResult& image) {
    const auto mask = masks.extract(index);
    if (image.finite()) sink(image, mask.mapped());
  };
  bool more = true;
  while (more || !queue.empty()) {
    while (more && queue.has_room()) {
      auto item = loader.next();
      more = item.has_value();
      if (!more || !item->error.empty()) continue;
      draw_into(*item);
      // All of it may lie where nothing counts.
      if (std::ranges::count(masks[item->index], 0) == std::ssize(masks[item->index])) {
        masks.erase(item->index);
        continue;
      }
      queue.add(item->index, item->rows, item->columns, std::move(item->pixels));
    }
    queue.step(done);
  }
}

// The values of a map that are not ignored.
std::vector<float> counting(const std::vector<float>& map, const std::vector<std::uint8_t>& ignored) {
  if (ignored.empty()) return map;
  std::vector<float> values;
  for (std::size_t i = 0; i < map.size(); ++i)
    if (ignored[i] == 0) values.push_back(map[i]);
  return values;
}

// By what weights the maps of an image tell the marked pixels from the others: a logistic fit to some of each.
class MapFit {
 public:
  explicit MapFit(double sigma) : sigma_(sigma) {}
  // ignored: of ignored_places().
  void add(const Calibration& c, const ImageResult& image, const Mask& mask, const std::vector<std::uint8_t>& ignored) {
    const auto maps = standardised_maps(c, image, sigma_);
    Rng rng(images_++, kMapStream);
    PGAD_CHECK(mask.size() == image.critic_map.size(), mask.size(), " pixels of a mask, ", image.critic_map.size());
    std::array<std::vector<std::size_t>, 2> places;
    for (std::size_t i = 0; i < mask.size(); ++i)
      if (ignored.empty() || ignored[i] == 0) places[mask[i] != 0 ? 1 : 0].push_back(i);
    for (const std::uint8_t label : {0, 1}) {
      std::vector<std::size_t>& all = places[label];
      for (int n = 0; n < kMapPixels && !all.empty(); ++n) {
        const std::size_t at = all[rng.below(static_cast<std::uint32_t>(all.size()))];
        for (const auto& map : maps) values_.push_back(map.empty() ? 0 : map[at]);
        labels_.push_back(label);
      }
    }
  }
  // Empty where there is nothing to learn from, or no map tells anything.
  std::vector<double> weights() const {
    if (std::ranges::count(labels_, 1) == 0 || std::ranges::count(labels_, 0) == 0) return {};
    std::vector<double> weights = fit_logistic(values_, labels_, kMapParts).weights;
    if (std::ranges::all_of(weights, [](double w) { return w <= 0; })) weights.clear();
    return weights;
  }

 private:
  double sigma_;
  std::uint64_t images_ = 0;
  std::vector<double> values_;  // [pixels, kMapParts]
  std::vector<std::uint8_t> labels_;
};

// Whether patch critics, which learn from drawn defects too, are calibrated on some.
bool draws_defects(const Model& model, const Dataset& data) {
  return !model.patch_critics.empty() && (model.config.data.synthetic_abnormal || data.calibration_abnormal.empty());
}

// The held-out images, and perhaps the normal ones again, with defects drawn into them.
std::size_t images_of_pass(const Model& model, const Dataset& data, Weights weights) {
  const std::size_t normal = data.calibration_normal.size();
  if (weights == Weights::kKept) return normal;
  return normal + data.calibration_abnormal.size() + (draws_defects(model, data) ? normal : 0);
}

// Raw terms of the held-out images at the model's scoring options, and the fit to them; sets model.calibration and
// top_tiles. Needs all else that calibrate() sets.
void calibrate_scores(Exec& exec, Model& model, const Dataset& data,
                      const std::function<void(const CalibrationProgress&)>& on_progress, Weights weights) {
  const auto& normal = data.calibration_normal;
  const std::size_t all = images_of_pass(model, data, weights);
  const bool fits = weights == Weights::kFitted;
  const int kept_tiles = model.top_tiles;
  const double share = model.config.scoring.search_share;
  const bool tiles = model.preprocessing.tiles;
  model.top_tiles = 1;
  Scorer scorer(exec, model, model.config.scoring, /*pictures=*/false);
  Calibration c;
  MapMoments moments(tiles), critic_moments(/*tiles=*/true), feature_moments(/*tiles=*/true);
  using TileTerms = std::vector<std::vector<double>>;
  TileTerms normal_tiles, abnormal_tiles;
  const auto collect = [&](const std::vector<Sample>& samples, std::vector<double>& terms, TileTerms& tile_terms,
                           const std::function<void(const ScoredImage&)>& see_maps, std::size_t before) {
    scorer.score(
        samples, data.source,
        [&](const ScoredImage& image) {
          if (!image.error.empty()) return;
          // As float32, the precision of the model file: calibration must be the same before and after saving.
          for (const double t : image.terms) terms.push_back(static_cast<float>(t));
          if (tiles) tile_terms.push_back(image.tile_terms);
          see_maps(image);
        },
        [&](const ScoringProgress& p) {
          if (!on_progress) return;
          std::optional<double> left = p.seconds_left;
          if (left) *left += *p.seconds_per_image * static_cast<double>(all - before - samples.size() + normal.size());
          on_progress({share, static_cast<double>(before) + p.done, all, left});
        });
  };
  const auto measure = [&](const ScoredImage& image) {
    const std::vector<std::uint8_t> ignored = ignored_places(model, image.rows, image.columns);
    moments.add(tiles ? counting(image.residual_map, ignored) : image.residual_map);
    critic_moments.add(counting(image.critic_map, ignored));
    feature_moments.add(counting(image.feature_map, ignored));
  };
  collect(normal, c.normal_terms, normal_tiles, measure, 0);
  moments.store(c);
  critic_moments.store(c.critic_map_mean, c.critic_map_spread);
  feature_moments.store(c.feature_map_mean, c.feature_map_spread);
  MapFit fit(model.config.scoring.map_sigma);
  const bool draws = fits && draws_defects(model, data);
  std::vector<std::string> notes;
  // Where nothing is drawn the maps' weights come from what is marked on known defects.
  const auto learn = [&](const ScoredImage& image) {
    if (draws || model.patch_critics.empty() || image.sample.mask_path.empty()) return;
    try {
      TrainingImages one({image.sample}, data.source, model.preprocessing, {.threads = 1, .strict = true});
      fit.add(c, image, one.whole(0).mask, ignored_places(model, image.rows, image.columns));
    } catch (const Error& e) {
      notes.push_back(str("no part in the weights of the maps: ", e.what()));
    }
  };
  if (fits) collect(data.calibration_abnormal, c.abnormal_terms, abnormal_tiles, learn, normal.size());
  if (draws) {
    score_drawn_defects(exec, model, normal, data.source, [&](const ImageResult& image, const Mask& mask) {
      fit.add(c, image, mask, ignored_places(model, image.rows, image.columns));
      for (const double t : image.terms) c.abnormal_terms.push_back(static_cast<float>(t));
      abnormal_tiles.push_back(image.tile_terms);
      ++c.drawn;
      if (on_progress) on_progress({share, static_cast<double>(all - normal.size() + c.drawn), all, std::nullopt});
    });
  }
  c.map_weights = fits ? fit.weights() : model.calibration->map_weights;
  if (tiles) {
    model.top_tiles =
        fits ? choose_top_tiles(normal_tiles, abnormal_tiles, model.config.scoring.tile_overlap) : kept_tiles;
    for (const auto& [terms, images] :
         {std::pair(&c.normal_terms, &normal_tiles), std::pair(&c.abnormal_terms, &abnormal_tiles)})
      for (std::size_t i = 0; i < images->size(); ++i)
        for (int t = 0; t < kSearchTerms; ++t)
          (*terms)[i * kTermCount + static_cast<std::size_t>(t)] =
              static_cast<float>(mean_of_largest(term_of((*images)[i], t), model.top_tiles));
  }
  if (fits)
    fit_combined(c);
  else
    keep_weights(c, *model.calibration);
  c.notes.insert(c.notes.end(), notes.begin(), notes.end());
  model.calibration = std::move(c);
}

// Where the anomaly map of each normal is highest, by the maps' weights that calibrate_scores() has found. A pass of
// its own, since the maps of all images together may not fit into memory.
void measure_map_peaks(Exec& exec, Model& model, const Dataset& data,
                       const std::function<void(const CalibrationProgress&)>& on_progress) {
  const ScoringConfig& scoring = model.config.scoring;
  std::vector<double> peaks;
  Scorer(exec, model, scoring, /*pictures=*/false)
      .score(
          data.calibration_normal, data.source,
          [&](const ScoredImage& image) {
            if (!image.error.empty()) return;
            const std::vector<float> map = whole_map(model, image, scoring.map_sigma);
            peaks.push_back(*std::ranges::max_element(map));
          },
          [&](const ScoringProgress& p) {
            if (on_progress)
              on_progress({scoring.search_share, p.done, data.calibration_normal.size(), p.seconds_left, true});
          });
  model.calibration->normal_map_peaks = std::move(peaks);
}

// Of the held-out abnormals, which lie above the threshold.
std::vector<char> detections(const Model& model) {
  const Calibration& c = *model.calibration;
  const double threshold = threshold_of(c, kCombined, model.config.scoring.false_reject_rate).value;
  std::vector<char> above;
  for (std::size_t i = 0; i < c.abnormals(); ++i)
    above.push_back(combined_score(c, &c.abnormal_terms[i * kTermCount]) > threshold);
  return above;
}

// calibrate_scores() with rising shares of searched tiles, until few enough detections are lost.
Cascade choose_search_share(Exec& exec, Model& model, const Dataset& data,
                            const std::function<void(const CalibrationProgress&)>& on_progress) {
  const double may_lose = model.config.patch_critic.cascade_loss;
  double& share = model.config.scoring.search_share;
  share = 1;
  calibrate_scores(exec, model, data, on_progress, Weights::kFitted);
  const std::vector<char> found = detections(model);
  Cascade cascade{1, std::ranges::count(found, 1), 0};
  if (cascade.detections == 0) return cascade;
  const std::optional<Calibration> of_all = model.calibration;
  const int tiles_of_all = model.top_tiles;
  for (const double smaller : kShares) {
    share = smaller;
    calibrate_scores(exec, model, data, on_progress, Weights::kFitted);
    const std::vector<char> now = detections(model);
    std::ptrdiff_t lost = 0;
    for (std::size_t i = 0; i < found.size(); ++i) lost += found[i] != 0 && now[i] == 0;
    if (static_cast<double>(lost) <= may_lose * static_cast<double>(cascade.detections)) {
      cascade.share = smaller;
      cascade.lost = lost;
      return cascade;
    }
  }
  share = 1;
  model.calibration = of_all;
  model.top_tiles = tiles_of_all;
  return cascade;
}

}  // namespace

std::optional<Cascade> calibrate(Exec& exec, Model& model, const Dataset& data,
                                 const std::function<void(const CalibrationProgress&)>& on_progress, Weights weights) {
  PGAD_CHECK(weights == Weights::kFitted || model.calibration, "no weights to keep");
  const auto& normal = data.calibration_normal;
  if (normal.empty())
    throw Error("no normal images are held out for calibration: raise --calibration-fraction or give more images");
  model.normal_critic = Scorer(exec, model, model.config.scoring).mean_critic(normal, data.source, [&] {
    if (on_progress)
      on_progress({model.config.scoring.search_share, 0, images_of_pass(model, data, weights), std::nullopt});
  });
  if (!model.patch_critics.empty()) {
    model.border_odds = border_odds_of(exec, model, normal, data.source);
    model.tile_quantiles = quantiles_of_tiles(exec, model, normal, data.source);
  }
  model.features = model.preprocessing.tiles ? moments_of_features(exec, model, normal, data.source) : FeatureMoments();
  std::optional<Cascade> cascade;
  if (model.patch_critics.empty() || model.config.patch_critic.cascade_loss <= 0 || weights == Weights::kKept)
    calibrate_scores(exec, model, data, on_progress, weights);
  else
    cascade = choose_search_share(exec, model, data, on_progress);
  measure_map_peaks(exec, model, data, on_progress);
  return cascade;
}

int choose_top_tiles(const std::vector<std::vector<double>>& normals, const std::vector<std::vector<double>>& abnormals,
                     double overlap) {
  // Of an image's tiles so many show a defect in one place.
  const double seen = std::max(1.0, std::floor(std::pow(1 / (1 - overlap), 2)));
  int best = 1;
  double best_merit = -1;
  for (const int count : {1, 2, 3, 4, 6, 8, 12, 16}) {
    double merit = 0;
    for (const ScoreIndex t : {kResidual, kFeature, kLatentCritic, kCritic}) {
      std::vector<double> values;
      for (const auto* images : {&normals, &abnormals})
        for (const auto& image : *images) values.push_back(mean_of_largest(term_of(image, t), count));
      if (!abnormals.empty()) {
        std::vector<std::uint8_t> labels(normals.size(), 0);
        labels.resize(values.size(), 1);
        merit += std::max(0.5, auroc(values, labels));
      } else {
        double mean = 0, square = 0;
        for (const double v : values) mean += v / static_cast<double>(values.size());
        for (const double v : values) square += (v - mean) * (v - mean) / static_cast<double>(values.size());
        merit += std::min(1.0, seen / count) * std::abs(mean) / std::sqrt(square + 1e-12);
      }
    }
    if (merit > best_merit) {
      best = count;
      best_merit = merit;
    }
  }
  return best;
}

}  // namespace pgad
