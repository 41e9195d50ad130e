#include "apps/inspection/scorer.h"

#include <algorithm>
#include <cmath>

namespace pgad {

Scorer::Scorer(Exec& exec, const Model& model, const ScoringConfig& scoring)
    : exec_(exec), model_(model), scoring_(scoring) {}

LatentSearch& Scorer::search(int batch) {
  auto& slot = searches_[batch];
  if (!slot) {
    const SearchModel m{model_.g.get(),  model_.d.get(),   model_.config.network, model_.config.objective.loss,
                        model_.level,    model_.old_weight, model_.statistic,      model_.normal_critic};
    slot = std::make_unique<LatentSearch>(exec_, m, scoring_, batch);
  }
  return *slot;
}

void Scorer::score(const std::vector<Sample>& samples, const ImageSource& source,
                   const std::function<void(ScoredImage)>& sink, const std::function<void(double)>& on_progress,
                   const std::atomic<bool>* stop) {
  const auto batch = static_cast<std::size_t>(scoring_.batch);
  LoaderOptions options;
  options.threads = exec_.threads();
  options.capacity = 2 * scoring_.batch;
  Loader loader(samples, source, model_.preprocessing, options);
  std::size_t done = 0;
  for (bool more = true; more && !(stop && *stop);) {
    std::vector<Loader::Item> items;  // in order, with the bad ones among them
    std::size_t good = 0;
    while (good < batch) {
      auto item = loader.next();
      if (!item) {
        more = false;
        break;
      }
      good += item->error.empty();
      items.push_back(std::move(*item));
    }
    LatentSearch* s = nullptr;
    std::vector<SearchScores> scores;
    if (good > 0) {
      s = &search(static_cast<int>(good));
      float* out = s->images().data();
      for (const auto& item : items)
        if (item.error.empty()) out = std::copy(item.pixels.begin(), item.pixels.end(), out);
      const double searches = static_cast<double>(scoring_.steps) * scoring_.restarts;
      s->run([&](int step) {
        if (on_progress) on_progress(static_cast<double>(done) + static_cast<double>(good) * step / searches);
      });
      scores = s->scores();
    }
    std::size_t at = 0;
    for (auto& item : items) {
      ScoredImage r;
      r.sample = samples[static_cast<std::size_t>(item.index)];
      r.error = std::move(item.error);
      r.notes = std::move(item.notes);
      r.height = item.height;
      r.width = item.width;
      if (r.error.empty()) {
        const SearchScores& v = scores[at];
        const double terms[kTermCount] = {v.residual, v.feature, v.latent_critic, v.paper, v.critic};
        std::copy(std::begin(terms), std::end(terms), r.terms);
        const std::size_t floats = s->queries().size() / good;
        const auto query = s->queries().subspan(at * floats, floats);
        const auto drawn = s->reconstructions().subspan(at * floats, floats);
        r.query.assign(query.begin(), query.end());
        r.reconstruction.assign(drawn.begin(), drawn.end());
        const auto channels = static_cast<std::size_t>(model_.config.network.channels);
        r.residual_map.resize(floats / channels);
        for (std::size_t i = 0; i < floats; ++i)
          r.residual_map[i / channels] += std::fabs(query[i] - drawn[i]) / static_cast<float>(channels);
        ++at;
        if (!std::ranges::all_of(r.terms, [](double t) { return std::isfinite(t); }))
          r.error = r.sample.name + ": its scores are not finite";
      }
      sink(std::move(r));
    }
    done += items.size();
    if (on_progress) on_progress(static_cast<double>(done));
  }
}

double Scorer::mean_critic(const std::vector<Sample>& samples, const ImageSource& source) {
  Loader loader(samples, source, model_.preprocessing, {exec_.threads(), 0});
  LatentSearch& one = search(1);
  double sum = 0;
  std::int64_t count = 0;
  while (const auto item = loader.next()) {
    if (!item->error.empty()) continue;
    std::ranges::copy(item->pixels, one.images().begin());
    one.prepare();
    sum += one.query_scores()[0];
    ++count;
  }
  if (count == 0) throw Error("none of the images held out for calibration could be read");
  return sum / static_cast<double>(count);
}

}  // namespace pgad
