#include "inspection/scorer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <new>

#include "inspection/search_time.h"

namespace pgad {
namespace {

// Results wait for slower ones before them; when so many times the batch wait, no new image is taken up.
constexpr std::size_t kWaiting = 4;
constexpr int kTiledAhead = 2;  // images in memory before their turn, which may be very large with tiles

constexpr double kPause = 0.1;  // seconds between looks at `stop` where nothing comes

// One call of Scorer::score(): images between loader, search and sink, by the order in which they came.
class ScoringRun {
 public:
  // total: images in all, where that is known.
  ScoringRun(std::optional<std::int64_t> total, bool tiles, SearchTime time,
             const std::function<void(ScoredImage)>& sink)
      : total_(total), tiles_(tiles), time_(std::move(time)), sink_(sink) {}

  // From the loader: into a free slot, or past the search if it could not be read.
  void take_up(Loader::Item item, ImageQueue& queue) {
    ScoredImage image;
    image.sample = std::move(item.sample);
    image.error = std::move(item.error);
    image.notes = std::move(item.notes);
    image.height = item.height;
    image.width = item.width;
    if (image.error.empty()) {
      try {
        queue.add(item.index, item.rows, item.columns, std::move(item.pixels));
      } catch (const std::bad_alloc&) {  // this image's alone, as large as it is
        queue.abandon(item.index);
        image.error = image.sample.name + ": not enough memory for it";
      }
    }
    if (image.error.empty()) {
      searched_.emplace(item.index, std::move(image));
    } else {
      time_.image(0);
      done_.emplace(item.index, std::move(image));
    }
  }

  // One step of all searches.
  void step(ImageQueue& queue) {
    queue.step([this](std::int64_t index, ImageResult result) {
      time_.image(result.steps);
      auto entry = searched_.extract(index);
      ScoredImage& image = entry.mapped();
      if (!result.finite()) image.error = image.sample.name + ": its scores are not finite";
      static_cast<ImageResult&>(image) = std::move(result);
      done_.insert(std::move(entry));
    });
    const auto now = Clock::now();
    time_.step(std::chrono::duration<double>(now - last_step_).count());
    last_step_ = now;
  }

  // What is done, in order: up to the first image that is not, or (all) past those too.
  void hand_over(bool all) {
    while (!done_.empty() && (all || done_.begin()->first == next_)) {
      next_ = done_.begin()->first + 1;
      sink_(std::move(done_.begin()->second));
      done_.erase(done_.begin());
    }
  }

  // Images that are done, but not at their turn.
  std::size_t waiting() const { return done_.size(); }

  ScoringProgress progress(const ImageQueue& queue) {
    double images = static_cast<double>(next_) + static_cast<double>(done_.size());
    steps_.clear();
    queue.progress([&](std::int64_t, double share, int steps) {
      images += share;
      steps_.push_back(steps);
    });
    if (!total_) return {images, std::nullopt, std::nullopt};
    if (tiles_) {  // their images differ in size: by the share that is done
      const double spent = std::chrono::duration<double>(Clock::now() - begin_).count();
      if (images <= 0) return {0, std::nullopt, std::nullopt};
      return {images, spent / images * (static_cast<double>(*total_) - images), spent / images};
    }
    return {images, time_.seconds_left(steps_), time_.seconds_per_image(steps_)};
  }

 private:
  using Clock = std::chrono::steady_clock;

