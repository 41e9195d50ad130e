#include "inspection/image_queue.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "images/gaussian_blur.h"
#include "images/preprocess.h"
#include "inspection/patch_critic_map.h"

namespace pgad {
namespace {

// The share of an image's pixels above its `peak`.
constexpr double kPeakShare = 0.001;

std::size_t numel(int rows, int columns) { return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns); }

double peak_of(std::vector<float> map, int rows, int columns, double sigma) {
  map = gaussian_blur(map, rows, columns, sigma);
  const auto above = static_cast<std::ptrdiff_t>(kPeakShare * static_cast<double>(map.size()));
  const auto at = map.end() - 1 - above;
  std::ranges::nth_element(map, at);
  return *at;
}

}  // namespace

bool ImageResult::finite() const {
  return std::ranges::all_of(std::span(terms).first(kSearchTerms), [](double t) { return std::isfinite(t); }) &&
         std::ranges::none_of(terms, [](double t) { return std::isinf(t); });
}

int tile_stride(int side, const ScoringConfig& scoring) {
  return std::max(1, static_cast<int>(std::lround(side * (1 - scoring.tile_overlap))));
}

std::vector<float> tile_logits(const TileGrid& grid, std::span<const float> critic_map) {
  std::vector<float> largest;
  for (std::int64_t tile = 0; tile < grid.size(); ++tile) {
    float most = -std::numeric_limits<float>::infinity();
    for (int y = grid.top(tile); y < std::min(grid.height(), grid.top(tile) + grid.side()); ++y)
      for (int x = grid.left(tile); x < std::min(grid.width(), grid.left(tile) + grid.side()); ++x)
        most = std::max(most, critic_map[static_cast<std::size_t>(y) * static_cast<std::size_t>(grid.width()) +
                                         static_cast<std::size_t>(x)]);
    largest.push_back(most);
  }
  return largest;
}

void cut_tile(const Preprocessing& p, const TileGrid& grid, std::span<const float> pixels, const Brightness& brightness,
              std::int64_t tile, std::vector<float>& out) {
  out.resize(numel(p.resolution, p.resolution) * static_cast<std::size_t>(p.channels));
  grid.cut(pixels, p.channels, tile, out);
  if (p.normalise) normalise(brightness, out);
}

int slots_for(std::int64_t images, int batch, bool tiles) {
  int slots = tiles ? batch : 1;
  while (slots < images && slots < batch) slots = std::min(4 * slots, batch);
  return slots;
}

std::vector<std::uint8_t> ignored_places(const Model& model, int rows, int columns) {
  return model.ignore ? model.ignore->preprocessed(model.preprocessing, rows, columns) : std::vector<std::uint8_t>();
}

double mean_of_largest(std::span<const double> values, int count) {
  std::vector<double> sorted(values.begin(), values.end());
  const auto n = std::min(sorted.size(), static_cast<std::size_t>(count));
  std::ranges::partial_sort(sorted, sorted.begin() + static_cast<std::ptrdiff_t>(n), std::greater());
  return std::accumulate(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(n), 0.0) / static_cast<double>(n);
}

ImageQueue::Image::Image(std::int64_t number, int rows, int columns, std::vector<float> values, int side, int stride)
    : id(number), pixels(std::move(values)), grid(rows, columns, side, stride) {
  std::ranges::fill(result.terms, std::nan(""));
}

ImageQueue::ImageQueue(Exec& exec, const Model& model, const ScoringConfig& scoring, int slots, bool pictures)
    : exec_(exec),
      model_(model),
      scoring_(scoring),
      pictures_(pictures),
      queue_(exec, model, scoring, slots),
      features_(exec, model) {}

