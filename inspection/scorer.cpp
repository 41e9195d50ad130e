#include "inspection/scorer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "inspection/search_time.h"

namespace pgad {
namespace {

// Results wait for slower ones before them; when so many times the batch wait, no new image is taken up.
constexpr std::size_t kWaiting = 4;

}  // namespace

Scorer::Scorer(Exec& exec, const Model& model, const ScoringConfig& scoring)
    : exec_(exec), model_(model), scoring_(scoring) {}

SearchModel Scorer::search_model() const {
  return {model_.g.get(),    model_.d.get(),   model_.config.network, model_.config.objective.loss, model_.level,
          model_.old_weight, model_.statistic, model_.normal_critic,  model_.encoder.get()};
}

ScoredImage Scorer::result(const LatentSearch& search, int slot, const Sample& sample, Loader::Item item) const {
  ScoredImage r;
  r.sample = sample;
  r.error = std::move(item.error);
  r.notes = std::move(item.notes);
  r.height = item.height;
  r.width = item.width;
  if (!r.error.empty()) return r;
  const SearchScores v = search.scores(slot);
  const double terms[kTermCount] = {v.residual, v.feature, v.latent_critic, v.paper, v.critic};
  std::copy(std::begin(terms), std::end(terms), r.terms);
  r.steps = search.steps_taken(slot);
  const auto query = search.query(slot), drawn = search.reconstruction(slot);
  r.query.assign(query.begin(), query.end());
  r.reconstruction.assign(drawn.begin(), drawn.end());
  const auto channels = static_cast<std::size_t>(model_.config.network.channels);
  r.residual_map.resize(query.size() / channels);
  for (std::size_t i = 0; i < query.size(); ++i)
    r.residual_map[i / channels] += std::fabs(query[i] - drawn[i]) / static_cast<float>(channels);
  if (!std::ranges::all_of(r.terms, [](double t) { return std::isfinite(t); }))
    r.error = r.sample.name + ": its scores are not finite";
  return r;
}

LatentSearch& Scorer::search(int slots) {
  if (!search_ || search_->batch() != slots) {
    search_.reset();
    search_ = std::make_unique<LatentSearch>(exec_, search_model(), scoring_, slots);
  }
  search_->abandon();  // what an earlier call that was cut short has left
  return *search_;
}

void Scorer::score(const std::vector<Sample>& samples, const ImageSource& source,
                   const std::function<void(ScoredImage)>& sink,
                   const std::function<void(const ScoringProgress&)>& on_progress, const std::atomic<bool>* stop) {
  if (samples.empty()) return;
  const int slots = static_cast<int>(std::min(samples.size(), static_cast<std::size_t>(scoring_.batch)));
  LoaderOptions options;
  options.threads = exec_.threads();
  options.capacity = 2 * slots;
  Loader loader(samples, source, model_.preprocessing, options);
  LatentSearch& search = this->search(slots);

  std::map<long, ScoredImage> waiting;  // by place in samples: done, but not yet at their turn
  long next = 0;                        // whose turn it is
  bool more = true;
  std::vector<std::optional<Loader::Item>> searched(static_cast<std::size_t>(slots));  // the image in each slot
  std::vector<int> fresh, taken;
  SearchTime time(static_cast<std::int64_t>(samples.size()), slots,
                  static_cast<double>(scoring_.steps) * scoring_.restarts);
  using Clock = std::chrono::steady_clock;
  auto last_step = Clock::now();
  const auto hand_over = [&](bool all) {
    while (!waiting.empty() && (all || waiting.begin()->first == next)) {
      next = waiting.begin()->first + 1;
      sink(std::move(waiting.begin()->second));
      waiting.erase(waiting.begin());
    }
  };
  while (!(stop && *stop)) {
    fresh.clear();
    for (int slot = 0; slot < slots; ++slot) {
      auto& place = searched[static_cast<std::size_t>(slot)];
      while (!place && more && waiting.size() < kWaiting * static_cast<std::size_t>(slots)) {
        auto item = loader.next();
        if (!item) {
          more = false;
          break;
        }
        const long index = item->index;
        if (!item->error.empty()) {
          waiting.emplace(index, result(search, slot, samples[static_cast<std::size_t>(index)], std::move(*item)));
          time.image(0);
          continue;
        }
        std::ranges::copy(item->pixels, search.image(slot).begin());
        place = std::move(*item);
        fresh.push_back(slot);
      }
    }
    hand_over(false);
    if (!fresh.empty()) search.begin(fresh);
    if (search.active() == 0) {
      if (!more && waiting.empty()) break;
      continue;
    }
    const std::span<const int> ended = search.step();
    const auto now = Clock::now();
    time.step(std::chrono::duration<double>(now - last_step).count());
    last_step = now;
    for (const int slot : ended) {
      time.image(search.steps_taken(slot));
      auto& place = searched[static_cast<std::size_t>(slot)];
      const long index = place->index;
      waiting.emplace(index, result(search, slot, samples[static_cast<std::size_t>(index)], std::move(*place)));
      place.reset();
    }
    hand_over(false);
    if (on_progress) {
      double done = static_cast<double>(next) + static_cast<double>(waiting.size());
      taken.clear();
      for (int slot = 0; slot < slots; ++slot) {
        if (!searched[static_cast<std::size_t>(slot)]) continue;
        done += search.progress(slot);
        taken.push_back(search.steps_taken(slot));
      }
      on_progress({done, time.seconds_left(taken), time.seconds_per_image(taken)});
    }
  }
  hand_over(true);
}

double Scorer::mean_critic(const std::vector<Sample>& samples, const ImageSource& source,
                           const std::function<void()>& on_image) {
  Loader loader(samples, source, model_.preprocessing, {exec_.threads(), 0});
  LatentSearch& one = search(1);
  const int slot[] = {0};
  double sum = 0;
  std::int64_t count = 0;
  while (const auto item = loader.next()) {
    if (on_image) on_image();
    if (!item->error.empty()) continue;
    std::ranges::copy(item->pixels, one.image(0).begin());
    one.begin(slot);
    sum += one.query_score(0);
    ++count;
  }
  if (count == 0) throw Error("none of the images held out for calibration could be read");
  return sum / static_cast<double>(count);
}

}  // namespace pgad
