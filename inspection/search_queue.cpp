#include "inspection/search_queue.h"

#include <algorithm>
#include <cmath>

#include "images/gaussian_blur.h"

namespace pgad {
namespace {

SearchModel search_model(const Model& m) {
  return {m.g.get(), m.d.get(), m.config.network, m.config.objective.loss, m.level,
          m.alpha,   m.stddev,  m.normal_critic,  m.encoder.get(),         !m.features.empty()};
}

// Mean distance of the pixels from their channel's median.
double contrast_of(std::span<const float> image, int channels) {
  const std::size_t pixels = image.size() / static_cast<std::size_t>(channels);
  double sum = 0;
  std::vector<float> channel(pixels);
  for (int c = 0; c < channels; ++c) {
    for (std::size_t i = 0; i < pixels; ++i)
      channel[i] = image[i * static_cast<std::size_t>(channels) + static_cast<std::size_t>(c)];
    const auto middle = channel.begin() + static_cast<std::ptrdiff_t>(pixels / 2);
    std::ranges::nth_element(channel, middle);
    const float median = *middle;
    for (const float v : channel) sum += std::fabs(v - median);
  }
  return sum / static_cast<double>(image.size());
}

// Mean |x - G(z)|, the difference smoothed by a pixel.
double smoothed_distance(const SearchResult& r, int side, int channels) {
  double sum = 0;
  std::vector<float> difference(r.residual_map.size());
  for (int c = 0; c < channels; ++c) {
    for (std::size_t i = 0; i < difference.size(); ++i) {
      const std::size_t at = i * static_cast<std::size_t>(channels) + static_cast<std::size_t>(c);
      difference[i] = r.query[at] - r.reconstruction[at];
    }
    for (const float d : gaussian_blur(difference, side, side, 1)) sum += std::fabs(d);
  }
  return sum / static_cast<double>(r.query.size());
}

SearchResult result_of(const LatentSearch& search, int slot, int channels, bool relative) {
  SearchResult r;
  const SearchScores v = search.scores(slot);
  const double terms[kSearchTerms] = {v.residual, v.feature, v.latent_critic, v.paper, v.critic};
  std::copy(std::begin(terms), std::end(terms), r.terms);
  r.steps = search.steps_taken(slot);
  r.query = search.query(slot);
  r.reconstruction = search.reconstruction(slot);
  r.residual_map.resize(r.query.size() / static_cast<std::size_t>(channels));
  for (std::size_t i = 0; i < r.query.size(); ++i)
    r.residual_map[i / static_cast<std::size_t>(channels)] +=
        std::fabs(r.query[i] - r.reconstruction[i]) / static_cast<float>(channels);
  r.relative_residual = r.relative_feature = std::nan("");
  if (!relative) return r;
  const int side = static_cast<int>(std::lround(std::sqrt(static_cast<double>(r.residual_map.size()))));
  const double contrast = std::max(contrast_of(r.query, channels), kLeastContrast);
  r.relative_residual = smoothed_distance(r, side, channels) / contrast;
  r.relative_feature = v.feature / contrast;
  return r;
}

}  // namespace

SearchQueue::SearchQueue(Exec& exec, const Model& model, const ScoringConfig& scoring, int slots)
    : model_(model),
      feature_maps_(!model.features.empty()),
      search_(exec, search_model(model), scoring, slots),
      places_(static_cast<std::size_t>(slots)) {}

void SearchQueue::add(std::int64_t id, std::span<const float> pixels, bool search) {
  PGAD_CHECK(has_room(), "no free slot of ", slots());
  const auto place = std::ranges::find(places_, Place::kFree, &Place::state);
  const auto slot = static_cast<int>(place - places_.begin());
  PGAD_CHECK(pixels.size() == search_.image(slot).size(), pixels.size(), " values for an image");
  std::ranges::copy(pixels, search_.image(slot).begin());
  *place = {id, search, Place::kFresh};
  ++taken_;
}

void SearchQueue::step(const std::function<void(std::int64_t, SearchResult)>& done) {
  if (empty()) return;
  fresh_.clear();
  evaluate_only_.clear();
  for (std::size_t slot = 0; slot < places_.size(); ++slot) {
    if (places_[slot].state != Place::kFresh) continue;
    places_[slot].state = Place::kSearched;
    fresh_.push_back(static_cast<int>(slot));
    evaluate_only_.push_back(!places_[slot].search);
  }
  if (!fresh_.empty()) search_.begin(fresh_, evaluate_only_);
  const std::span<const int> ended = search_.step();
  std::vector<int> evaluated;
  if (feature_maps_)
    std::ranges::copy_if(ended, std::back_inserter(evaluated), [&](int slot) { return search_.only_evaluated(slot); });
  std::vector<std::vector<FeatureDifferences>> features = search_.feature_differences(evaluated);
  for (const int slot : ended) {
    Place& place = places_[static_cast<std::size_t>(slot)];
    place.state = Place::kFree;
    --taken_;
    SearchResult found = result_of(search_, slot, model_.config.network.channels, !model_.preprocessing.tiles);
    const auto at = std::ranges::find(evaluated, slot);
    if (at != evaluated.end()) found.features = std::move(features[static_cast<std::size_t>(at - evaluated.begin())]);
    done(place.id, std::move(found));
  }
}

void SearchQueue::abandon() {
  search_.abandon();
  for (Place& place : places_) place = {};
  taken_ = 0;
}

void SearchQueue::abandon(std::int64_t id) {
  for (std::size_t slot = 0; slot < places_.size(); ++slot) {
    if (places_[slot].state == Place::kFree || places_[slot].id != id) continue;
    if (places_[slot].state == Place::kSearched) search_.abandon(static_cast<int>(slot));
    places_[slot] = {};
    --taken_;
  }
}

void SearchQueue::progress(const std::function<void(std::int64_t, double, int)>& see) const {
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const auto slot = static_cast<int>(i);
    if (places_[i].state == Place::kSearched) see(places_[i].id, search_.progress(slot), search_.steps_taken(slot));
    if (places_[i].state == Place::kFresh) see(places_[i].id, 0, 0);
  }
}

}  // namespace pgad