void ImageQueue::add(std::int64_t id, int rows, int columns, std::vector<float> pixels) {
  const Preprocessing& p = model_.preprocessing;
  PGAD_CHECK(has_room(), "no free slot of ", slots());
  PGAD_CHECK(pixels.size() == numel(rows, columns) * static_cast<std::size_t>(p.channels), pixels.size(),
             " values for ", rows, "x", columns);
  PGAD_CHECK(p.tiles || (rows == p.resolution && columns == p.resolution), rows, "x", columns);
  images_.push_back(
      std::make_unique<Image>(id, rows, columns, std::move(pixels), p.resolution, tile_stride(p.resolution, scoring_)));
  Image& image = *images_.back();
  image.ignored = ignored_places(model_, p.tiles ? rows : model_.side(), p.tiles ? columns : model_.side());
  if (!model_.patch_critics.empty()) {
    const PatchJudgement judgement = judge_patches(exec_, model_.patch_critics, model_.border_odds, image.pixels, rows,
                                                   columns, p.channels, image.ignored);
    image.result.terms[kPatchCritic] = judgement.odds;
    image.result.terms[kPatchArea] = judgement.area;
    image.result.critic_map = judgement.map(rows, columns, model_.patch_critics[0]->cell());
    choose_searched(image);
  }
  if (p.normalise) image.brightness = brightness_of(image.pixels, p.channels);
  if (p.tiles) {
    image.residual.emplace(image.grid);
    if (pictures_) image.reconstruction.emplace(image.grid, p.channels);
    if (!model_.features.empty()) image.features.emplace(image.grid);
  }
  hand_out();
}

void ImageQueue::choose_searched(Image& image) {
  const std::vector<float>& quantiles = model_.tile_quantiles;
  if (scoring_.search_share >= 1 || quantiles.empty()) return;
  const auto at =
      static_cast<std::size_t>(std::lround((1 - scoring_.search_share) * static_cast<double>(quantiles.size() - 1)));
  for (const float logit : tile_logits(image.grid, image.result.critic_map))
    image.search.push_back(logit > quantiles[at]);
}

void ImageQueue::hand_out() {
  const Preprocessing& p = model_.preprocessing;
  for (const auto& image : images_) {
    while (image->begun < image->grid.size() && queue_.has_room()) {
      const std::int64_t tile = image->begun++;
      under_way_[++last_id_] = {image.get(), tile};
      if (p.tiles) cut_tile(p, image->grid, image->pixels, image->brightness, tile, tile_);
      queue_.add(last_id_, p.tiles ? tile_ : image->pixels,
                 image->search.empty() || image->search[static_cast<std::size_t>(tile)]);
    }
  }
}

void ImageQueue::step(const std::function<void(std::int64_t, ImageResult)>& done) {
  std::vector<std::int64_t> ids;
  std::vector<SearchResult> ended;
  queue_.step([&](std::int64_t id, SearchResult found) {
    ids.push_back(id);
    ended.push_back(std::move(found));
  });
  std::vector<std::vector<float>> maps(ended.size());
  if (!model_.features.empty()) maps = features_.maps(ended);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto [image, tile] = under_way_.extract(ids[i]).mapped();
    image->early.emplace(tile, TileResult{std::move(ended[i]), std::move(maps[i])});
    // In the order of the tiles: sums of floats depend on it.
    for (auto at = image->early.begin(); at != image->early.end() && at->first == image->blended;
         at = image->early.erase(at))
      blend(*image, std::move(at->second));
  }
  for (auto at = images_.begin(); at != images_.end();) {
    if ((*at)->blended < (*at)->grid.size()) {
      ++at;
      continue;
    }
    const std::unique_ptr<Image> image = std::move(*at);
    at = images_.erase(at);
    done(image->id, finish(*image));
  }
  hand_out();
}

void ImageQueue::blend(Image& image, TileResult result) {
  SearchResult& tile = result.found;
  const std::int64_t number = image.blended++;
  ImageResult& r = image.result;
  r.steps += tile.steps;
  if (!model_.preprocessing.tiles) {
    std::ranges::copy(tile.terms, r.terms);
    r.terms[kRelativeResidual] = tile.relative_residual;
    r.terms[kRelativeFeature] = tile.relative_feature;
    r.rows = r.columns = model_.side();
    r.query = std::move(tile.query);
    r.reconstruction = std::move(tile.reconstruction);
    r.residual_map = std::move(tile.residual_map);
    forget_ignored(image);
    return;
  }
  if (!ignores(image, number)) r.tile_terms.insert(r.tile_terms.end(), std::begin(tile.terms), std::end(tile.terms));
  // Networks that have not grown to their full size draw smaller tiles.
  const int small = model_.side(), side = image.grid.side(), channels = model_.preprocessing.channels;
  image.residual->add(number, resize(tile.residual_map, small, small, 1, side, side));
  if (image.features) image.features->add(number, resize(result.feature_map, small, small, 1, side, side));
  if (image.reconstruction)
    image.reconstruction->add(number, resize(tile.reconstruction, small, small, channels, side, side));
}