  const std::optional<std::int64_t> total_;
  const bool tiles_;
  SearchTime time_;
  const std::function<void(ScoredImage)>& sink_;
  std::map<std::int64_t, ScoredImage> searched_, done_;
  std::int64_t next_ = 0;  // whose turn it is
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point last_step_ = begin_;
  std::vector<int> steps_;  // of progress(): taken by each image under way
};

}  // namespace

Scorer::Scorer(Exec& exec, const Model& model, const ScoringConfig& scoring, bool pictures)
    : exec_(exec), model_(model), scoring_(scoring), pictures_(pictures) {}

ImageQueue& Scorer::queue(int slots) {
  auto& queue = queues_[slots];
  if (!queue) queue = std::make_unique<ImageQueue>(exec_, model_, scoring_, slots, pictures_);
  queue->abandon();  // what an earlier call that was cut short has left
  last_ = queue.get();
  return *queue;
}

ImageQueue& Scorer::queue_for(std::int64_t images) {
  return queue(slots_for(images, scoring_.batch, model_.preprocessing.tiles));
}

void Scorer::score(SampleFeed& feed, const ImageSource& source, const std::function<void(ScoredImage)>& sink,
                   const std::function<void(const ScoringProgress&)>& on_progress, const std::atomic<bool>* stop) {
  const bool tiles = model_.preprocessing.tiles;
  const std::optional<std::int64_t> total = feed.total();
  const int most = total && !tiles ? static_cast<int>(std::min<std::int64_t>(*total, scoring_.batch)) : scoring_.batch;
  if (total == 0) return;
  LoaderOptions options;
  options.threads = exec_.threads();
  options.capacity = tiles ? kTiledAhead : 2 * most;
  Loader loader(source, model_.preprocessing, options);
  ImageQueue* queue = total ? &this->queue(most) : nullptr;
  ScoringRun run(total, tiles, SearchTime(total.value_or(0), most, queue ? queue->search().most_steps() : 0), sink);
  const std::size_t most_waiting = kWaiting * static_cast<std::size_t>(most);
  const auto fill = [&] {
    while (loader.has_room()) {
      std::optional<Sample> sample = feed.next();
      if (!sample) return;
      loader.push(std::move(*sample));
    }
  };
  while (!(stop && *stop)) {
    fill();
    if (!total && (!queue || queue->empty()) && loader.pending() > 0) queue = &queue_for(loader.pending());
    // A small queue takes up what comes meanwhile, unless so much does that a larger one should.
    while (loader.pending() > 0 && queue->has_room() && run.waiting() < most_waiting &&
           (queue->slots() == most || loader.pending() <= queue->slots())) {
      run.take_up(*loader.next(), *queue);
      fill();
    }
    run.hand_over(false);
    if (!queue || queue->empty()) {
      if (loader.pending() > 0) continue;
      if (feed.ended()) break;
      feed.wait(kPause);
      continue;
    }
    run.step(*queue);
    run.hand_over(false);
    if (on_progress) on_progress(run.progress(*queue));
  }
  run.hand_over(true);
}

void Scorer::score(const std::vector<Sample>& samples, const ImageSource& source,
                   const std::function<void(ScoredImage)>& sink,
                   const std::function<void(const ScoringProgress&)>& on_progress, const std::atomic<bool>* stop) {
  ListFeed feed(samples);
  score(feed, source, sink, on_progress, stop);
}

double Scorer::mean_critic(const std::vector<Sample>& samples, const ImageSource& source,
                           const std::function<void()>& on_image) {
  Loader loader(samples, source, model_.preprocessing, {exec_.threads(), 0});
  LatentSearch& one = queue(1).search();
  const int slot[] = {0};
  const Preprocessing& p = model_.preprocessing;
  double sum = 0;
  std::int64_t count = 0;
  while (const auto item = loader.next()) {
    if (on_image) on_image();
    if (!item->error.empty()) continue;
    const TileGrid grid(item->rows, item->columns, p.resolution, p.resolution);
    for (std::int64_t tile = 0; tile < grid.size(); ++tile) {
      grid.cut(item->pixels, p.channels, tile, one.image(0));
      one.begin(slot);
      sum += one.query_score(0);
      ++count;
    }
  }
  if (count == 0) throw Error("none of the images held out for calibration could be read");
  return sum / static_cast<double>(count);
}

}  // namespace pgad
