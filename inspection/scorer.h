#pragma once
// Scores a stream of images: decoding on background threads, the search in slots that are refilled, results in order.
// Memory does not grow with the number of images.

#include <pgad/region.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "images/feed.h"
#include "images/loader.h"
#include "inspection/image_queue.h"
#include "model/model.h"

namespace pgad {

struct ScoredImage : ImageResult {
  Sample sample;
  std::string error;  // why the image could not be scored; the rest is empty then
  std::vector<std::string> notes;
  int height = 0, width = 0;  // of the original
  // Where its map is high; of who has scored it (regions.h), not the Scorer's. Empty: not looked for.
  std::optional<std::vector<Region>> regions;
};

struct ScoringProgress {
  double done;  // images; those being searched count by the share that is done
  std::optional<double> seconds_left, seconds_per_image;  // empty before the first step, or where the end is not known
};

class Scorer {
 public:
  // pictures: whether reconstructions of tiled images are wanted.
  Scorer(Exec& exec, const Model& model, const ScoringConfig& scoring, bool pictures = true);

  // Hands each image of the feed to `sink`, in order, until the feed ends; stops early once `stop` is true, and hands
  // over what is done. An image that is done makes room for the next. Where it is not known how many will come, few
  // that come at a time do not pay for a whole batch.
  void score(SampleFeed& feed, const ImageSource& source, const std::function<void(ScoredImage)>& sink,
             const std::function<void(const ScoringProgress&)>& on_progress = {},
             const std::atomic<bool>* stop = nullptr);
  // Of a list.
  void score(const std::vector<Sample>& samples, const ImageSource& source,
             const std::function<void(ScoredImage)>& sink,
             const std::function<void(const ScoringProgress&)>& on_progress = {},
             const std::atomic<bool>* stop = nullptr);
  // The recorded search step; null before the first score().
  StepGraph* graph() { return last_ ? last_->search().graph() : nullptr; }
  // Mean of D over images, without a search. on_image is called for each and may throw to stop.
  double mean_critic(const std::vector<Sample>& samples, const ImageSource& source,
                     const std::function<void()>& on_image = {});

 private:
  ImageQueue& queue(int slots);  // all of them free
  // As the Inspector chooses it.
  ImageQueue& queue_for(std::int64_t images);

  Exec& exec_;
  const Model& model_;
  ScoringConfig scoring_;
  bool pictures_;
  std::map<int, std::unique_ptr<ImageQueue>> queues_;  // by slots
  ImageQueue* last_ = nullptr;                         // used
};

}  // namespace pgad