ImageResult ImageQueue::finish(Image& image) {
  ImageResult& r = image.result;
  if (!model_.preprocessing.tiles) return std::move(r);
  r.rows = image.grid.height();
  r.columns = image.grid.width();
  for (std::size_t t = 0; t < kSearchTerms; ++t) {
    std::vector<double> values;
    for (std::size_t i = t; i < r.tile_terms.size(); i += kSearchTerms) values.push_back(r.tile_terms[i]);
    r.terms[t] = mean_of_largest(values, model_.top_tiles);
  }
  r.residual_map = image.residual->finish();
  if (image.reconstruction) r.reconstruction = image.reconstruction->finish();
  r.query = std::move(image.pixels);
  if (model_.preprocessing.normalise) from_normalised(image.brightness, r.reconstruction);
  if (image.features) r.feature_map = image.features->finish();
  forget_ignored(image);
  if (image.features) {
    r.terms[kFeatureMaps] = peak_of(r.feature_map, r.rows, r.columns, scoring_.map_sigma);
  }
  r.terms[kPeak] = peak_of(r.residual_map, r.rows, r.columns, scoring_.map_sigma);
  return std::move(r);
}

bool ImageQueue::ignores(const Image& image, std::int64_t tile) const {
  if (image.ignored.empty()) return false;
  const TileGrid& grid = image.grid;
  for (int y = grid.top(tile); y < std::min(grid.height(), grid.top(tile) + grid.side()); ++y)
    for (int x = grid.left(tile); x < std::min(grid.width(), grid.left(tile) + grid.side()); ++x)
      if (image.ignored[numel(y, grid.width()) + static_cast<std::size_t>(x)] == 0) return false;
  return true;
}

void ImageQueue::forget_ignored(Image& image) const {
  ImageResult& r = image.result;
  if (image.ignored.empty()) return;
  const float lowest = r.feature_map.empty() ? 0 : *std::ranges::min_element(r.feature_map);
  for (std::size_t i = 0; i < image.ignored.size(); ++i) {
    if (image.ignored[i] == 0) continue;
    r.residual_map[i] = 0;
    if (!r.feature_map.empty()) r.feature_map[i] = lowest;
  }
}

void ImageQueue::abandon() {
  queue_.abandon();
  images_.clear();
  under_way_.clear();
}

void ImageQueue::abandon(std::int64_t id) {
  const auto image = std::ranges::find_if(images_, [&](const auto& i) { return i->id == id; });
  if (image == images_.end()) return;
  std::erase_if(under_way_, [&](const auto& entry) {
    if (entry.second.first != image->get()) return false;
    queue_.abandon(entry.first);
    return true;
  });
  images_.erase(image);
  hand_out();
}

void ImageQueue::progress(const std::function<void(std::int64_t, double, int)>& see) const {
  std::map<std::int64_t, std::pair<double, int>> searched;  // by image: tiles under way, their steps
  queue_.progress([&](std::int64_t id, double share, int steps) {
    auto& [tiles, taken] = searched[under_way_.at(id).first->id];
    tiles += share;
    taken += steps;
  });
  for (const auto& image : images_) {
    auto [tiles, taken] = searched[image->id];
    tiles += static_cast<double>(image->blended) + static_cast<double>(image->early.size());
    for (const auto& [tile, result] : image->early) taken += result.found.steps;
    see(image->id, tiles / static_cast<double>(image->grid.size()), image->result.steps + taken);
  }
}

}  // namespace pgad
