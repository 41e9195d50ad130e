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

SearchQueue& Scorer::queue(int slots) {
  if (!queue_ || queue_->slots() != slots) {
    queue_.reset();
    queue_ = std::make_unique<SearchQueue>(exec_, model_, scoring_, slots);
  }
  queue_->abandon();  // what an earlier call that was cut short has left
  return *queue_;
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
  SearchQueue& queue = this->queue(slots);

  std::map<std::int64_t, ScoredImage> searched, waiting;  // by place in samples; waiting: done, but not at their turn
  std::int64_t next = 0;                                  // whose turn it is
  bool more = true;
  std::vector<int> taken;
  SearchTime time(static_cast<std::int64_t>(samples.size()), slots,
                  static_cast<double>(scoring_.steps) * scoring_.restarts);
  using Clock = std::chrono::steady_clock;
  auto last_step = Clock::now();
  const auto take_up = [&](Loader::Item item) {
    ScoredImage image;
    image.sample = samples[static_cast<std::size_t>(item.index)];
    image.error = std::move(item.error);
    image.notes = std::move(item.notes);
    image.height = item.height;
    image.width = item.width;
    if (image.error.empty()) {
      queue.add(item.index, item.pixels);
    } else {
      time.image(0);
    }
    (image.error.empty() ? searched : waiting).emplace(item.index, std::move(image));
  };
  const auto done = [&](std::int64_t index, SearchResult result) {
    time.image(result.steps);
    auto entry = searched.extract(index);
    ScoredImage& image = entry.mapped();
    if (!result.finite()) image.error = image.sample.name + ": its scores are not finite";
    static_cast<SearchResult&>(image) = std::move(result);
    waiting.insert(std::move(entry));
  };
  const auto hand_over = [&](bool all) {
    while (!waiting.empty() && (all || waiting.begin()->first == next)) {
      next = waiting.begin()->first + 1;
      sink(std::move(waiting.begin()->second));
      waiting.erase(waiting.begin());
    }
  };
  while (!(stop && *stop)) {
    while (more && queue.has_room() && waiting.size() < kWaiting * static_cast<std::size_t>(slots)) {
      auto item = loader.next();
      more = item.has_value();
      if (more) take_up(std::move(*item));
    }
    hand_over(false);
    if (queue.empty()) {
      if (!more && waiting.empty()) break;
      continue;
    }
    queue.step(done);
    const auto now = Clock::now();
    time.step(std::chrono::duration<double>(now - last_step).count());
    last_step = now;
    hand_over(false);
    if (on_progress) {
      double images = static_cast<double>(next) + static_cast<double>(waiting.size());
      taken.clear();
      queue.progress([&](std::int64_t, double share, int steps) {
        images += share;
        taken.push_back(steps);
      });
      on_progress({images, time.seconds_left(taken), time.seconds_per_image(taken)});
    }
  }
  hand_over(true);
}

double Scorer::mean_critic(const std::vector<Sample>& samples, const ImageSource& source,
                           const std::function<void()>& on_image) {
  Loader loader(samples, source, model_.preprocessing, {exec_.threads(), 0});
  LatentSearch& one = queue(1).search();
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
