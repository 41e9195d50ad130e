#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "images/surface.h"
#include "images/tiles.h"
#include "inspection/feature_maps.h"
#include "inspection/search_queue.h"
#include "model/model.h"

namespace pgad {

// What is known of an image when all of it has been searched. Its pixels are rows x columns: the networks' size
// s = 2^level, or with tiles the image's own at the working scale.
struct ImageResult {
  double terms[kTermCount] = {};  // in the order of kScoreNames; NaN: not a score of this model
  int steps = 0;                  // of the search, of all tiles together
  int rows = 0, columns = 0;
  std::vector<float> query;           // [rows, columns, channels] in [-1,1]
  std::vector<float> reconstruction;  // G(z) of the nearest z, the same; with tiles only if asked for
  std::vector<float>
      residual_map;  // |query - reconstruction| averaged over channels, [rows, columns]; in the networks' units
  std::vector<float> feature_map;  // with tiles: where D sees a difference, [rows, columns]; empty if not known
  std::vector<float> critic_map;   // logits of the patch critic, [rows, columns]; empty without one
  std::vector<double> tile_terms;  // [tiles, kSearchTerms], with tiles
  bool finite() const;             // all terms that there are
};

// With a patch critic: the largest of its logits within each tile of the image, by which it is decided which tiles are
// searched. critic_map [height, width] of the grid.
std::vector<float> tile_logits(const TileGrid& grid, std::span<const float> critic_map);
int tile_stride(int side, const ScoringConfig& scoring);

// What the networks see of one tile of an image, [side, side, channels]; pixels: as preprocess() makes them,
// brightness: theirs.
void cut_tile(const Preprocessing& preprocessing, const TileGrid& grid, std::span<const float> pixels,
              const Brightness& brightness, std::int64_t tile, std::vector<float>& out);

// The smallest of 1, 4, 16, ... slots, at most a batch, that takes so many images at once: one alone does not pay for
// the others' places. (Its bits are the same in all.) With tiles a batch: one image alone has tiles for all.
int slots_for(std::int64_t images, int batch, bool tiles);

// [rows, columns] of an image's result: 1 where the model ignores what is there. Empty where it ignores nothing.
std::vector<std::uint8_t> ignored_places(const Model& model, int rows, int columns);

// Mean of the `count` largest values, of all if there are fewer; there must be one.
double mean_of_largest(std::span<const double> values, int count);

// Images on their way through the search: whole ones as they are, larger ones tile by tile, their maps blended. A
// result has the same bits whatever the batch and the company. One thread at a time, the Exec's.
class ImageQueue {
 public:
  // pictures: whether reconstructions of tiled images are wanted.
  ImageQueue(Exec& exec, const Model& model, const ScoringConfig& scoring, int slots, bool pictures = true);

  int slots() const { return queue_.slots(); }
  // A slot is free, and no tile waits for it.
  bool has_room() const { return queue_.has_room(); }
  bool empty() const { return images_.empty(); }
  // Needs room. `id`: the caller's, of its own for each image under way; pixels: as preprocess() makes them, [rows,
  // columns, channels].
  void add(std::int64_t id, int rows, int columns, std::vector<float> pixels);
  // One step of all searches. `done` receives each image whose last tile has ended with it.
  void step(const std::function<void(std::int64_t id, ImageResult)>& done);
  // Ends the searches of all images, or of one (if it is there), without a result.
  void abandon();
  void abandon(std::int64_t id);

  // `see` is called for each image under way with the share of its search that is done, in [0, 1], and its steps so
  // far.
  void progress(const std::function<void(std::int64_t id, double share, int steps)>& see) const;

  LatentSearch& search() { return queue_.search(); }

 private:
  struct TileResult {
    SearchResult found;
    std::vector<float> feature_map;  // [s, s]; empty where the model has none
  };
  struct Image {
    Image(std::int64_t id, int rows, int columns, std::vector<float> pixels, int side, int stride);
    std::int64_t id;
    std::vector<float> pixels;
    TileGrid grid;
    std::int64_t begun = 0, blended = 0;       // tiles
    std::map<std::int64_t, TileResult> early;  // tiles that were done before one in front of them
    std::optional<TileBlend> residual, reconstruction, features;
    Brightness brightness;              // where pixels are normalised
    std::vector<char> search;           // by tile, whether it is searched; empty: all are
    std::vector<std::uint8_t> ignored;  // ignored_places()
    ImageResult result;
  };

  void hand_out();
  bool ignores(const Image& image, std::int64_t tile) const;  // all of the tile
  void forget_ignored(Image& image) const;                    // in the maps of its result
  // Tiles that the patch critic is sure of are not searched.
  void choose_searched(Image& image);
  void blend(Image& image, TileResult tile);
  ImageResult finish(Image& image);

  Exec& exec_;
  const Model& model_;
  const ScoringConfig scoring_;
  const bool pictures_;
  SearchQueue queue_;
  FeatureComparison features_;
  std::deque<std::unique_ptr<Image>> images_;
  std::map<std::int64_t, std::pair<Image*, std::int64_t>> under_way_;  // by the search's id: the image and its tile
  std::int64_t last_id_ = 0;
  std::vector<float> tile_;
};

}  // namespace pgad
