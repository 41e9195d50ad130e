#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "inspection/latent_search.h"
#include "model/model.h"

namespace pgad {

inline constexpr double kLeastContrast = 0.01;  // mean over pixels of [-1,1]

// What the search found of one image, or of one tile, at the networks' size s = 2^level.
struct SearchResult {
  double terms[kSearchTerms] = {};  // in the order of kScoreNames
  // Of whole images, in units of the query's contrast, mean |x - median(x)| (by channel; no less than kLeastContrast):
  // mean |x - G(z)|, the difference smoothed by a Gaussian of one pixel so that lines a pixel off are not twice wrong,
  // and L_D. Images that show little, MNIST's ones, are near to any by L_R and L_D alone. NaN with tiles.
  double relative_residual, relative_feature;
  int steps = 0;                             // that it took
  std::vector<float> query;                  // [s, s, channels] in [-1,1]
  std::vector<float> reconstruction;         // G(z) of the nearest z, the same
  std::vector<float> residual_map;           // |query - reconstruction| averaged over channels, [s, s]
  std::vector<FeatureDifferences> features;  // by size, where D had been asked of both anyway; else empty
};

// The slots of a LatentSearch, filled one by one: an image that is done makes room for the next. An image's result has
// the same bits whatever its neighbours. One thread at a time, the Exec's.
class SearchQueue {
 public:
  SearchQueue(Exec& exec, const Model& model, const ScoringConfig& scoring, int slots);

  int slots() const { return search_.batch(); }
  bool has_room() const { return taken_ < slots(); }
  bool empty() const { return taken_ == 0; }
  // Needs room. `id`: the caller's, of its own for each image under way; pixels: as preprocess() makes them.
  // search: else it is only evaluated where its search would start.
  void add(std::int64_t id, std::span<const float> pixels, bool search = true);
  // One step of all. `done` receives each image whose search has ended with it.
  void step(const std::function<void(std::int64_t id, SearchResult)>& done);
  // Ends the searches of all images, or of one (if it is there), without a result.
  void abandon();
  void abandon(std::int64_t id);

  // `see` is called for each image under way with the share of its search that is done, in [0, 1], and its steps so
  // far.
  void progress(const std::function<void(std::int64_t id, double share, int steps)>& see) const;

  LatentSearch& search() { return search_; }

 private:
  struct Place {
    std::int64_t id = 0;
    bool search = true;
    enum { kFree, kFresh, kSearched } state = kFree;
  };

  const Model& model_;
  const bool feature_maps_;  // whether the model has moments of them
  LatentSearch search_;
  std::vector<Place> places_;  // one for each slot
  std::vector<int> fresh_;
  std::vector<char> evaluate_only_;  // of the fresh ones
  int taken_ = 0;
};

}  // namespace pgad
